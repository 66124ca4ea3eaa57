"""From the maps of a page to its lines: ridges of the baseline map are followed, joined, and given outlines."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.errors import InputError
from htr_lightning.image.straighten import Points
from htr_lightning.segmentation.maps import PageMaps
from htr_lightning.segmentation.pieces import Piece, join_pieces, join_spanned, measure_piece
from htr_lightning.segmentation.regions import DetectedLine
from htr_lightning.segmentation.ridges import link_peaks

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
        pieces = [measure_piece(ridge, maps) for ridge in sorted(ridges, key=lambda r: -len(r.x))[:_MAX_RIDGES]]
        joined = join_spanned(join_pieces(pieces, maps.ends, self.max_gap, self.min_end))
        kept = [p for p in joined if p.confidence >= self.min_confidence and p.length >= self.min_length * p.above]
        return _build_lines(_remove_duplicates(kept), maps)


def _remove_duplicates(pieces: list[Piece]) -> list[Piece]:
    """Drop a piece that runs along a stronger one at less than `_DUPLICATE_DISTANCE`."""
    kept: list[Piece] = []
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


def _build_lines(pieces: list[Piece], maps: PageMaps) -> list[DetectedLine]:
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


def _sample(piece: Piece, xs: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return smooth y coordinates and extents at some columns."""
    reach = _HEIGHT_WINDOW * (piece.above + piece.below) / 2
    ys, tops, bottoms = np.empty(len(xs)), np.empty(len(xs)), np.empty(len(xs))
    near, close = (_find_within(piece.x, xs, distance) for distance in (reach, max(1.0, reach / 6)))
    for i, x in enumerate(xs):
        tops[i] = _compute_median(piece.tops[near[i]], piece.above)
        bottoms[i] = _compute_median(piece.bottoms[near[i]], piece.below)
        ys[i] = _compute_median(piece.y[close[i]], float(piece.y_at(x)))
    return ys, tops.clip(_MIN_EXTENT_PX), bottoms.clip(_MIN_EXTENT_PX / 2)


def _find_within(columns: NDArray[np.float64], xs: NDArray[np.float64], distance: float) -> list[slice]:
    """Return for each x which of the columns, in ascending order, are at most that far away."""
    starts, ends = np.searchsorted(columns, xs - distance), np.searchsorted(columns, xs + distance, "right")
    return list(map(slice, starts.tolist(), ends.tolist()))


def _compute_median(values: NDArray[np.float64], default: float) -> float:
    """Return the median of a few values, for which NumPy's takes long; the default if there are none."""
    ordered = np.sort(values)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2 if len(ordered) else default


def _limit(
    piece: Piece,
    others: list[Piece],
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
