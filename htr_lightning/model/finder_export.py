"""Export of line finders to ONNX files, with weights of their own or with those of a safetensors file beside them."""

import importlib.util
import json
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from htr_lightning.files import atomic_write
from htr_lightning.model.finder_file import Finder, read_finder
from htr_lightning.model.finder_onnx import INPUT, LINES, ORIENTATIONS, read_onnx_finder
from htr_lightning.model.info import FINDER_KEY, ModelFileError
from htr_lightning.model.line_finder import LineFinder, MapLogits, to_darkness

OPSET = 17
MAX_DIFFERENCE = 2e-3
"""Largest absolute difference allowed between the probabilities of the ONNX file and of the model."""
_EXAMPLE_PX = 64, 96


class _FromPixels(nn.Module):
    """The network from pixels to maps: ``(N, 1, H, W)`` uint8 -> ``(N, 4, H / 2, W / 2)``, ``(N, 5, H / 8, W / 8)``."""

    def __init__(self, network: LineFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, pages: Tensor) -> tuple[Tensor, Tensor]:
        logits: MapLogits = self.network(to_darkness(pages))
        return logits.to_maps()


def write_onnx_finder(path: Path, finder: Finder, *, weights: Path | None = None) -> None:
    """Export a line finder to an ONNX file, with dynamic height and width.

    Args:
        path: the ONNX file.
        finder: to export.
        weights: a safetensors file of it in the folder of ``path``, whose bytes the ONNX file refers to instead of
            having weights of its own; None for a file that is complete by itself.

    Raises:
        ModelFileError: onnx or onnxruntime is missing, or the file predicts other maps than the model.
    """
    if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
        remedy = "install them with: pip install 'htr-lightning[export-onnx]'"
        problem = "exporting to ONNX requires onnx and onnxruntime, which are not both installed"
        raise ModelFileError(problem, file=path, remedy=remedy, kind="not_installed")
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.onnx"
        _export(finder.network, raw)
        model = onnx.load(raw)
    model.producer_name = "htr_lightning"
    metadata = json.dumps(asdict(finder.info), ensure_ascii=False)
    onnx.helper.set_model_props(model, {FINDER_KEY: metadata})
    if weights is not None:
        _refer_to_weights(model, weights)
    with atomic_write(path) as file:
        file.write(model.SerializeToString())
    _check(path, finder if weights is None else read_finder(weights))


def _export(network: LineFinder, path: Path) -> None:
    """Export by the TorchScript exporter; constants are not folded, so that weights keep their names."""
    example = torch.full((1, 1, *_EXAMPLE_PX), 255, dtype=torch.uint8)
    axes = {0: "N", 2: "H", 3: "W"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _FromPixels(network).eval(),
            (example,),
            path,
            input_names=[INPUT],
            output_names=[LINES, ORIENTATIONS],
            dynamic_axes={name: axes for name in (INPUT, LINES, ORIENTATIONS)},
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )


def _refer_to_weights(model: Any, path: Path) -> None:
    """Replace the weights in an ONNX file by references to those in a safetensors file, cast to 32 bits."""
    import onnx

    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    casts = []
    for tensor in model.graph.initializer:
        name = tensor.name.removeprefix("network.")
        if name not in header:
            continue
        start, end = (8 + size + offset for offset in header[name]["data_offsets"])
        is_half = header[name]["dtype"] == "F16"
        original, kind = tensor.name, onnx.TensorProto.FLOAT16 if is_half else onnx.TensorProto.FLOAT
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_type, tensor.data_location = kind, onnx.TensorProto.EXTERNAL
        for key, value in (("location", path.name), ("offset", str(start)), ("length", str(end - start))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        if is_half:
            tensor.name = f"{original}.half"
            casts.append(
                onnx.helper.make_node(
                    "Cast", [tensor.name], [original], to=onnx.TensorProto.FLOAT, name=f"{original}.cast"
                )
            )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _check(path: Path, finder: Finder) -> None:
    """Compare the maps of an ONNX file with those of the model.

    Raises:
        ModelFileError: they differ; the file is removed.
    """
    generator = np.random.default_rng(0)
    for shape in ((64, 96), (160, 96)):
        pixels = np.where(generator.random(shape) < 0.1, generator.integers(0, 200, shape), 255).astype(np.uint8)
        for ours, theirs in zip(finder(pixels), read_onnx_finder(path)(pixels), strict=True):
            difference = float(np.abs(ours[:2] - theirs[:2]).max())
            if not difference <= MAX_DIFFERENCE:
                path.unlink()
                remedy = "try other versions of torch and onnxruntime"
                problem = f"nothing was written, as its maps differ by {difference:.2g} from those of the model"
                raise ModelFileError(problem, file=path, remedy=remedy)
