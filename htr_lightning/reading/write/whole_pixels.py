"""Coordinates as layouts want them written: whole numbers inside the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htr_lightning.reading.page import PredictedLine, PredictedPage

Whole = NDArray[np.int64]
"""``(n, 2)``: x and y of points."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page that coordinates are written for.

    Attributes:
        width: its columns are 0 to ``width - 1``; infinite where it is not known.
        height: likewise.
        scale: units of the layout for each pixel of the image, across and down.
    """

    width: float = math.inf
    height: float = math.inf
    scale: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of(cls, page: PredictedPage) -> Self:
        """Return the sheet of a page, in its pixels."""
        return cls(page.width_px, page.height_px)

    def points(self, points: ArrayLike) -> Whole:
        """Round points ``(n, 2)`` px; what lies beyond the page is brought to its edge."""
        scaled = np.asarray(points, np.float64).reshape(-1, 2) * self.scale
        edge = np.maximum([self.width - 1, self.height - 1], 0)
        return np.clip(np.rint(scaled), 0, edge).astype(np.int64)

    def box(self, points: ArrayLike) -> Box | None:
        """Return the box around points, in whole numbers; None around none."""
        whole = self.points(points)
        if not len(whole):
            return None
        (left, top), (right, bottom) = whole.min(0).tolist(), whole.max(0).tolist()
        return left, top, right, bottom

    def outline(self, polygon: ArrayLike) -> Whole:
        """Round a polygon; empty when less than three different points are left, which is no outline."""
        whole = self.points(polygon)
        return whole if len(np.unique(whole, axis=0)) > 2 else whole[:0]

    def baseline(self, line: PredictedLine) -> Whole:
        """Round a line's baseline; empty when less than two different points are left."""
        whole = self.points(line.baseline)
        return whole if len(np.unique(whole, axis=0)) > 1 else whole[:0]


def around(line: PredictedLine) -> NDArray[np.floating[Any]]:
    """Return points that a line lies between: its polygon, or else its words and baseline; empty without these."""
    if len(line.polygon):
        return line.polygon
    return np.array([*line.baseline, *(corner for word in line.words for corner in word.outline)]).reshape(-1, 2)


def is_upright(corners: Whole) -> bool:
    """Return whether four corners, clockwise from the upper left, are those of their box."""
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    return bool(corners.tolist() == [[left, top], [right, top], [right, bottom], [left, bottom]])


def written(points: Whole, between: str = ",") -> str:
    """Write points ``1,2 3,4``."""
    return " ".join(f"{x}{between}{y}" for x, y in points.tolist())


def corners(box: Sequence[int]) -> Whole:
    """Return the corners of a box, clockwise from the upper left."""
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int64)
