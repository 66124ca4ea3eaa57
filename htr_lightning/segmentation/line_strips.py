"""The ink of text lines as horizontal strips: the assignment of connected components to ridges."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.binarization import Mask
from htr_lightning.segmentation.ridges import Ridge

# Lengths are in line spacings, areas in their squares.
_MAX_DISTANCE = 0.95  # from a ridge to ink of its line
_STRIP_REACH = 1.3  # of a strip above and below the ridge
_EXTENSION = 1.5  # of a ridge beyond its ends
_MIN_MAJORITY = 0.75  # fraction of a component near one ridge above which that line gets all of it
_SMALL_HEIGHT = 0.9  # of a component; smaller ones are never divided
_SPECK_AREA = 0.012  # smaller components are dust or dots
_DOTS_ABOVE, _DOTS_BELOW = 0.7, 0.45  # specks farther above or below the ridge are dust
_SPECK_DISTANCE = 2.0  # between a speck and the other ink of its line
_MIN_WIDTH, _MIN_AREA = 0.6, 0.06  # of the ink of a line
_SPLIT_GAP = 8.0  # a wider gap separates two lines


@dataclass(frozen=True, slots=True, eq=False)
class LineStrip:
    """The ink of a text line, straightened along its ridge.

    Attributes:
        mask: ``(2 R + 1, W)`` uint8, 1 for ink of the line. Row R is the ridge.
        left: column of the page of the first column.
        ridge: ``(W,)`` y coordinate on the page of row R in each column.
        line_spacing: in px.
    """

    mask: Mask
    left: int
    ridge: NDArray[np.float64]
    line_spacing: float

    def crop(self, start: int, end: int) -> "LineStrip":
        """Return the columns from ``start`` to ``end`` of the strip."""
        return LineStrip(self.mask[:, start:end], self.left + start, self.ridge[start:end], self.line_spacing)

    @property
    def right(self) -> int:
        """Column of the page after the last column."""
        return self.left + int(self.mask.shape[1])

    def get_page_pixels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows and columns of the page of all pixels of ink."""
        rows, columns = np.nonzero(self.mask)
        page_rows = np.round(self.ridge[columns]).astype(np.int64) + rows - len(self.mask) // 2
        return page_rows, columns + self.left

    def erase_from(self, page: Mask) -> None:
        """Remove the ink of the line from a page, in place."""
        page[self.get_page_pixels()] = 0

    def to_page_mask(self, shape: tuple[int, ...]) -> tuple[int, Mask]:
        """Return the ink in a box of the page around the line.

        Args:
            shape: of the page.

        Returns:
            The first row of the box, and its mask; its first column is ``left``.
        """
        rows, columns = self.get_page_pixels()
        margin = int(self.line_spacing)
        top, bottom = max(0, int(rows.min()) - margin), min(shape[0], int(rows.max()) + margin + 1)
        ink = np.zeros((bottom - top, self.mask.shape[1]), np.uint8)
        ink[rows - top, columns - self.left] = 1
        return top, ink

    def shift(self, right: int, down: int) -> "LineStrip":
        """Return the strip shifted on the page, in px."""
        return LineStrip(self.mask, self.left + right, self.ridge + down, self.line_spacing)

    def find_gaps(self, min_width: float) -> list[tuple[int, int]]:
        """Return start and end columns, on the page, of gaps in the ink that are wider than ``min_width`` px."""
        columns = np.flatnonzero(self.mask.any(0))
        wide = np.flatnonzero(np.diff(columns) > min_width)
        return [(self.left + int(columns[i]) + 1, self.left + int(columns[i + 1])) for i in wide]

    def split(self, columns: list[int]) -> Iterator["LineStrip"]:
        """Split the strip at columns of the page, and trim each part to its ink; parts without ink are dropped."""
        bounds = [self.left, *columns, self.right]
        for start, end in itertools.pairwise(bounds):
            part = self.crop(start - self.left, end - self.left)
            inked = np.flatnonzero(part.mask.any(0))
            if len(inked):
                yield part.crop(int(inked[0]), int(inked[-1]) + 1)


def extract_line_strips(ink: Mask, ridges: list[Ridge], line_spacing: float) -> list[LineStrip]:
    """Assign the ink of a page to its text lines.

    Args:
        ink: ``(H, W)``.
        ridges: of the lines.
        line_spacing: in px.

    Returns:
        The lines with enough ink; lines with very wide gaps are split there.
    """
    owner = _assign_ink(ink, ridges, line_spacing)
    strips: list[LineStrip] = []
    for number, ridge in enumerate(ridges, start=1):
        strip = _extract_strip(owner == number, ridge, line_spacing)
        if strip is not None:
            gaps = strip.find_gaps(_SPLIT_GAP * line_spacing)
            strips += filter(_has_enough_ink, strip.split([(start + end) // 2 for start, end in gaps]))
    return strips


def _assign_ink(ink: Mask, ridges: list[Ridge], line_spacing: float) -> NDArray[np.int32]:
    """Return ``(H, W)``: the number of the line, from 1, that each pixel of ink belongs to; 0 for none.

    Small components, and those with a clear majority near one line, are assigned as a whole; the pixels of others to
    the nearest line.
    """
    nearest = _find_nearest_ridge(ink.shape, ridges, line_spacing)
    num_labels, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    pixels = np.flatnonzero(labels)
    lines = nearest.ravel()[pixels]
    components = labels.ravel()[pixels]
    num_lines = len(ridges) + 1
    pairs, counts = np.unique(components.astype(np.int64) * num_lines + lines, return_counts=True)
    order = np.argsort(counts, kind="stable")
    most, best = np.zeros(num_labels, np.int64), np.zeros(num_labels, np.int32)
    most[pairs[order] // num_lines] = counts[order]  # the last of the pairs of a component wins: the largest
    best[pairs[order] // num_lines] = pairs[order] % num_lines
    is_whole = (most >= _MIN_MAJORITY * stats[:, 4]) | (stats[:, 3] < _SMALL_HEIGHT * line_spacing)
    owner = np.zeros(ink.size, np.int32)
    owner[pixels] = np.where(is_whole[components], best[components], lines)
    return owner.reshape(ink.shape)


def _find_nearest_ridge(shape: tuple[int, ...], ridges: list[Ridge], line_spacing: float) -> NDArray[np.int32]:
    """Return ``(H, W)``: the number of the line, from 1, whose ridge is vertically nearest; 0 for none."""
    nearest = np.zeros(shape, np.int32)
    least = np.full(shape, np.inf, np.float32)
    reach = int(_MAX_DISTANCE * line_spacing)
    offsets = np.arange(-reach, reach + 1)[:, None]
    for number, ridge in enumerate(ridges, start=1):
        xs, ys = _extend_ridge(ridge, shape[1], line_spacing)
        rows = np.round(ys).astype(int) + offsets
        inside = (rows >= 0) & (rows < shape[0])
        rows = rows.clip(0, shape[0] - 1)
        distance = np.where(inside, np.abs(rows - ys), np.inf)
        is_closer = distance < least[rows, xs]
        least[rows, xs] = np.where(is_closer, distance, least[rows, xs])
        nearest[rows, xs] = np.where(is_closer, number, nearest[rows, xs])
    return nearest


def _extend_ridge(ridge: Ridge, width: int, line_spacing: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the columns and y coordinates of a ridge, extrapolated beyond its ends within the page."""
    first = max(0, int(ridge.x[0] - _EXTENSION * line_spacing))
    last = min(width, int(ridge.x[-1] + _EXTENSION * line_spacing) + 1)
    xs = np.arange(first, last)
    return xs, ridge.y_at(xs, 2 * line_spacing)


def _extract_strip(own: NDArray[np.bool_], ridge: Ridge, line_spacing: float) -> LineStrip | None:
    """Return the ink of a line along its ridge, without dust; None if nothing is left.

    Args:
        own: ``(H, W)``, the ink of the line.
        ridge: of the line.
        line_spacing: in px.
    """
    xs, ys = _extend_ridge(ridge, own.shape[1], line_spacing)
    reach = int(_STRIP_REACH * line_spacing)
    rows = np.round(ys).astype(int) + np.arange(-reach, reach + 1)[:, None]
    inside = (rows >= 0) & (rows < own.shape[0])
    mask = (own[rows.clip(0, own.shape[0] - 1), xs] & inside).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    is_speck = stats[:, 4] < min(_SPECK_AREA * line_spacing * line_spacing, 0.5 * _compute_typical_area(stats[1:, 4]))
    is_speck[0] = True
    middle = stats[:, 1] + stats[:, 3] / 2 - reach
    is_dust = is_speck & ((middle < -_DOTS_ABOVE * line_spacing) | (middle > _DOTS_BELOW * line_spacing))
    mask[is_dust[labels]] = 0
    writing = np.flatnonzero((~is_speck[labels] & (mask > 0)).any(0))
    if not len(writing):
        return None
    near = np.zeros(mask.shape[1], bool)
    for x in writing:
        near[max(0, x - int(_SPECK_DISTANCE * line_spacing)) : x + int(_SPECK_DISTANCE * line_spacing) + 1] = True
    mask &= near.astype(np.uint8)
    columns = np.flatnonzero(mask.any(0))
    return LineStrip(mask, int(xs[0]), ys, line_spacing).crop(int(columns[0]), int(columns[-1]) + 1)


def _compute_typical_area(areas: NDArray[np.int32]) -> float:
    """Return the median area of components, weighted by area; 0 without components."""
    areas = np.sort(areas)
    total = np.cumsum(areas)
    return float(areas[np.searchsorted(total, total[-1] / 2)]) if len(areas) else 0.0


def _has_enough_ink(strip: LineStrip) -> bool:
    area = int(strip.mask.sum())
    return strip.mask.shape[1] >= _MIN_WIDTH * strip.line_spacing and area >= _MIN_AREA * strip.line_spacing**2
