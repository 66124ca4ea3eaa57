"""From the maps of a page to its lines: ridges of the baseline map are followed, joined, and given outlines."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.errors import InputError
from htr_lightning.image.straighten import Points
from htr_lightning.segmentation.maps import Map, PageMaps
from htr_lightning.segmentation.regions import DetectedLine
from htr_lightning.segmentation.ridges import Ridge, link_peaks

_MAX_STEP_PX = 1.6  # vertical movement of a baseline from column to column of the maps
_BLUR_PX = 1.0  # standard deviation across the baselines
_HEIGHT_WINDOW = 3.0  # in line heights: extents are medians over such windows
_MAX_RIDGES = 4000  # of a page: more are noise
_MIN_EXTENT_PX = 2.0  # of a line above its baseline, in px of the maps
_DUPLICATE_DISTANCE = 0.4  # in heights above the baseline, within which a weaker line duplicates another
_EXTENT_ABOVE = 1.2  # of outlines: the highest strokes exceed the predicted extent (experiments/line_finder)
_POINT_STEP = 0.7  # distance of the points of outlines, in line heights


@dataclass(frozen=True)
class LineFollower:
    """Turns the maps of a page into lines.

    Args:
        min_probability: probability of baselines from which on they are followed.
        min_confidence: mean probability of a line's baseline below which it is dropped.
        min_length: of a line, in heights above the baseline.
        max_gap: over which pieces of a baseline are joined, in line heights, unless a line ends there.
        min_end: probability of a line end from which on pieces are not joined.

    Raises:
        InputError: a value is out of its range; ``key`` is ``decoder.<name>``.
    """

    min_probability: float = 0.2
    min_confidence: float = 0.65
    min_length: float = 0.8
    max_gap: float = 3.0
    min_end: float = 0.4

    def __post_init__(self) -> None:
        for name in ("min_probability", "min_confidence", "min_end"):
            value = getattr(self, name)
            if not 0 < value < 1:
                remedy = "give a number between 0 and 1"
                raise InputError("not a probability", key=f"decoder.{name}", value=value, remedy=remedy)
        for name in ("min_length", "max_gap"):
            if not getattr(self, name) >= 0:
                value = getattr(self, name)
                raise InputError("the value is negative", key=f"decoder.{name}", value=value, remedy="give 0 or more")

    def __call__(self, maps: PageMaps) -> list[DetectedLine]:
        """Follow the lines of a page.

        Returns:
            The lines in px of the page, in any order, each with its confidence.
        """
        strength = maps.baselines * (1 - maps.ends)
        smooth = np.asarray(cv2.GaussianBlur(strength, (1, 0), sigmaX=1, sigmaY=_BLUR_PX), np.float32)
        ridges = link_peaks(smooth, self.min_probability, _MAX_STEP_PX)
        pieces = [_measure_piece(ridge, maps) for ridge in sorted(ridges, key=lambda r: -len(r.x))[:_MAX_RIDGES]]
        joined = self._join(pieces, maps)
        kept = [p for p in joined if p.confidence >= self.min_confidence and p.length >= self.min_length * p.above]
        return _build_lines(_remove_duplicates(kept), maps)

    def _join(self, pieces: list["_Piece"], maps: PageMaps) -> list["_Piece"]:
        """Join pieces of one baseline, the closest pairs first."""
        pairs = []
        pieces = sorted(pieces, key=lambda piece: piece.x[0])
        starts = np.array([piece.x[0] for piece in pieces])
        for i, piece in enumerate(pieces):
            reach = self.max_gap * (piece.above + piece.below)
            first, last = np.searchsorted(starts, [piece.x[-1] - reach / 3, piece.x[-1] + reach])
            for j in range(int(first), int(last)):
                other = pieces[j]
                if j == i or other.x[-1] <= piece.x[-1]:
                    continue
                gap = float(other.x[0] - piece.x[-1])
                offset = _measure_offset(piece, other)
                heights = min(piece.above, other.above), max(piece.above, other.above)
                if offset > 0.35 * heights[0] + 1 or heights[1] > 2.5 * heights[0] + 2:
                    continue
                if self._find_end(maps.ends, piece, other) < self.min_end:
                    pairs.append((gap + 2 * offset, i, j))
        successor: dict[int, int] = {}
        followed: set[int] = set()
        for _, i, j in sorted(pairs):
            if i not in successor and j not in followed:
                successor[i] = j
                followed.add(j)
        chains = []
        for i, piece in enumerate(pieces):
            if i in followed:
                continue
            chain, number = [piece], i
            while number in successor:
                number = successor[number]
                chain.append(pieces[number])
            chains.append(_merge(chain))
        return chains

    def _find_end(self, ends: Map, piece: "_Piece", other: "_Piece") -> float:
        """Return the largest probability of a line end between two pieces."""
        left, right = sorted((float(piece.x[-1]), float(other.x[0])))
        y = (piece.y[-1] + other.y[0]) / 2
        reach = max(1, int(0.3 * min(piece.above, other.above)))
        top, bottom = max(0, int(y) - reach), int(y) + reach + 1
        area = ends[top:bottom, max(0, int(left) - 1) : int(right) + 2]
        return float(area.max(0).max()) if area.size else 0.0


@dataclass(slots=True, eq=False)
class _Piece:
    """A piece of a baseline, in px of the maps: its points, and for each column probability and extents."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    probability: NDArray[np.float64]
    tops: NDArray[np.float64]
    bottoms: NDArray[np.float64]
    above: float
    below: float

    @property
    def length(self) -> float:
        return float(self.x[-1] - self.x[0])

    @property
    def confidence(self) -> float:
        return float(self.probability.mean())

    def y_at(self, x: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(np.interp(x, self.x, self.y))


def _measure_piece(ridge: Ridge, maps: PageMaps) -> _Piece:
    x, y = np.array(ridge.x), np.array(ridge.y)
    rows = np.round(y).astype(int).clip(0, len(maps.baselines) - 1)
    columns = x.astype(int)
    tops, bottoms = maps.above[rows, columns].astype(float), maps.below[rows, columns].astype(float)
    probability = maps.baselines[rows, columns].astype(float)
    return _Piece(x, y, probability, tops, bottoms, float(np.median(tops)), float(np.median(bottoms)))


def _measure_offset(piece: _Piece, other: _Piece) -> float:
    """Return the vertical distance of two pieces at the middle between them, along their slopes."""
    middle = (piece.x[-1] + other.x[0]) / 2
    reach = 2 * (piece.above + piece.below)
    return abs(_extrapolate(piece.x[-1], piece, middle, reach) - _extrapolate(other.x[0], other, middle, reach))


def _extrapolate(end: float, piece: _Piece, x: float, reach: float) -> float:
    near = np.abs(piece.x - end) <= reach
    xs, ys = piece.x[near], piece.y[near]
    slope = float(np.clip(np.polyfit(xs, ys, 1)[0], -0.3, 0.3)) if len(xs) > 8 else 0.0
    return float(ys.mean() + slope * (x - xs.mean())) if len(xs) > 8 else float(piece.y_at(end))


def _merge(chain: list[_Piece]) -> _Piece:
    if len(chain) == 1:
        return chain[0]
    kept = [chain[0].x > -np.inf]
    for before, piece in itertools.pairwise(chain):
        kept.append(piece.x > before.x[-1])
    x, y, probability, tops, bottoms = (
        np.concatenate([getattr(piece, name)[own] for piece, own in zip(chain, kept, strict=True)])
        for name in ("x", "y", "probability", "tops", "bottoms")
    )
    return _Piece(x, y, probability, tops, bottoms, float(np.median(tops)), float(np.median(bottoms)))


def _remove_duplicates(pieces: list[_Piece]) -> list[_Piece]:
    """Drop a piece that runs along a stronger one at less than `_DUPLICATE_DISTANCE`."""
    kept: list[_Piece] = []
    for piece in sorted(pieces, key=lambda p: -p.length * p.confidence):
        reach = _DUPLICATE_DISTANCE * piece.above
        low, high = piece.y.min() - reach, piece.y.max() + reach
        for other in kept:
            if other.y.max() < low or other.y.min() > high:
                continue
            overlaps = (piece.x >= other.x[0]) & (piece.x <= other.x[-1])
            if (overlaps & (np.abs(other.y_at(piece.x) - piece.y) < reach)).mean() > 0.5:
                break
        else:
            kept.append(piece)
    return kept


def _build_lines(pieces: list[_Piece], maps: PageMaps) -> list[DetectedLine]:
    """Give each line its baseline and outline on the page."""
    lines = []
    for piece in pieces:
        end_px = min(3.0, 0.15 * (piece.above + piece.below))  # baselines stop before their ends
        step = max(2.0, _POINT_STEP * (piece.above + piece.below))
        count = max(2, round(piece.length / step) + 1)
        xs = np.linspace(piece.x[0], piece.x[-1], count)
        ys, tops, bottoms = _sample(piece, xs)
        tops, bottoms = _limit(piece, pieces, xs, ys, _EXTENT_ABOVE * tops, bottoms)
        xs[0], xs[-1] = xs[0] - end_px, xs[-1] + end_px
        baseline = np.stack([xs, ys], 1)
        margin = np.zeros(count)
        margin[0], margin[-1] = -end_px, end_px
        upper = np.stack([xs + margin, ys - tops], 1)
        lower = np.stack([xs + margin, ys + bottoms], 1)[::-1]
        polygon = np.concatenate([upper, lower])
        lines.append(
            DetectedLine(_to_page(baseline, maps.scale), _to_page(polygon, maps.scale), round(piece.confidence, 4))
        )
    return lines


def _sample(piece: _Piece, xs: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return smooth y coordinates and extents at some columns."""
    reach = _HEIGHT_WINDOW * (piece.above + piece.below) / 2
    ys, tops, bottoms = np.empty(len(xs)), np.empty(len(xs)), np.empty(len(xs))
    for i, x in enumerate(xs):
        near = np.abs(piece.x - x) <= reach
        tops[i] = np.median(piece.tops[near]) if near.any() else piece.above
        bottoms[i] = np.median(piece.bottoms[near]) if near.any() else piece.below
        close = np.abs(piece.x - x) <= max(1.0, reach / 6)
        ys[i] = np.median(piece.y[close]) if close.any() else piece.y_at(x)
    return ys, tops.clip(_MIN_EXTENT_PX), bottoms.clip(_MIN_EXTENT_PX / 2)


def _limit(
    piece: _Piece,
    others: list[_Piece],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    tops: NDArray[np.float64],
    bottoms: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limit the extents of a line, so that they contain no whole neighbor."""
    for other in others:
        if other is piece or other.x[-1] < xs[0] or other.x[0] > xs[-1]:
            continue
        inside = (xs >= other.x[0]) & (xs <= other.x[-1])
        distance = ys - other.y_at(xs)  # positive: the other line is above
        if not inside.any() or np.abs(distance[inside]).min() > 4 * (piece.above + piece.below):
            continue
        is_above, is_below = inside & (distance > 1), inside & (distance < -1)
        tops = np.where(is_above, np.minimum(tops, np.maximum(distance, _MIN_EXTENT_PX)), tops)
        room = np.maximum(-distance - 0.5 * other.above, _MIN_EXTENT_PX / 2)
        bottoms = np.where(is_below, np.minimum(bottoms, room), bottoms)
    return tops, bottoms


def _to_page(points: NDArray[np.float64], scale: float) -> Points:
    return np.asarray((points + 0.5) / scale, np.float32)
