"""Segmentation of a page image into regions and lines in reading order."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import Direction
from htr_lightning.errors import InputError
from htr_lightning.image.preprocess import to_gray
from htr_lightning.segmentation.binarization import Mask, binarize_page
from htr_lightning.segmentation.columns import split_columns, split_lines_at_gutters
from htr_lightning.segmentation.halves import find_gutter
from htr_lightning.segmentation.line_shape import build_polygon, estimate_baseline, estimate_row_spacing
from htr_lightning.segmentation.line_strips import LineStrip, extract_line_strips
from htr_lightning.segmentation.page import DetectedPage
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion, group_lines
from htr_lightning.segmentation.ridges import find_ridges
from htr_lightning.segmentation.ruling import remove_ruling

_MAX_DIVIDED_LINES = 40  # lines that are searched for rows of small writing: more are not writing
_MIN_ROW_LENGTH = 0.3  # relative to the longest row of a line: shorter ones are ink of another line
_SMALL_SPACING_PX = 20.0  # line spacing below which a page is segmented again at twice the resolution


@dataclass(frozen=True)
class Segmenter:
    """Finds the regions and lines of a page, without a trained model.

    The page is binarized (module `binarization`) and its ruling lines are removed (`ruling`). Lines are ridges of the
    blurred ink (`ridges`), to which connected components are assigned (`line_strips`). They are split at the gutters
    between columns (`columns`) and grouped to regions in reading order (`regions`).

    Args:
        working_px: number of pixels that pages are scaled down to; four times as many for small writing.
        columns: split lines at the gutters between columns.
        min_height_px: minimum height of a line's polygon on the page.
        direction: of writing, for the reading order.

    Raises:
        InputError: a value is out of its range; ``key`` is ``segmenter.<name>``.
    """

    working_px: int = 2_100_000
    columns: bool = True
    min_height_px: float = 6.0
    direction: Direction = "ltr"

    def __post_init__(self) -> None:
        if self.working_px < 10_000:
            raise InputError(
                "the value is too small", key="segmenter.working_px", value=self.working_px, remedy="set at least 10000"
            )
        if not self.min_height_px >= 0:
            raise InputError(
                "the value is negative", key="segmenter.min_height_px", value=self.min_height_px, remedy="set 0 or more"
            )

    def __call__(self, image: NDArray[np.uint8]) -> list[DetectedRegion]:
        """Find regions and lines, in reading order; none on a page without writing.

        Args:
            image: ``(H, W)`` gray or ``(H, W, 3)`` RGB.
        """
        gray = to_gray(image, "luminance")
        scale = min(1.0, float(np.sqrt(self.working_px / gray.size)))
        strips, spacing = self._find_lines(_scale_down(gray, scale))
        if 0 < spacing < _SMALL_SPACING_PX and scale < 1:
            scale = min(1.0, 2 * scale)
            strips, spacing = self._find_lines(_scale_down(gray, scale))
        lines = []
        limit = np.array([gray.shape[1] - 1, gray.shape[0] - 1], np.float32)
        for strip in strips:
            baseline = estimate_baseline(strip)
            polygon = build_polygon(strip, baseline)
            if len(baseline) > 1 and len(polygon) > 2:
                line = DetectedLine((baseline / scale).clip(0, limit), (polygon / scale).clip(0, limit))
                if np.ptp(line.polygon[:, 1]) >= self.min_height_px:
                    lines.append(line)
        return group_lines(lines, spacing / scale, direction=self.direction)

    def find(self, image: NDArray[np.uint8]) -> DetectedPage:
        """Find regions and lines; see `htr_lightning.segmentation.page.PageSegmenter`."""
        regions = self(image)
        lines = [line for region in regions for line in region.lines]
        return DetectedPage(regions, gutter=find_gutter(lines, image.shape[1], image.shape[0]))

    def _find_lines(self, gray: NDArray[np.uint8]) -> tuple[list[LineStrip], float]:
        """Return the lines of a scaled page, and their median line spacing (0 without lines)."""
        if min(gray.shape) < 16:
            return [], 0.0
        lines: list[LineStrip] = []
        ink = remove_ruling(*binarize_page(gray))
        for column in split_columns(ink) if self.columns else [ink]:
            lines += self._find_lines_in_column(column)
        return lines, float(np.median([line.line_spacing for line in lines])) if lines else 0.0

    def _find_lines_in_column(self, ink: Mask) -> list[LineStrip]:
        ridges, spacing = find_ridges(ink)
        lines = extract_line_strips(ink, ridges, spacing)
        multi_row = [(line, row_spacing) for line in lines if (row_spacing := estimate_row_spacing(line))]
        rows: list[LineStrip] = []
        for line, row_spacing in multi_row[:_MAX_DIVIDED_LINES]:
            rows += _split_rows(line, row_spacing, ink.shape)
        if rows:  # such as print between handwriting
            rest = ink.copy()
            for row in rows:
                row.erase_from(rest)
            lines = [*extract_line_strips(rest, find_ridges(rest, spacing)[0], spacing), *rows]
        return split_lines_at_gutters(lines) if self.columns else lines


def _split_rows(line: LineStrip, row_spacing: float, shape: tuple[int, ...]) -> list[LineStrip]:
    """Split rows of small writing that were detected as one line.

    Args:
        line: the detected line.
        row_spacing: of its rows, in px.
        shape: of the page.
    """
    top, ink = line.to_page_mask(shape)
    strips = extract_line_strips(ink, find_ridges(ink, row_spacing)[0], row_spacing)
    rows = [strip.shift(line.left, top) for strip in strips]
    longest = max((row.mask.shape[1] for row in rows), default=0)
    return [row for row in rows if row.mask.shape[1] > _MIN_ROW_LENGTH * longest]


def _scale_down(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale >= 1:
        return gray
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
