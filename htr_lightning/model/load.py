"""What reads lines: a network with its charset and preprocessing, run by PyTorch or by ONNX Runtime."""

import importlib.util
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.device import Precision
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.info import ModelFileError, ModelInfo, find_model


class Recognizer(Protocol):
    """What reading lines takes of a model."""

    @property
    def charset(self) -> Charset:
        """Between class ids and characters."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """From images to the lines that `logits` takes."""
        ...

    @property
    def info(self) -> ModelInfo:
        """What is known of it."""
        ...

    @property
    def frame_px(self) -> int:
        """How many columns of pixels each frame stands for."""
        ...

    @property
    def pixels_per_batch(self) -> int:
        """How many pixels are best read at once."""
        ...

    @property
    def is_parallel(self) -> bool:
        """Whether it is best to read several batches at once, each in a thread of its own."""
        ...

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Read lines.

        Args:
            images: ``(N, H, W)``, paper 255, C-contiguous; H is that of the preprocessing.

        Returns:
            ``(N, T, K)`` and before the temperature.
        """
        ...

    def frame_lengths(self, widths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the frames of lines that are ``widths`` pixels wide, both ``(N,)``."""
        ...


def load_recognizer(where: str | Path, device: str | None = None, precision: Precision = "fp32") -> Recognizer:
    """Read a model from wherever it is; only what runs it is imported.

    Args:
        where: an ONNX file (``.onnx``) that `export` wrote, a model file, a Lightning checkpoint (``.ckpt``) of this
            package, a run folder, or ``zoo:NAME``.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...; None for the best there is.
        precision: ``bf16`` multiplies in 16 bits, which is faster where the device has instructions for it, and reads
            some lines otherwise (experiments/benchmark_onnx).

    Raises:
        ModelFileError: there is no model, or it cannot be used.
        DeviceError: there is no such device, or it has no such precision.
    """
    path = find_model(str(where))
    if path.suffix == ".onnx":
        if precision != "fp32":
            raise ModelFileError(
                f"{path}: an ONNX file is read as it was written; leave out the precision ({precision}), or give the "
                "model that it was exported from"
            )
        from htr_lightning.model.onnx_model import read_onnx

        return read_onnx(path, device)
    if importlib.util.find_spec("torch") is None:
        raise ModelFileError(
            f"{where}: only an ONNX file is read without PyTorch, which is not installed; install it, or export the "
            "model to ONNX where it is"
        )
    from htr_lightning.device import select_device
    from htr_lightning.model.file import load_model, with_precision

    return with_precision(load_model(path, select_device(device)), precision)
