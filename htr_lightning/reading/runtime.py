"""Which library runs a recognizer: PyTorch, or ONNX Runtime in 32 or 8 bits.

By default, reading on a CPU goes through ONNX Runtime: in 8 bits if the model file says that they read as well, else in
32. The model is exported once and kept in a cache (`htr_lightning.reading.onnx_cache`).
"""

import importlib.util
import logging
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from htr_lightning.device import DeviceError, Precision, has_cuda
from htr_lightning.errors import InputError
from htr_lightning.model.info import ModelFileError, ModelInfo, find_model, read_info
from htr_lightning.model.load import Recognizer, load_recognizer
from htr_lightning.reading.onnx_cache import CacheError, check_cache, has_export, keep_export, read_export

Runtime = Literal["torch", "onnx", "onnx-int8"]
"""PyTorch; ONNX Runtime in 32 bits; ONNX Runtime with convolutions in 8 bits."""
RuntimeOption = Literal["auto", "torch", "onnx", "onnx-int8"]
_EXPORT_PACKAGES = ("torch", "onnx", "onnxruntime")
_INT8_PACKAGES = (*_EXPORT_PACKAGES, "fontpkg", "wordfreq")
_OURS = "htr_lightning."

log = logging.getLogger(__name__)


def choose_runtime(
    source: str | Path, device: str | None = None, precision: Precision = "fp32", runtime: RuntimeOption = "auto"
) -> Runtime:
    """Return what runs a model; nothing is loaded for it.

    Args:
        source: see `open_recognizer`.
        device: likewise.
        precision: likewise.
        runtime: likewise; ``auto`` is ONNX Runtime if the model is an ONNX file, or if all of this holds: the device is
            a CPU, the precision fp32, the source a model file (not a checkpoint) with a network of this package, and
            it can be exported and kept, or was before.

    Raises:
        DeviceError: there is no such runtime, it is not installed, or it does not go with the model, the device or the
            precision.
        ModelFileError: there is no such model.
    """
    return _choose(find_model(str(source)), device, precision, runtime)[0]


def _choose(
    path: Path, device: str | None, precision: Precision, runtime: RuntimeOption
) -> tuple[Runtime, CacheError | None]:
    """Return what runs a model file, and why it is not ONNX Runtime if the user can change that."""
    if runtime != "auto":
        _check_runtime(path, precision, runtime)
        return runtime, None
    if path.suffix == ".onnx":
        return "onnx", None
    info = _read_info(path)
    if not (_is_installed("onnxruntime") and is_ours(info)) or precision != "fp32" or device not in (None, "cpu"):
        return "torch", None
    if device is None and has_cuda():
        return "torch", None
    candidates: tuple[Runtime, ...] = ("onnx-int8", "onnx") if info is not None and info.int8 else ("onnx",)
    for name in candidates:
        if has_export(path, name):
            return name, None
        if _is_installed(*(_INT8_PACKAGES if name == "onnx-int8" else _EXPORT_PACKAGES)):
            try:
                check_cache()
            except CacheError as error:
                return "torch", error
            return name, None
    return "torch", None


def is_ours(info: ModelInfo | None) -> bool:
    """Whether the network of a model is part of this package, so that its file alone says what it computes."""
    return info is not None and info.architecture.startswith(_OURS)


def _is_installed(*packages: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in packages)


def _read_info(path: Path) -> ModelInfo | None:
    """Return the metadata of a model file; None if it is damaged, which is reported when it is loaded, or none."""
    try:
        return None if path.suffix == ".ckpt" else read_info(path)
    except ModelFileError:
        return None


def _check_runtime(path: Path, precision: Precision, runtime: RuntimeOption) -> None:
    """Check a runtime that the user has chosen.

    Raises:
        DeviceError: see `choose_runtime`.
    """
    problem = remedy = ""
    if runtime not in get_args(RuntimeOption):
        problem, remedy = "unknown runtime", f"choose from {', '.join(get_args(RuntimeOption))}"
    elif path.suffix == ".onnx" and runtime != "onnx":
        problem, remedy = f"{path} is an ONNX file, which ONNX Runtime runs in the bits that it has", "leave it out"
    elif runtime != "torch" and precision != "fp32":
        problem, remedy = f"only PyTorch computes in {precision}", "leave out one of the two"
    elif runtime != "torch" and importlib.util.find_spec("onnxruntime") is None:
        problem, remedy = "ONNX Runtime is not installed", "run: pip install 'htr-lightning[export-onnx]'"
    if problem:
        raise DeviceError(problem, key="--runtime", value=runtime, remedy=remedy, kind="runtime")


def open_recognizer(
    source: str | Path,
    device: str | None = None,
    precision: Precision = "fp32",
    trust: Collection[str] = (),
    runtime: RuntimeOption = "auto",
    *,
    report: Callable[[str], None] = log.warning,
    note: Callable[[str], None] = log.info,
) -> Recognizer:
    """Load a model for inference with the fastest runtime that reads as well.

    Args:
        source: see `htr_lightning.model.load.load_recognizer`.
        device: likewise.
        precision: likewise.
        trust: likewise.
        runtime: ``torch``, ``onnx``, ``onnx-int8``, or ``auto``; see `choose_runtime`.
        report: called with a sentence if the model cannot be exported, or the export cannot be kept.
        note: called with a sentence that says how long the export took.

    Raises:
        ModelFileError: the model is missing or cannot be used.
        DeviceError: device, precision or runtime are not available.
        ExportError: the runtime was chosen, and the model cannot be exported for it.
    """
    path = find_model(str(source))
    chosen, problem = _choose(path, device, precision, runtime)
    if problem is not None:
        report(f"{problem}; PyTorch reads the lines instead, more slowly")
    if chosen == "torch" or path.suffix == ".onnx":
        return load_recognizer(source, device, precision, trust)
    try:
        content = _get_export(_Source(str(source), path, trust), chosen, report, note)
    except _NotExportedError as error:
        if runtime != "auto":
            raise error.error from None
        report(f"{error.error}; PyTorch reads the lines instead, more slowly")
        return load_recognizer(source, device, precision, trust)

    from htr_lightning.model.onnx_model import read_onnx

    return read_onnx(path, "cpu" if runtime == "auto" else device, content=content)


class _Source(NamedTuple):
    """A model to export: the user's name of it, its file, and the networks that it may name."""

    name: str
    path: Path
    trust: Collection[str]


class _NotExportedError(Exception):
    """A model cannot be exported."""

    def __init__(self, error: InputError) -> None:
        super().__init__(str(error))
        self.error = error


def _get_export(source: _Source, runtime: Runtime, report: Callable[[str], None], note: Callable[[str], None]) -> bytes:
    """Return the export of a model file, which is made unless it is in the cache.

    Raises:
        ModelFileError: the model cannot be used.
        _NotExportedError: it cannot be exported.
    """

    def export() -> bytes:
        start = time.monotonic()
        content = _export(source, runtime)
        note(f"{source.name}: exported to ONNX for faster reading, in {time.monotonic() - start:.1f} s")
        return content

    if not is_ours(_read_info(source.path)):  # the file does not say whether the code of the network has changed
        return export()
    return read_export(source.path, runtime) or keep_export(source.path, runtime, export, report)


def _export(source: _Source, runtime: Runtime) -> bytes:
    """Return a model as the content of an ONNX file.

    Raises:
        ModelFileError: the model cannot be used.
        _NotExportedError: it cannot be exported.
    """
    from htr_lightning.model.file import load_model
    from htr_lightning.model.onnx_export import ExportError, export_onnx
    from htr_lightning.reading.quantization import get_calibration_lines

    model = load_model(source.path, "cpu", source.trust)
    try:
        return export_onnx(model, int8=get_calibration_lines(model) if runtime == "onnx-int8" else None)[0]
    except ExportError as error:
        raise _NotExportedError(error.with_fields(file=source.name)) from None
    except OSError as error:  # the folder of temporary files is full
        problem = f"it cannot be exported to ONNX ({error.strerror or error})"
        raise _NotExportedError(ExportError(problem, file=source.name)) from None
