"""Inference with ONNX Runtime, from an ONNX file; PyTorch is not needed for it.

The metadata of the file holds a `ModelInfo` and an `OnnxInfo`, as JSON under the key ``htr_lightning``.
"""

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.device import DeviceError, count_cores
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.info import (
    METADATA_KEY,
    ModelFileError,
    ModelInfo,
    build_foreign_error,
    build_info,
    check_exists,
    parse_metadata,
)

INPUT, OUTPUT = "images", "logits"
_MIN_MEMORY_BYTES, _MEMORY_BYTES_PER_CORE = 3 << 30, 1 << 30


@dataclass(frozen=True)
class OnnxInfo:
    """Metadata of an ONNX file in addition to `ModelInfo`. JSON types only.

    Attributes:
        frame_px: width of a frame in pixels; a line of W pixels has W / frame_px frames, rounded up.
        weights: ``float32``, or ``int8`` if some of the weights are quantized.
        input: description of the input, for other programs.
        output: description of the output, for other programs.
    """

    frame_px: int
    weights: str
    input: str = (
        f"{INPUT}: uint8 (N, 1, H, W), lines as the preprocessing makes them: paper 255, H = preprocess.height_px; "
        "padded on the right with 255 to a multiple of width_step_px"
    )
    output: str = (
        f"{OUTPUT}: float32 (N, T, K); divide by the temperature before a softmax over K; class 0 is "
        "the CTC blank, class i the character i - 1 of charset.characters"
    )


def build_metadata(info: ModelInfo, onnx: OnnxInfo) -> dict[str, Any]:
    """Return the metadata of an ONNX file as JSON types."""
    return asdict(info) | {"onnx": asdict(onnx)}


class OnnxModel:
    """An ONNX Runtime recognizer (`htr_lightning.model.load.Recognizer`).

    Args:
        session: an ``onnxruntime.InferenceSession``.
        info: the metadata of the model.
        onnx: the metadata of the ONNX file.
        is_on_cpu: run several batches at the same time, each on one core.
        path: of the file, for error messages.
    """

    def __init__(
        self, session: Any, info: ModelInfo, onnx: OnnxInfo, *, is_on_cpu: bool, path: Path | None = None
    ) -> None:
        self._session, self._path = session, path
        self.info, self.onnx, self.is_parallel = info, onnx, is_on_cpu
        self.charset = Charset.from_dict(info.charset)
        self.preprocess = Preprocess.from_dict(info.preprocess)
        self.frame_px = onnx.frame_px
        self.pixels_per_batch = 250_000 if is_on_cpu else 1_000_000  # small on CPUs, so that every core gets a batch

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits ``(N, T, K)`` of line images ``(N, H, W)``, paper 255.

        Raises:
            ModelFileError: ONNX Runtime cannot run the network, or it needs more memory than `_compute_max_bytes`.
        """
        try:
            logits: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: images[:, None]})[0]
        except Exception as error:  # as in `_open_session`
            reason = str(error).partition("\n")[0]
            problem = f"ONNX Runtime cannot run it ({reason})"
            if "BFCArena" in reason:  # which allocates memory
                problem = f"it needs more than {_compute_max_bytes() / 2**30:.0f} GB of memory"
            raise ModelFileError(problem, file=self._path, remedy="export it again", kind="damaged") from None
        return logits

    def frame_lengths(self, widths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of frames of lines that are ``widths`` pixels wide, both ``(N,)``."""
        return -(-widths // self.frame_px)


def read_onnx(path: Path, device: str | None = None, *, content: bytes | None = None) -> OnnxModel:
    """Read an ONNX file that `htr_lightning.model.onnx_export.write_onnx` wrote.

    Args:
        path: the file.
        device: ``cpu``, ``cuda`` or ``cuda:1``; None for a GPU if ONNX Runtime can use one, else the CPU.
        content: an ONNX file in memory, which is read instead; ``path`` is then what it was exported from.

    Raises:
        ModelFileError: the file is missing, damaged, not a model of this package, or of a newer format; or ONNX Runtime
            is not installed.
        DeviceError: ONNX Runtime cannot use the device.
    """
    check_exists(path)
    if importlib.util.find_spec("onnxruntime") is None:
        raise ModelFileError(
            "reading an ONNX file requires ONNX Runtime, which is not installed",
            file=path,
            remedy="install it with: pip install 'htr-lightning[onnx]'",
            kind="not_installed",
        )
    session, is_on_cpu = _open_session(path, device, content)
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        remedy = "write one with export MODEL --format onnx"
        raise build_foreign_error("an ONNX file, but not a model of htr_lightning", path, remedy, metadata)
    values = parse_metadata(metadata[METADATA_KEY], path)
    try:
        onnx = OnnxInfo(**values.pop("onnx"))
        if type(onnx.frame_px) is not int or onnx.frame_px < 1:
            raise ValueError(f"frame_px={onnx.frame_px} is not a positive number")
        return OnnxModel(session, build_info(values, path), onnx, is_on_cpu=is_on_cpu, path=path)
    except ModelFileError:
        raise
    except Exception as error:  # as in `htr_lightning.model.file.read_model`
        raise ModelFileError(
            f"its metadata is damaged ({error})", file=path, remedy="export it again", kind="damaged"
        ) from None


def _open_session(path: Path, device: str | None, content: bytes | None) -> tuple[Any, bool]:
    """Open an ONNX Runtime session; return it, and whether it runs on the CPU.

    Raises:
        ModelFileError: the file is damaged.
        DeviceError: ONNX Runtime cannot use the device.
    """
    import onnxruntime

    providers = _select_providers(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # no errors, as they are raised
    is_on_cpu = len(providers) == 1
    if is_on_cpu:  # lines are many and small: one core for each batch is faster than all cores for one batch
        options.intra_op_num_threads = 1
    if _limit_memory():
        options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        session = onnxruntime.InferenceSession(path if content is None else content, options, providers=providers)
    except Exception as error:  # ONNX Runtime raises a dozen types without a common base class
        reason = str(error).partition("\n")[0]
        raise ModelFileError(
            f"not a complete ONNX file ({reason})", file=path, remedy="copy it or export it again", kind="damaged"
        ) from None
    if is_on_cpu or session.get_providers()[0] != "CPUExecutionProvider":
        return session, is_on_cpu
    if device is not None:  # CUDA did not start, and ONNX Runtime fell back to the CPU
        raise _device_error(device, "ONNX Runtime cannot start CUDA here", "use cpu")
    return _open_session(path, "cpu", content)


def _compute_max_bytes() -> int:
    """Return the memory that networks may take on the CPU: a batch on each core, with room to spare."""
    return max(_MIN_MEMORY_BYTES, count_cores() * _MEMORY_BYTES_PER_CORE)


@functools.cache
def _limit_memory() -> bool:
    """Limit the memory of all sessions on the CPU, as a file of a few kB can describe a network that takes all.

    Returns:
        Whether ONNX Runtime could set the limit.
    """
    import onnxruntime

    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    try:
        arena = onnxruntime.OrtArenaCfg({"max_mem": _compute_max_bytes()})
        onnxruntime.create_and_register_allocator(memory, arena)
    except Exception:  # the program has registered one
        return False
    return True


def _select_providers(device: str | None, available: Sequence[str]) -> list[Any]:
    """Return the execution providers for ONNX Runtime.

    Raises:
        DeviceError: ONNX Runtime cannot use the device.
    """
    name, _, number = (device or "cpu").partition(":")
    has_cuda = "CUDAExecutionProvider" in available
    if device is None and has_cuda:
        name = "cuda"
    if name == "cpu":
        return ["CPUExecutionProvider"]
    if name != "cuda" or not (number or "0").isdecimal():
        raise _device_error(device, "not available for ONNX files", "use cpu")
    if not has_cuda:
        raise _device_error(
            device,
            "not available here, as this ONNX Runtime was built without CUDA",
            "use cpu, or install onnxruntime-gpu instead of onnxruntime",
        )
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]


def _device_error(device: str | None, problem: str, remedy: str) -> DeviceError:
    return DeviceError(problem, key="--device", value=device, remedy=remedy, kind="unavailable")
