"""Pieces of baselines in the maps of a page, and which of them belong to one line."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.maps import Map, PageMaps
from htr_lightning.segmentation.ridges import Ridge

_MAX_OFFSET = 0.35  # vertical distance of two pieces where they meet, in heights above the baseline
_MAX_RATIO = 2.5  # of the heights of two pieces
_SPANNED_GAP, _LAST_ROW_GAP = 6.0, 4.0  # in line heights, between lines above and below, or below a line alone
_SPANNED_REACH = 2.5  # within which a line is the next above or below, in line heights

Join = tuple[float, int, int]
"""Cost of joining two pieces, and their indices, from left to right."""


@dataclass(slots=True, eq=False)
class Piece:
    """A piece of a baseline.

    Attributes:
        x: ``(n,)`` columns of the maps, increasing.
        y: ``(n,)`` px of the maps.
        probability: ``(n,)`` of a baseline.
        tops: ``(n,)`` extents above the baseline in px of the maps.
        bottoms: ``(n,)`` extents below it.
        above: median of ``tops``.
        below: median of ``bottoms``.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    probability: NDArray[np.float64]
    tops: NDArray[np.float64]
    bottoms: NDArray[np.float64]
    above: float
    below: float

    @property
    def length(self) -> float:
        """From its first to its last column."""
        return float(self.x[-1] - self.x[0])

    @property
    def height(self) -> float:
        """Of the line, above and below the baseline."""
        return self.above + self.below

    @property
    def confidence(self) -> float:
        """Mean probability."""
        return float(self.probability.mean())

    def y_at(self, x: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return its y coordinate at columns; beyond its ends, that of the end."""
        return np.asarray(np.interp(x, self.x, self.y))


def measure_piece(ridge: Ridge, maps: PageMaps) -> Piece:
    """Return the piece of a ridge of the baseline map."""
    x, y = np.array(ridge.x), np.array(ridge.y)
    rows = np.round(y).astype(int).clip(0, len(maps.baselines) - 1)
    columns = x.astype(int)
    tops, bottoms = maps.above[rows, columns].astype(float), maps.below[rows, columns].astype(float)
    probability = maps.baselines[rows, columns].astype(float)
    return Piece(x, y, probability, tops, bottoms, float(np.median(tops)), float(np.median(bottoms)))


def join_pieces(pieces: Sequence[Piece], ends: Map, max_gap: float, min_end: float) -> list[Piece]:
    """Join pieces of one baseline, the closest pairs first.

    Args:
        pieces: in any order.
        ends: ``(H, W)`` probability of line ends.
        max_gap: between two pieces, in line heights.
        min_end: probability of a line end between two pieces from which on they are not joined.
    """

    def compute_cost(piece: Piece, other: Piece) -> float | None:
        offset = _measure_offset(piece, other)
        if _are_one_row(piece, other, offset) and _find_end(ends, piece, other) < min_end:
            return float(other.x[0] - piece.x[-1]) + 2 * offset
        return None

    return _join(pieces, max_gap, compute_cost)


def join_spanned(pieces: Sequence[Piece]) -> list[Piece]:
    """Join pieces on one row whose gap is crossed by the next line above and by the next one below.

    Such a gap is a wide space, or words that were not found, whatever the ends say; columns and cells have a gap in
    the next line, too. In the last row of a paragraph the line above decides.
    """
    boxes = np.array([(p.x[0], p.x[-1], p.y.min(), p.y.max()) for p in pieces]).reshape(-1, 4)

    def compute_cost(piece: Piece, other: Piece) -> float | None:
        gap, offset = float(other.x[0] - piece.x[-1]), _measure_offset(piece, other)
        if not _are_one_row(piece, other, offset):
            return None
        height = min(piece.height, other.height)
        above, below = (_look_across(pieces, boxes, piece, other, height, sign) for sign in (-1, 1))
        if above != "spanned" or below == "broken":
            return None
        widest = _SPANNED_GAP if below == "spanned" else _LAST_ROW_GAP
        return gap + 2 * offset if gap <= widest * height else None

    return _join(pieces, _SPANNED_GAP, compute_cost)


def _join(pieces: Sequence[Piece], max_gap: float, compute_cost: Callable[[Piece, Piece], float | None]) -> list[Piece]:
    """Join pairs of pieces that have a cost, the cheapest first, to chains from left to right."""
    order = sorted(pieces, key=lambda piece: piece.x[0])
    starts = np.array([piece.x[0] for piece in order])
    pairs: list[Join] = []
    for i, piece in enumerate(order):
        reach = max_gap * piece.height
        first, last = np.searchsorted(starts, [piece.x[-1] - reach / 3, piece.x[-1] + reach])
        for j in range(int(first), int(last)):
            if j == i or order[j].x[-1] <= piece.x[-1]:
                continue
            if (cost := compute_cost(piece, order[j])) is not None:
                pairs.append((cost, i, j))
    successor: dict[int, int] = {}
    followed: set[int] = set()
    for _, i, j in sorted(pairs):
        if i not in successor and j not in followed:
            successor[i] = j
            followed.add(j)
    chains = []
    for i, piece in enumerate(order):
        if i in followed:
            continue
        chain, number = [piece], i
        while number in successor:
            number = successor[number]
            chain.append(order[number])
        chains.append(_merge(chain))
    return chains


def _are_one_row(piece: Piece, other: Piece, offset: float) -> bool:
    low, high = sorted((piece.above, other.above))
    return offset <= _MAX_OFFSET * low + 1 and high <= _MAX_RATIO * low + 2


def _find_end(ends: Map, piece: Piece, other: Piece) -> float:
    """Return the largest probability of a line end between two pieces."""
    left, right = sorted((float(piece.x[-1]), float(other.x[0])))
    y = (piece.y[-1] + other.y[0]) / 2
    reach = max(1, int(0.3 * min(piece.above, other.above)))
    top, bottom = max(0, int(y) - reach), int(y) + reach + 1
    area = ends[top:bottom, max(0, int(left) - 1) : int(right) + 2]
    return float(area.max(0).max()) if area.size else 0.0


def _look_across(
    pieces: Sequence[Piece], boxes: NDArray[np.float64], piece: Piece, other: Piece, height: float, sign: int
) -> Literal["spanned", "broken", "none"]:
    """Return whether the next line above (``sign`` -1) or below (1) a gap crosses it, or has a gap, or is absent."""
    left, right = sorted((float(piece.x[-1]), float(other.x[0])))
    middle, y = (left + right) / 2, float(piece.y[-1] + other.y[0]) / 2
    reach = _SPANNED_REACH * max(piece.height, other.height)
    window = (boxes[:, 0] < right + height) & (boxes[:, 1] > left - height)
    near = window & (boxes[:, 2] < y + reach) & (boxes[:, 3] > y - reach)
    best, verdict = reach, "none"
    for k in np.flatnonzero(near).tolist():
        candidate = pieces[k]
        distance = sign * (float(candidate.y_at(middle)) - y)
        if candidate is piece or candidate is other or not 0.3 * height < distance < best:
            continue
        best = distance
        verdict = "spanned" if boxes[k, 0] <= left - height and boxes[k, 1] >= right + height else "broken"
    return verdict  # type: ignore[return-value]


def _measure_offset(piece: Piece, other: Piece) -> float:
    """Return the vertical distance of two pieces at the middle between them, along their slopes."""
    middle = (piece.x[-1] + other.x[0]) / 2
    reach = 2 * piece.height
    return abs(_extrapolate(piece.x[-1], piece, middle, reach) - _extrapolate(other.x[0], other, middle, reach))


def _extrapolate(end: float, piece: Piece, x: float, reach: float) -> float:
    near = np.abs(piece.x - end) <= reach
    xs, ys = piece.x[near], piece.y[near]
    slope = float(np.clip(np.polyfit(xs, ys, 1)[0], -0.3, 0.3)) if len(xs) > 8 else 0.0
    return float(ys.mean() + slope * (x - xs.mean())) if len(xs) > 8 else float(piece.y_at(end))


def _merge(chain: list[Piece]) -> Piece:
    if len(chain) == 1:
        return chain[0]
    kept = [chain[0].x > -np.inf]
    for before, piece in itertools.pairwise(chain):
        kept.append(piece.x > before.x[-1])
    x, y, probability, tops, bottoms = (
        np.concatenate([getattr(piece, name)[own] for piece, own in zip(chain, kept, strict=True)])
        for name in ("x", "y", "probability", "tops", "bottoms")
    )
    return Piece(x, y, probability, tops, bottoms, float(np.median(tops)), float(np.median(bottoms)))
