"""A model in an ONNX file, read with ONNX Runtime; no PyTorch is needed for it.

The file says all that reading takes in its metadata, under the key ``htr_lightning``: see `OnnxInfo`.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.device import DeviceError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.info import METADATA_KEY, ModelFileError, ModelInfo, build_info, check_exists, parse_metadata

MISSING = (
    "an ONNX file is read with ONNX Runtime, which is not installed; install it with: pip install 'htr-lightning[onnx]'"
)
INPUT, OUTPUT = "images", "logits"


@dataclass(frozen=True)
class OnnxInfo:
    """What an ONNX file says besides that which any model file says; plain JSON types only.

    Attributes:
        frame_px: columns of pixels for each frame; a line of W pixels has W / frame_px frames, rounded up.
        weights: ``float32``, or ``int8`` where some are.
        input: what the network takes, for other programs.
        output: what it gives, for other programs.
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
    """Return what an ONNX file says of itself."""
    return asdict(info) | {"onnx": asdict(onnx)}


class OnnxModel:
    """A model ready to use: a `htr_lightning.model.load.Recognizer`.

    Args:
        session: of ONNX Runtime.
        info: what is known of the model.
        onnx: what is known of the file.
        on_cpu: several batches are read at once, each on one core.
    """

    def __init__(self, session: Any, info: ModelInfo, onnx: OnnxInfo, *, on_cpu: bool) -> None:
        self._session, self.info, self.onnx, self.is_parallel = session, info, onnx, on_cpu
        self.charset = Charset.from_dict(info.charset)
        self.preprocess = Preprocess.from_dict(info.preprocess)
        self.frame_px = onnx.frame_px
        self.pixels_per_batch = 250_000 if on_cpu else 1_000_000  # few, so that all cores have some

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Read lines ``(N, H, W)``, paper 255: logits ``(N, T, K)``."""
        logits: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: images[:, None]})[0]
        return logits

    def frame_lengths(self, widths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the frames of lines that are ``widths`` pixels wide, both ``(N,)``."""
        return -(-widths // self.frame_px)


def read_onnx(path: Path, device: str | None = None) -> OnnxModel:
    """Read an ONNX file that `htr_lightning.model.onnx_export.write_onnx` wrote.

    Args:
        path: of the file.
        device: ``cpu``, ``cuda`` or ``cuda:1``; None for a GPU if ONNX Runtime can use one.

    Raises:
        ModelFileError: missing, damaged, not ours, of a newer format; or ONNX Runtime is not installed.
        DeviceError: ONNX Runtime cannot use the device.
    """
    check_exists(path)
    if importlib.util.find_spec("onnxruntime") is None:
        raise ModelFileError(f"{path}: {MISSING}")
    session, on_cpu = _opened(path, device)
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise ModelFileError(
            f"{path}: an ONNX file, but not a model of htr_lightning; write one with export MODEL --to onnx"
        )
    values = parse_metadata(metadata[METADATA_KEY], path)
    try:
        onnx = OnnxInfo(**values.pop("onnx"))
        return OnnxModel(session, build_info(values, path), onnx, on_cpu=on_cpu)
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: its description is damaged ({error}); export it again") from None


def _opened(path: Path, device: str | None) -> tuple[Any, bool]:
    """Return a session of ONNX Runtime, and whether it runs on the CPU.

    Raises:
        ModelFileError: the file is damaged.
        DeviceError: ONNX Runtime cannot use the device.
    """
    import onnxruntime

    providers = _providers(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; these are raised, too
    on_cpu = len(providers) == 1
    if on_cpu:  # lines are many and small: a core for each batch is faster than all cores for one
        options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # ONNX Runtime has a dozen kinds, without a name for all of them
        first = str(error).partition("\n")[0]
        raise ModelFileError(f"{path}: not a complete ONNX file ({first}); copy it or export it again") from None
    if on_cpu or session.get_providers()[0] != "CPUExecutionProvider":
        return session, on_cpu
    if device is not None:  # CUDA did not start, and ONNX Runtime took the CPU in its place
        raise DeviceError(f"--device {device}: ONNX Runtime cannot start CUDA here; use cpu")
    return _opened(path, "cpu")


def _providers(device: str | None, available: Sequence[str]) -> list[Any]:
    """Return what ONNX Runtime is to run the network with.

    Raises:
        DeviceError: it cannot use the device.
    """
    name, _, number = (device or "cpu").partition(":")
    has_cuda = "CUDAExecutionProvider" in available
    if device is None and has_cuda:
        name = "cuda"
    if name == "cpu":
        return ["CPUExecutionProvider"]
    if name != "cuda" or not (number or "0").isdecimal():
        raise DeviceError(f"--device {device}: not available for ONNX files; use cpu")
    if not has_cuda:
        raise DeviceError(
            f"--device {device}: not available here, as this ONNX Runtime is built without CUDA; use cpu, or install "
            "onnxruntime-gpu in its place"
        )
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]
