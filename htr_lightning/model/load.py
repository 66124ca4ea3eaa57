"""The recognizer: a network with its charset and preprocessing, run by PyTorch or ONNX Runtime."""

import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.device import Precision
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.info import ModelFileError, ModelInfo, find_model


class Recognizer(Protocol):
    """What inference needs of a model."""

    @property
    def charset(self) -> Charset:
        """The mapping between class ids and characters."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing from images to the lines that `logits` takes."""
        ...

    @property
    def info(self) -> ModelInfo:
        """The metadata of the model."""
        ...

    @property
    def frame_px(self) -> int:
        """Width of a frame in pixels of the line image."""
        ...

    @property
    def pixels_per_batch(self) -> int:
        """Recommended batch size in pixels."""
        ...

    @property
    def is_parallel(self) -> bool:
        """Whether several batches should run at the same time, each in a thread of its own."""
        ...

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits of line images.

        Args:
            images: ``(N, H, W)``, paper 255, C-contiguous; H is the height of the preprocessing.

        Returns:
            ``(N, T, K)``, not divided by the temperature.
        """
        ...

    def frame_lengths(self, widths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of frames of lines that are ``widths`` pixels wide, both ``(N,)``."""
        ...


def load_recognizer(
    source: str | Path, device: str | None = None, precision: Precision = "fp32", trust: Collection[str] = ()
) -> Recognizer:
    """Load a model for inference. Only the runtime that it needs is imported.

    Args:
        source: an ONNX file (``.onnx``) written by `export`, a model file, a Lightning checkpoint (``.ckpt``) of this
            package, a run folder, or ``zoo:NAME``.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...; None for a GPU if there is one, else the CPU.
        precision: ``bf16`` multiplies in 16 bits: faster on devices with bf16 instructions, and a few lines are read
            differently (experiments/benchmark_onnx).
        trust: import paths of classes outside of this package that the model may name (`htr_lightning.model.network`).

    Raises:
        ModelFileError: the model is missing or cannot be used.
        DeviceError: the device or the precision is not available.
    """
    path = find_model(str(source))
    if path.suffix == ".onnx":
        if precision != "fp32":
            raise ModelFileError(
                f"the precision of an ONNX file is fixed, it cannot be {precision}",
                file=path,
                remedy="leave out the precision, or give the model that the file was exported from",
            )
        from htr_lightning.model.onnx_model import read_onnx

        return read_onnx(path, device)
    if importlib.util.find_spec("torch") is None:
        raise ModelFileError(
            "PyTorch is not installed; without it, only ONNX files can be read",
            file=str(source),
            remedy="install PyTorch, or export the model to ONNX on a machine that has it",
            kind="not_installed",
        )
    from htr_lightning.device import select_device
    from htr_lightning.model.file import load_model, with_precision

    return with_precision(load_model(path, select_device(device), trust), precision)
