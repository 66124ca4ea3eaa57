"""Handwritten text recognition with PyTorch Lightning and Hydra.

Shapes in docstrings use these letters throughout the package:

=  ==========================================
N  lines in a batch
C  channels
H  height in pixels
W  width in pixels
T  frames: time steps of the recogniser's head
D  features per frame
K  classes, of which class 0 is the CTC blank
L  length of a text in characters
=  ==========================================
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from htr_lightning.api import Reader
    from htr_lightning.decode.decoder import Decoder
    from htr_lightning.page.segment import Segmenter
    from htr_lightning.processor import Precision

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(
    where: str | Path,
    device: str | None = None,
    *,
    precision: "Precision" = "fp32",
    careful: bool = False,
    decoder: "Decoder | None" = None,
    segmenter: "Segmenter | None" = None,
) -> "Reader":
    """Load a model that reads pages and lines.

    >>> model = load("zoo:latin")
    >>> page = model.read("page.jpg")  # htr_lightning.page.reading.ReadPage
    >>> line = model.read_line("line.png")  # htr_lightning.reader.Reading

    Args:
        where: ``zoo:NAME``, a model file, an ONNX file, a checkpoint or a run folder.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...; None for the best there is.
        precision: ``bf16`` is faster where the device has instructions for it.
        careful: look at each line three times; fewer errors, a third of the speed.
        decoder: from frames to texts, such as `htr_lightning.decode.decoder.beam` makes; None for greedy decoding.
        segmenter: how lines are found on pages; None for the usual way.

    Raises:
        htr_lightning.model_info.ModelFileError: there is no model, or it cannot be used.
        htr_lightning.recogniser.DeviceError: there is no such device, or it has no such precision.
    """
    from htr_lightning.api import Reader
    from htr_lightning.recogniser import load_recogniser

    model = load_recogniser(where, device, precision)
    return Reader(model, str(where), careful=careful, decoder=decoder, segmenter=segmenter)
