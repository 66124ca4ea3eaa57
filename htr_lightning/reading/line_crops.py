"""Lines cropped from their page, before recognition."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line
from htr_lightning.image.crop import crop_layout_line
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import InMemoryImage
from htr_lightning.image.scan import Scan
from htr_lightning.image.straighten import PointMap
from htr_lightning.image.turn import from_upright, to_upright, turn_upright
from htr_lightning.layout.page import Page
from htr_lightning.reading.page import PredictedLine, PredictedRegion

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class LineCrop:
    """A line cropped from its page, before recognition.

    Attributes:
        line: its id, polygon and baseline, in px of the page; no text yet.
        pixels: of the crop; None if the line cannot be cropped, for the reason in ``line.problem``.
        to_page: maps points of the crop to the page.
        is_rearranged: its characters were set side by side, which stand below each other on the page.
    """

    line: PredictedLine
    pixels: Pixels | None = None
    to_page: PointMap | None = None
    is_rearranged: bool = False

    def build_line(self, id: str = "", text: str = "") -> Line:
        """Return the line to recognize, which must have pixels; with its own id unless another one is given."""
        assert self.pixels is not None
        return Line(id or self.line.id, InMemoryImage(self.pixels), text, direction=self.line.stated_direction)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedPage:
    """A page with its lines cropped, before recognition.

    Attributes:
        scan: the file of the page.
        pixels: ``(H, W)`` or ``(H, W, 3)``.
        regions: in reading order, each with the crops of its lines.
        layout: that the lines were taken from; None if they were detected.
        orientation: quarter turns clockwise by which the page is turned; None if that is not known.
    """

    scan: Scan
    pixels: Pixels
    regions: tuple[tuple[PredictedRegion, tuple[LineCrop, ...]], ...]
    layout: Page | None = None
    orientation: int | None = None


class LineCropper:
    """Crops lines from a page, turned upright.

    Args:
        pixels: of the page.
        band_px: height of the band around a baseline without polygon.
    """

    def __init__(self, pixels: Pixels, band_px: float) -> None:
        self.band_px = band_px
        self._turned = {0: pixels}

    def __call__(self, line: PredictedLine) -> LineCrop:
        """Crop a line; the result of a line that cannot be cropped has the reason as its problem."""
        if line.problem:
            return LineCrop(line)
        turns, (height, width) = line.orientation, self._turned[0].shape[:2]
        if turns not in self._turned:
            self._turned[turns] = turn_upright(self._turned[0], turns)
        polygon, baseline = (to_upright(points, turns, width, height) for points in (line.polygon, line.baseline))
        try:
            pixels, to_page = crop_layout_line(self._turned[turns], polygon, baseline, None, band_px=self.band_px)
        except DataError as error:
            return LineCrop(replace(line, problem=str(error)))
        if turns == 0:
            return LineCrop(line, pixels, to_page)
        return LineCrop(line, pixels, lambda points: from_upright(to_page(points), turns, width, height))


def flip_crop(crop: LineCrop) -> LineCrop:
    """Turn a crop upside down, with its line: the writing was taken for upside down, or was not."""
    if crop.pixels is None or crop.to_page is None:
        return crop
    to_page, size = crop.to_page, np.array(crop.pixels.shape[1::-1])
    line = replace(crop.line, orientation=(crop.line.orientation + 2) % 4, baseline=crop.line.baseline[::-1])
    return LineCrop(line, turn_upright(crop.pixels, 2), lambda points: to_page(size - points))
