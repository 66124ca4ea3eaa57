"""Handwritten text recognition with PyTorch Lightning and Hydra.

Shapes in docstrings use these letters throughout the package:

=  ==========================================
N  lines in a batch
C  channels
H  height in pixels
W  width in pixels
T  frames: time steps of the recognizer's head
D  features per frame
K  classes, of which class 0 is the CTC blank
L  length of a text in characters
=  ==========================================
"""

import importlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htr_lightning.version import __version__

if TYPE_CHECKING:
    from htr_lightning.decode.decoder import Decoder
    from htr_lightning.device import Precision
    from htr_lightning.reading.api import Reader
    from htr_lightning.reading.folder import read_folder
    from htr_lightning.reading.runtime import RuntimeOption
    from htr_lightning.segmentation.page import PageSegmenter

__all__ = ["__version__", "align_folder", "align_page", "load", "read_folder"]
_MODULES = {
    "align_folder": "htr_lightning.aligning.folder",
    "align_page": "htr_lightning.aligning.page",
    "read_folder": "htr_lightning.reading.folder",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:  # importing the package imports nothing else
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(
    model: str | Path,
    device: str | None = None,
    *,
    precision: "Precision" = "fp32",
    tta: bool = False,
    decoder: "Decoder | None" = None,
    segmenter: "PageSegmenter | None" = None,
    trust: Collection[str] = (),
    runtime: "RuntimeOption" = "auto",
) -> "Reader":
    """Load a model to recognize pages and lines.

    >>> reader = load("zoo:latin")
    >>> page = reader.read("page.jpg")  # htr_lightning.reading.page.PredictedPage
    >>> line = reader.read_line("line.png")  # htr_lightning.reading.lines.Prediction

    Args:
        model: ``zoo:NAME``, a model file, an ONNX file, a checkpoint or a run folder.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...; None for the best available one.
        precision: ``bf16`` is faster on devices with instructions for it.
        tta: test-time augmentation: recognize each line at three widths; fewer errors at a third of the speed.
        decoder: turns logits into class ids, such as one built by `htr_lightning.decode.decoder.build_beam_decoder`;
            None for the one that the model file names: greedy, or with a language model.
        segmenter: detects the lines of pages; None for the line finder that ships.
        trust: import paths of networks outside of this package that the model may name; loading it runs their code.
        runtime: ``torch``, ``onnx`` (ONNX Runtime in 32 bits), ``onnx-int8``, or ``auto``: on a CPU, ONNX Runtime where
            it is installed, in 8 bits if the model file says that they read as well. The model is exported once and
            kept; see `htr_lightning.reading.runtime`.

    Raises:
        htr_lightning.model.info.ModelFileError: there is no model, or it cannot be used.
        htr_lightning.device.DeviceError: the device or the runtime is not available, or does not support the precision.
    """
    from htr_lightning.reading.api import Reader
    from htr_lightning.reading.runtime import open_recognizer

    recognizer = open_recognizer(model, device, precision, trust, runtime)
    return Reader(recognizer, str(model), tta=tta, decoder=decoder, segmenter=segmenter)
