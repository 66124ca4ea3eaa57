"""The Python API: `htr_lightning.load` returns a `Reader`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from htr_lightning.data.line import Line
from htr_lightning.decode.decoder import Decoder, build_default_decoder
from htr_lightning.image.decode import convert_pillow_image
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, InMemoryImage, UnusableImage
from htr_lightning.image.scan import Scan, list_scans
from htr_lightning.image.views import get_views
from htr_lightning.layout.formats import read_layout
from htr_lightning.layout.page import Page
from htr_lightning.model.load import Recognizer
from htr_lightning.reading.lines import LineReader, Prediction
from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.pages import PageReader
from htr_lightning.segmentation.page import PageSegmenter
from htr_lightning.text import format_count

ImageInput = str | Path | NDArray[np.uint8] | Any
"""A path; an array ``(H, W)`` gray or ``(H, W, 3)`` RGB, uint8; or a Pillow image."""


class Reader:
    """Recognizes pages and lines with one model.

    Several threads may use one reader, or several readers, at the same time. They take turns at rendering PDF pages and
    in a beam search with a language model.

    Args:
        model: see `htr_lightning.model.load.load_recognizer`.
        name: the user's name of the model.
        tta: test-time augmentation: recognize each line at three widths.
        decoder: turns logits into class ids; None for the one that the model file names: greedy, or with a language
            model.
        segmenter: detects the lines of pages; None for the line finder that ships.
    """

    def __init__(
        self,
        model: Recognizer,
        name: str = "",
        *,
        tta: bool = False,
        decoder: Decoder | None = None,
        segmenter: PageSegmenter | None = None,
    ) -> None:
        self.model, self.name = model, name
        decoder = decoder or build_default_decoder(model.charset, model.info.lm, model.info.languages)
        self.line_reader = LineReader(model, decoder=decoder, positions=True, views=get_views(tta))
        self.page_reader = PageReader(self.line_reader, segmenter, model=name)

    def read(self, image: ImageInput, *, layout: str | Path | None = None, number: int | None = None) -> PredictedPage:
        """Recognize a page: detect its lines, or take them from a layout, and recognize them.

        Args:
            image: the page; may be a PDF document or a TIFF file of several pages.
            layout: ALTO or PAGE file with the lines of the page.
            number: of the page in a document of several pages, from 1; by default, the one that the layout gives.

        Raises:
            DataError: the page or the layout cannot be read; names the file.
        """
        page_layout = None if layout is None else read_layout(Path(layout))
        if isinstance(image, str | Path):
            page = self.page_reader.segment(_get_scan(Path(image), number, page_layout), page_layout)
        else:
            page = self.page_reader.segment_pixels(_to_pixels(image), Scan(Path("image")), page_layout)
        return self.page_reader.recognize(page)

    def read_line(self, image: ImageInput) -> Prediction:
        """Recognize the image of a single line.

        Raises:
            DataError: the image cannot be used; names the file.
        """
        (prediction,) = self.read_lines([image])
        if prediction.error is not None:
            raise prediction.error
        return prediction

    def read_lines(self, images: Iterable[ImageInput]) -> list[Prediction]:
        """Recognize images of single lines in batches; the prediction of an unusable image has an error."""
        return list(self.line_reader.read(_to_line(image, number) for number, image in enumerate(images, 1)))

    def __repr__(self) -> str:
        return f"<{self.name or 'model'}: {len(self.model.charset)} characters>"


def _get_scan(path: Path, number: int | None, layout: Page | None = None) -> Scan:
    """Return a page of a document, or its only page if no number is given.

    Raises:
        DataError: the document cannot be read, or lacks this page, or has several pages and no number is given.
    """
    scans = list_scans(path)
    if number is None and len(scans) > 1 and layout is not None:
        number = layout.number
    remedy = f"choose a page with number=1 to number={len(scans)}"
    if number is None and len(scans) > 1:
        raise DataError(f"the document has {len(scans)} pages", file=path, remedy=remedy, kind="several_pages")
    number = 1 if number is None else number
    if not 1 <= number <= len(scans):
        problem = f"the document has {format_count(len(scans), 'page')}, not a page {number}"
        raise DataError(problem, file=path, remedy=remedy, kind="unknown_page")
    return scans[number - 1]


def _to_line(image: ImageInput, number: int) -> Line:
    if isinstance(image, str | Path):
        return Line(str(image), ImageFile(Path(image)), "")
    try:
        return Line(f"image {number}", InMemoryImage(_to_pixels(image)), "")
    except DataError as error:
        return Line(f"image {number}", UnusableImage(str(error)), "")


def _to_pixels(image: Any) -> NDArray[np.uint8]:
    """Return the pixels of an array, or of a Pillow image as of its file.

    Raises:
        DataError: the image is no 8-bit array of a valid shape, is empty, or is damaged.
    """
    if isinstance(image, PillowImage.Image):
        return convert_pillow_image(image, "the image")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise DataError(
            f"an image must not be {type(image).__name__} {pixels.shape} {pixels.dtype}",
            remedy="give a path, a Pillow image, or an array (H, W) or (H, W, 3) of uint8",
            kind="image_type",
        )
    if not pixels.size:
        raise DataError(f"the image is empty: {pixels.shape[1]} x {pixels.shape[0]} px", kind="empty")
    return np.ascontiguousarray(pixels)
