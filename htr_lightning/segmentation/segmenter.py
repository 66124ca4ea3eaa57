"""Page image -> regions and lines in reading order."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.preprocess import to_gray
from htr_lightning.segmentation.columns import cut_columns, zones_of
from htr_lightning.segmentation.ink import Mask, find_ink
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion, arrange
from htr_lightning.segmentation.ridges import find_ridges
from htr_lightning.segmentation.strokes import Strokes, baseline_of, outline_of, rows_in, strokes_of

_MOST_DOUBLE = 40  # lines that are looked at again for rows in them: more are not writing
_SHORT_ROW = 0.3  # of the longest: what is shorter is ink of another line
_DENSE_PX = 20.0  # distance of lines below which a page is looked at again at twice the resolution


@dataclass(frozen=True)
class Segmenter:
    """Finds the lines of a page.

    Ink is told from paper and printed rules (`find.ink`), lines are the ridges of blurred ink (`find.ridges`), ink is
    shared out among them (`find.strokes`), columns are cut apart (`find.columns`), and regions are formed and ordered
    (`find.regions`).

    Args:
        working_px: pixels that a page is scaled down to; four times as many where writing is small.
        columns: cut lines apart where an empty corridor runs down the page.
        min_height_px: lines whose writing is lower than that on the page are left out.

    Raises:
        ValueError: a value is out of its range; names ``segment.<key>``.
    """

    working_px: int = 2_100_000
    columns: bool = True
    min_height_px: float = 6.0

    def __post_init__(self) -> None:
        if self.working_px < 10_000:
            raise ValueError(f"segment.working_px: {self.working_px} is too small; give at least 10000")
        if not self.min_height_px >= 0:
            raise ValueError(f"segment.min_height_px: {self.min_height_px} is negative; give 0 or more")

    def __call__(self, image: NDArray[np.uint8]) -> list[DetectedRegion]:
        """Find regions and lines, in reading order; none on a page without writing.

        Args:
            image: ``(H, W)`` gray or ``(H, W, 3)`` RGB.
        """
        gray = to_gray(image, "luminance")
        scale = min(1.0, float(np.sqrt(self.working_px / gray.size)))
        lines, distance = self._lines(_scaled(gray, scale))
        if 0 < distance < _DENSE_PX and scale < 1:
            scale = min(1.0, 2 * scale)
            lines, distance = self._lines(_scaled(gray, scale))
        found = []
        limit = np.array([gray.shape[1] - 1, gray.shape[0] - 1], np.float32)
        for line in lines:
            baseline = baseline_of(line)
            outline = outline_of(line, baseline)
            shape = [(points / scale).clip(0, limit) for points in (baseline, outline)]
            if len(baseline) > 1 and len(outline) > 2 and np.ptp(shape[1][:, 1]) >= self.min_height_px:
                found.append(DetectedLine(*shape))
        return arrange(found, distance / scale)

    def _lines(self, gray: NDArray[np.uint8]) -> tuple[list[Strokes], float]:
        if min(gray.shape) < 16:
            return [], 0.0
        lines: list[Strokes] = []
        ink = find_ink(gray)
        for zone in zones_of(ink) if self.columns else [ink]:
            lines += self._lines_of_zone(zone)
        return lines, float(np.median([line.distance for line in lines])) if lines else 0.0

    def _lines_of_zone(self, ink: Mask) -> list[Strokes]:
        ridges, distance = find_ridges(ink)
        lines = strokes_of(ink, ridges, distance)
        double = [(line, apart) for line in lines if (apart := rows_in(line))]
        small = [row for line, apart in double[:_MOST_DOUBLE] for row in _rows(line, apart, ink.shape)]
        if small:  # print between handwriting, say
            rest = ink.copy()
            for row in small:
                row.erase(rest)
            lines = [*strokes_of(rest, find_ridges(rest, distance)[0], distance), *small]
        return cut_columns(lines) if self.columns else lines


def _rows(line: Strokes, apart: float, shape: tuple[int, ...]) -> list[Strokes]:
    """Return the rows of small writing in what passed for one line."""
    top, ink = line.cut_out(shape)
    rows = [row.moved(line.left, top) for row in strokes_of(ink, find_ridges(ink, apart)[0], apart)]
    longest = max((row.strip.shape[1] for row in rows), default=0)
    return [row for row in rows if row.strip.shape[1] > _SHORT_ROW * longest]


def _scaled(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale >= 1:
        return gray
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
