"""The `TrainingPage` record, which every source of pages yields and a line finder learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Split
from htr_lightning.data.page_targets import TargetLine, build_target_lines
from htr_lightning.image.crop import compute_layout_scale
from htr_lightning.image.decode import read_page_image
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.image.scan import DOCUMENT_SUFFIXES, Scan, has_exif_rotation, read_image_size
from htr_lightning.layout.page import Page

_NO_BASELINES = "none of its {} lines has a baseline"
_REMEDY = "let eScriptorium or Transkribus detect baselines, or remove the page"


class TrainingPage(Protocol):
    """A page with its lines.

    Attributes:
        id: unique within its dataset; messages name the page by it.
    """

    @property
    def id(self) -> str:
        """Unique within its dataset."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the page."""
        ...

    def read(self, preprocess: PagePreprocess) -> tuple[NDArray[np.uint8], list[TargetLine]]:
        """Return its pixels ``(H, W)`` as the network takes them, and its lines in px of these.

        Raises:
            DataError: the page cannot be used.
        """
        ...


class PageSource(Protocol):
    """A dataset of pages."""

    def pages(self, split: Split) -> Sequence[TrainingPage]:
        """Return the pages of a split, in a fixed order.

        Raises:
            DataError: a file of the dataset is missing or malformed.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LayoutPage:
    """A page image with its layout file.

    Attributes:
        id: unique within its dataset.
        image: of the page.
        page: its layout.
    """

    id: str
    image: ImageFile | Scan
    page: Page

    @property
    def fingerprint(self) -> str:
        """Of the image and of the layout file."""
        return f"{self.image.fingerprint} {ImageFile(self.page.path).fingerprint}"

    def check(self) -> None:
        """Check, without decoding the image, that the page can be learned from.

        Raises:
            DataError: none of its lines has a baseline, or the image has another aspect ratio than the layout.
        """
        if self.page.lines and not any(len(line.baseline) > 1 for line in self.page.lines):
            problem = _NO_BASELINES.format(len(self.page.lines))
            raise DataError(problem, file=self.page.path, remedy=_REMEDY, kind="no_baselines")
        size = read_image_size(self.image.path)
        if size is None or self.image.path.suffix.lower() in DOCUMENT_SUFFIXES or has_exif_rotation(self.image.path):
            return
        try:
            compute_layout_scale(size[::-1], self.page.size)
        except DataError as error:
            raise error.with_fields(file=self.page.path) from None

    def read(self, preprocess: PagePreprocess) -> tuple[NDArray[np.uint8], list[TargetLine]]:
        """Return its pixels and lines; see `TrainingPage`."""
        if isinstance(self.image, Scan):
            image = self.image.read(preprocess.max_pixels, self.page.size)
        else:
            image = read_page_image(self.image.path, self.page.size, max_pixels=preprocess.max_pixels)
        try:
            to_image = compute_layout_scale(image.shape, self.page.size)
        except DataError as error:
            raise error.with_fields(file=self.page.path) from None
        pixels, scale = preprocess(image)
        lines = build_target_lines(self.page.lines, self.page.line_spacing, self.page.find_unreliable_outlines())
        to_pixels = to_image * scale
        return pixels, [
            replace(
                line,
                baseline=np.asarray(line.baseline * to_pixels, np.float32),
                above=float(line.above * to_pixels[1]),
                below=float(line.below * to_pixels[1]),
            )
            for line in lines
        ]
