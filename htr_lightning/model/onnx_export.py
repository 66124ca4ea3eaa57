"""Export of a model to an ONNX file, for inference with this package or other programs."""

import importlib.util
import json
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from htr_lightning.errors import InputError
from htr_lightning.files import atomic_write, write_json
from htr_lightning.image.files import DataError
from htr_lightning.image.ink import to_ink
from htr_lightning.model.file import Model
from htr_lightning.model.info import METADATA_KEY
from htr_lightning.model.onnx_int8 import CalibrationLines, quantize
from htr_lightning.model.onnx_model import INPUT, OUTPUT, OnnxInfo, OnnxModel, build_metadata, read_onnx

OPSET = 17
MAX_DIFFERENCE = 1e-3
"""Largest absolute difference allowed between logits of the ONNX file and of the model."""
EXPORT_PACKAGES = ("onnx", "onnxruntime")
_INSTALL = "pip install 'htr-lightning[export-onnx]'"
_CHECKED_STEPS = (1, 5, 23)  # widths at which the file is compared with the model, in multiples of `width_step_px`


class ExportError(InputError):
    """A model that cannot be exported to ONNX."""


@dataclass(frozen=True, slots=True)
class OnnxExport:
    """The result of an export.

    Attributes:
        max_difference: largest absolute difference between logits of the file and of the model, on random dots of three
            widths, or, with ``int8``, on the validation lines.
        json_path: the JSON file beside the ONNX file, with the same metadata.
    """

    max_difference: float
    json_path: Path


class _FromPixels(nn.Module):
    """The network including the scaling of pixels: ``(N, 1, H, W)`` uint8 -> ``(N, T, K)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(to_ink(images)).logits
        return logits


def write_onnx(path: Path, model: Model, *, int8: CalibrationLines | None = None) -> OnnxExport:
    """Export a model to an ONNX file, with a JSON file of its metadata beside it.

    Each file is written atomically, the ONNX file first.

    Args:
        path: the ONNX file; the JSON file has the same name with the suffix ``.json``.
        model: see `export_onnx`.
        int8: likewise.

    Raises:
        ExportError: the JSON file would overwrite an unrelated file; or see `export_onnx`.
        OSError: a file cannot be written.
    """
    json_path = path.with_suffix(".json")
    if json_path.is_file() and not _is_onnx_metadata(json_path):
        raise ExportError(
            "the file exists and does not describe an ONNX file",
            file=json_path,
            remedy=f"choose another name than {path}",
            kind="exists",
        )
    try:
        content, difference = export_onnx(model, int8=int8)
    except ExportError as error:
        raise error.with_fields(file=path) from None
    with atomic_write(path) as file:
        file.write(content)
    write_json(json_path, _build_metadata(model, is_int8=int8 is not None))
    return OnnxExport(difference, json_path)


def export_onnx(model: Model, *, int8: CalibrationLines | None = None) -> tuple[bytes, float]:
    """Export a model to ONNX, if the logits agree with those of the model.

    Batch size and width are dynamic axes.

    Args:
        model: on the CPU.
        int8: quantize to int8, calibrated on these lines (see `quantize`); the difference of logits is then not
            limited.

    Returns:
        The content of the ONNX file, and `OnnxExport.max_difference`.

    Raises:
        ExportError: a package is missing; the network has operations that ONNX lacks; or the logits differ by more than
            `MAX_DIFFERENCE`.
    """
    if any(importlib.util.find_spec(name) is None for name in EXPORT_PACKAGES):
        raise ExportError(
            "exporting to ONNX requires onnx and onnxruntime, which are not both installed",
            remedy=f"install them with: {_INSTALL}",
            kind="not_installed",
        )
    _check_frame_lengths(model)
    metadata = _build_metadata(model, is_int8=int8 is not None)
    with tempfile.TemporaryDirectory() as folder:
        raw, ready = Path(folder) / "raw.onnx", Path(folder) / "ready.onnx"
        _export_network(model, raw)
        if int8:
            try:
                quantize(raw, ready, int8.calibration)
            except DataError as error:
                raise ExportError(
                    f"quantization is calibrated on synthetic lines, which cannot be rendered ({error})",
                    remedy=f"install the packages that it needs with: {_INSTALL}",
                ) from None
        _write_metadata(ready if int8 else raw, ready, metadata)
        batches = int8.validation if int8 else _draw_random_dots(model)
        difference = _compute_max_difference(model, read_onnx(ready, "cpu"), batches)
        if not int8 and not difference <= MAX_DIFFERENCE:
            raise ExportError(
                f"nothing was written, as its logits differ by {difference:.2g} from those of the model, more than "
                f"{MAX_DIFFERENCE}",
                remedy="try other versions of torch and onnxruntime",
            )
        return ready.read_bytes(), difference


def _build_metadata(model: Model, *, is_int8: bool) -> dict[str, Any]:
    return build_metadata(model.info, OnnxInfo(model.frame_px, "int8" if is_int8 else "float32"))


def _check_frame_lengths(model: Model) -> None:
    """Check that a line of W pixels has W / frame_px frames, rounded up: that is all that an ONNX file says of them.

    Raises:
        ExportError: it has another number.
    """
    widths = np.arange(1, 40 * model.frame_px, dtype=np.int64)
    wrong = np.flatnonzero(model.frame_lengths(widths) != -(-widths // model.frame_px))
    if len(wrong):
        width = int(widths[wrong[0]])
        raise ExportError(
            f"a line of {width} px has {model.frame_lengths(widths)[wrong[0]]} frames, and not {width} / "
            f"{model.frame_px} (frame_px) rounded up, as an ONNX file needs it",
            remedy="pad the convolutions so that no frame is lost at the edges",
        )


def _is_onnx_metadata(path: Path) -> bool:
    """Whether a JSON file is the metadata of an ONNX file of this package, which may be overwritten."""
    try:
        return "onnx" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _export_network(model: Model, path: Path) -> None:
    """Export the network without metadata, by the TorchScript exporter: it supports dynamic widths with an LSTM."""
    example = torch.full((2, 1, model.preprocess.height_px, 4 * model.info.width_step_px), 255, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode():
        for message, category in (
            ("You are using the legacy TorchScript-based ONNX export", DeprecationWarning),
            ("The feature will be removed", DeprecationWarning),
            ("Converting a tensor to a Python boolean", Warning),  # shape checks
            (
                "Exporting a model to ONNX with a batch_size other than 1",
                UserWarning,
            ),  # `write_onnx` checks other sizes
        ):
            warnings.filterwarnings("ignore", message, category)
        has_fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # fused operators of nn.TransformerEncoder, which ONNX lacks
        try:
            torch.onnx.export(
                _FromPixels(cast(nn.Module, model.network)).eval(),
                (example,),
                path,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "N", 3: "W"}, OUTPUT: {0: "N", 1: "T"}},
                opset_version=OPSET,
                dynamo=False,
            )
        except Exception as error:  # whatever a network or the exporter raises
            reason = next(iter(str(error).splitlines()), "")
            raise ExportError(
                f"{model.info.architecture} cannot be exported to ONNX ({type(error).__name__}: {reason})",
                remedy="write what it names with other operations of PyTorch, or use the safetensors file",
            ) from None
        finally:
            torch.backends.mha.set_fastpath_enabled(has_fast_path)


def _write_metadata(source: Path, target: Path, metadata: dict[str, Any]) -> None:
    """Copy an ONNX file with the metadata added."""
    import onnx

    network = onnx.load(source)
    network.producer_name = "htr_lightning"
    network.graph.name = metadata["architecture"]
    onnx.helper.set_model_props(network, {METADATA_KEY: json.dumps(metadata, ensure_ascii=False)})
    onnx.save(network, target)


def _compute_max_difference(model: Model, onnx_model: OnnxModel, batches: Iterable[NDArray[np.uint8]]) -> float:
    return float(max(np.abs(model.logits(images) - onnx_model.logits(images)).max() for images in batches))


def _draw_random_dots(model: Model) -> Iterator[NDArray[np.uint8]]:
    """Yield images ``(N, H, W)`` with dark dots on a tenth of the pixels, in three batch sizes and widths."""
    generator = np.random.default_rng(0)
    for batch_size, steps in enumerate(_CHECKED_STEPS, 1):
        shape = (batch_size, model.preprocess.height_px, steps * model.info.width_step_px)
        yield np.where(generator.random(shape) < 0.1, generator.integers(0, 200, shape), 255).astype(np.uint8)
