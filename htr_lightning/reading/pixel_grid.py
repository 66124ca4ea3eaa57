"""Coordinates as ALTO, PAGE and hOCR want them: whole pixels inside the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htr_lightning.reading.page import PredictedLine, PredictedPage

IntPoints = NDArray[np.int64]
"""``(n, 2)``: x and y of points."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """The whole pixels of a page: rounds coordinates and clips them to the page.

    Attributes:
        width: the columns are 0 to ``width - 1``; infinite if unknown.
        height: the rows are 0 to ``height - 1``; infinite if unknown.
        scale: units of the layout per pixel of the image, horizontally and vertically.
    """

    width: float = math.inf
    height: float = math.inf
    scale: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def for_page(cls, page: PredictedPage) -> Self:
        """Return the grid of the pixels of a page's image."""
        return cls(page.width_px, page.height_px)

    def round_points(self, points: ArrayLike) -> IntPoints:
        """Scale, round and clip points ``(n, 2)``, given in px of the image."""
        scaled = np.asarray(points, np.float64).reshape(-1, 2) * self.scale
        limit = max(self.width - 1, 0), max(self.height - 1, 0)
        return np.minimum(np.maximum(np.rint(scaled), 0), limit).astype(np.int64)

    def bounding_box(self, points: ArrayLike) -> Box | None:
        """Return the bounding box of points, rounded; None if there are no points."""
        return get_bounding_box(self.round_points(points))

    def round_polygon(self, polygon: ArrayLike) -> IntPoints:
        """Round a polygon; empty if fewer than three distinct points remain, which enclose nothing."""
        rounded = self.round_points(polygon)
        return rounded if is_polygon(rounded) else rounded[:0]

    def round_baseline(self, baseline: ArrayLike) -> IntPoints:
        """Round a baseline; empty if fewer than two distinct points remain."""
        rounded = self.round_points(baseline)
        return rounded if _count_distinct(rounded) > 1 else rounded[:0]


def get_bounding_box(points: IntPoints) -> Box | None:
    """Return the bounding box of points; None if there are no points."""
    if not len(points):
        return None
    xs, ys = points.T.tolist()
    return min(xs), min(ys), max(xs), max(ys)


def is_polygon(points: IntPoints) -> bool:
    """Return whether points enclose something, as far as that needs three distinct ones."""
    return _count_distinct(points) > 2


def _count_distinct(points: IntPoints) -> int:
    return len(set(map(tuple, points.tolist())))  # of a few points, much faster than NumPy


def get_extent_points(line: PredictedLine) -> NDArray[np.floating[Any]]:
    """Return points that bound a line: its polygon, or else its words and baseline; empty if it has none of these."""
    if len(line.polygon):
        return line.polygon
    return np.array([*line.baseline, *(corner for word in line.words for corner in word.outline)]).reshape(-1, 2)


def is_axis_aligned(corners: IntPoints) -> bool:
    """Return whether four corners, clockwise from the top left, are those of their bounding box."""
    box = get_bounding_box(corners)
    return box is not None and np.array_equal(corners, get_box_corners(box))


def format_points(points: IntPoints, separator: str = ",") -> str:
    """Format points as ``1,2 3,4``; the separator stands between x and y."""
    return " ".join(f"{x}{separator}{y}" for x, y in points.tolist())


def get_box_corners(box: Sequence[int]) -> IntPoints:
    """Return the corners of a box, clockwise from the top left."""
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int64)
