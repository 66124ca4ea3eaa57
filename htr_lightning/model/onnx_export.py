"""A model written as one ONNX file, for this and other programs to read with."""

import importlib.util
import json
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from htr_lightning.errors import InputError
from htr_lightning.files import replacing, write_json
from htr_lightning.image.files import DataError
from htr_lightning.image.ink import to_ink
from htr_lightning.model.file import Model
from htr_lightning.model.info import METADATA_KEY
from htr_lightning.model.onnx_int8 import CalibrationLines, quantize
from htr_lightning.model.onnx_model import INPUT, OUTPUT, OnnxInfo, OnnxModel, build_metadata, read_onnx

OPSET = 17
MISSING = (
    "an ONNX file is written with onnx and ONNX Runtime, which are not both installed; install them with: "
    "pip install 'htr-lightning[export-onnx]'"
)
MAX_DIFFERENCE = 1e-3
_CHECKED_STEPS = (1, 5, 23)  # widths at which the file is compared with the model, in steps of `width_step_px`


class ExportError(InputError):
    """A model that cannot be written as ONNX; says why, and the remedy."""


@dataclass(frozen=True, slots=True)
class OnnxExport:
    """What was written.

    Attributes:
        max_difference: largest absolute difference between logits of the file and of the model, on random dots of three
            widths, or, with ``int8``, on the validation lines.
        json_path: the file beside it, with what the ONNX file says of itself.
    """

    max_difference: float
    json_path: Path


class _FromPixels(nn.Module):
    """The network with what is done to pixels before it: ``(N, 1, H, W)`` uint8 -> ``(N, T, K)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(to_ink(images)).logits
        return logits


def write_onnx(path: Path, model: Model, *, int8: CalibrationLines | None = None) -> OnnxExport:
    """Write a model as an ONNX file, and beside it a JSON file with what it says of itself.

    Batch and width are free. Each file appears whole or not at all, the ONNX file first, and neither unless the network
    in it computes what the model does.

    Args:
        path: where to; the JSON file has its name, but ends in ``.json``.
        model: on the CPU.
        int8: write weights in 8 bits, and compute convolutions in them, by the ranges that these lines show (see
            `quantize`). Differences are not limited.

    Raises:
        ExportError: a package is missing; the JSON file would be
            written over another one; or the file's logits differ by more than `MAX_DIFFERENCE`.
        OSError: a file cannot be written.
    """
    if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
        raise ExportError(MISSING)
    beside = path.with_suffix(".json")
    if beside.is_file() and not _is_ours(beside):
        raise ExportError(f"{beside}: is there already and tells of something else; name another file than {path}")
    description = build_metadata(model.info, OnnxInfo(model.frame_px, "int8" if int8 else "float32"))
    with tempfile.TemporaryDirectory() as folder:
        raw, ready = Path(folder) / "raw.onnx", Path(folder) / "ready.onnx"
        _trace(model, raw)
        if int8:
            try:
                quantize(raw, ready, int8.ranges)
            except DataError as error:
                raise ExportError(
                    f"{path}: 8 bits take their ranges from synthetic lines, which cannot be drawn ({error}); install "
                    "what they need with: pip install 'htr-lightning[export-onnx]'"
                ) from None
        _describe(ready if int8 else raw, ready, description)
        checked = int8.check if int8 else _scribbles(model)
        difference = _largest_difference(model, read_onnx(ready, "cpu"), checked)
        if not int8 and not difference <= MAX_DIFFERENCE:
            raise ExportError(
                f"{path}: its logits would differ by {difference:.2g} from those of the model, more than "
                f"{MAX_DIFFERENCE}; nothing is written. Try other versions of torch and onnxruntime"
            )
        with replacing(path) as file:
            file.write(ready.read_bytes())
    write_json(beside, description)
    return OnnxExport(difference, beside)


def _is_ours(beside: Path) -> bool:
    """Return whether a JSON file tells of an ONNX file of ours, which may be written anew."""
    try:
        return "onnx" in json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _trace(model: Model, path: Path) -> None:
    """Write the bare network, by the exporter that leaves the width of what a bidirectional LSTM reads free."""
    example = torch.full((2, 1, model.preprocess.height_px, 4 * model.info.width_step_px), 255, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode():
        for message, category in (
            ("You are using the legacy TorchScript-based ONNX export", DeprecationWarning),
            ("The feature will be removed", DeprecationWarning),
            ("Converting a tensor to a Python boolean", Warning),  # checks of shapes
            ("Exporting a model to ONNX with a batch_size other than 1", UserWarning),  # the check below has others
        ):
            warnings.filterwarnings("ignore", message, category)
        torch.onnx.export(
            _FromPixels(model.network).eval(),
            (example,),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "N", 3: "W"}, OUTPUT: {0: "N", 1: "T"}},
            opset_version=OPSET,
            dynamo=False,
        )


def _describe(source: Path, target: Path, description: dict[str, Any]) -> None:
    """Write what a file says of itself into its metadata."""
    import onnx

    network = onnx.load(source)
    network.producer_name = "htr_lightning"
    network.graph.name = description["architecture"]
    onnx.helper.set_model_props(network, {METADATA_KEY: json.dumps(description, ensure_ascii=False)})
    onnx.save(network, target)


def _largest_difference(model: Model, written: OnnxModel, batches: Iterable[NDArray[np.uint8]]) -> float:
    return float(max(np.abs(model.logits(images) - written.logits(images)).max() for images in batches))


def _scribbles(model: Model) -> Iterator[NDArray[np.uint8]]:
    """Yield ``(N, H, W)`` paper with dark dots on a tenth of it, of three widths and numbers."""
    generator = np.random.default_rng(0)
    for number, steps in enumerate(_CHECKED_STEPS, 1):
        shape = (number, model.preprocess.height_px, steps * model.info.width_step_px)
        yield np.where(generator.random(shape) < 0.1, generator.integers(0, 200, shape), 255).astype(np.uint8)
