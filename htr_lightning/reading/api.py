"""Models in a program or a notebook: what `htr_lightning.load` gives."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from htr_lightning.data.line import Line
from htr_lightning.decode.decoder import Decoder, build_greedy_decoder
from htr_lightning.image.files import DataError, ImageFile, InMemoryImage, UnusableImage, convert_pillow_image
from htr_lightning.image.scan import Scan, list_scans
from htr_lightning.image.views import get_views
from htr_lightning.layout.formats import read_layout
from htr_lightning.model.load import Recognizer
from htr_lightning.reading.lines import LineReader, Prediction
from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.pages import PageReader
from htr_lightning.segmentation.segmenter import Segmenter

Image = str | Path | NDArray[np.uint8] | Any
"""A path; an array ``(H, W)`` gray or ``(H, W, 3)`` RGB, uint8; or a Pillow image."""


class Reader:
    """Reads pages and lines with one model.

    Args:
        model: see `htr_lightning.model.load.load_recognizer`.
        name: what the user calls it.
        tta: look at each line three times.
        decoder: from frames to texts; None for greedy decoding.
        segmenter: how lines are found; None for the usual way.
    """

    def __init__(
        self,
        model: Recognizer,
        name: str = "",
        *,
        tta: bool = False,
        decoder: Decoder | None = None,
        segmenter: Segmenter | None = None,
    ) -> None:
        self.model, self.name = model, name
        decoder = decoder or build_greedy_decoder(model.charset)
        self._lines = LineReader(model, decoder=decoder, positions=True, views=get_views(tta))
        self._pages = PageReader(self._lines, segmenter, model=name)

    def read(self, image: Image, *, layout: str | Path | None = None, number: int | None = None) -> PredictedPage:
        """Read a page: find its lines, or take them from a layout, and read them.

        Args:
            image: the page; a PDF or a TIFF of several pages too.
            layout: an ALTO or PAGE file that says where the lines are.
            number: of the page in a document, from 1.

        Raises:
            DataError: the page or the layout cannot be read; names the file.
        """
        given = None if layout is None else read_layout(Path(layout))
        if isinstance(image, str | Path):
            scans = list_scans(Path(image))
            if number is None and len(scans) > 1:
                raise DataError(f"{image}: has {len(scans)} pages; say which with number=1, or read each of them")
            place = 1 if number is None else number
            if not 1 <= place <= len(scans):
                raise DataError(f"{image}: has {len(scans)} pages, not {number}")
            cut = self._pages.segment(scans[place - 1], given)
        else:
            cut = self._pages.segment_pixels(_pixels(image), Scan(Path("image")), given)
        return self._pages.recognize(cut)

    def read_line(self, image: Image) -> Prediction:
        """Read an image of a single line.

        Raises:
            DataError: it cannot be read; names the file.
        """
        (reading,) = self.read_lines([image])
        if reading.problem is not None:
            raise DataError(reading.problem)
        return reading

    def read_lines(self, images: Iterable[Image]) -> list[Prediction]:
        """Read images of single lines, many at once; one that cannot be used says so in its ``problem``."""
        return list(self._lines.read(_line(image, number) for number, image in enumerate(images, 1)))

    def __repr__(self) -> str:
        return f"<{self.name or 'model'}: {len(self.model.charset)} characters>"


def _line(image: Image, number: int) -> Line:
    if isinstance(image, str | Path):
        return Line(str(image), ImageFile(Path(image)), "")
    try:
        return Line(f"image {number}", InMemoryImage(_pixels(image)), "")
    except DataError as error:
        return Line(f"image {number}", UnusableImage(f"image {number}: {error}"), "")


def _pixels(image: Any) -> NDArray[np.uint8]:
    """Return an array, or a Pillow image as its file would be read.

    Raises:
        DataError: it is neither of 8 bits nor of the shape of an image, or damaged.
    """
    if isinstance(image, PillowImage.Image):
        return convert_pillow_image(image, "the image")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise DataError(
            f"an image is a path, a Pillow image, or an array (H, W) or (H, W, 3) of uint8, not {type(image).__name__} "
            f"{pixels.shape} {pixels.dtype}; convert it"
        )
    if not pixels.size:
        raise DataError(f"an image of {pixels.shape[1]} x {pixels.shape[0]} px holds nothing")
    return np.ascontiguousarray(pixels)
