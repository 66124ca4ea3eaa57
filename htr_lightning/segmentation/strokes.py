"""Which ink belongs to which line, and where in it the line begins, ends, stands and reaches."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.ink import Mask
from htr_lightning.segmentation.ridges import Ridge

_REACH = 0.95  # distances of lines from the middle of a line that its ink may be
_BEYOND = 1.5  # distances of lines that a line goes on beyond its ridge
_SURE = 0.75  # share of a piece of ink near one line that makes it that line's, whole
_SMALL = 0.9  # height, in distances of lines, up to which a piece of ink is one line's in any case
_SPECK = 0.012  # area, in squared distances of lines, below which a piece of ink is dust or a dot
_DOTS = 0.7, 0.45  # distances of lines above and below the middle of a line between which its dots are
_LONELY = 2.0  # distances of lines between a speck and the rest of its line
_SHORTEST, _LEAST_INK = 0.6, 0.06  # width and area of the ink of a line, in distances of lines and their squares
_WIDE_GAP = 8.0  # distances of lines between two pieces of writing that are two lines
_WINDOW, _STEP = 3.0, 1.0  # in distances of lines: over which the baseline is found, and how often
_ABOVE, _BELOW = 0.45, 0.12  # outline around the baseline at least, in distances of lines
_SWAY = 0.45  # distances of lines over which an outline is as high as its highest stroke
_CLOSE_ROWS_WINDOW, _CLOSE_ROWS_VALLEY = 4.0, 0.4  # distances of lines looked at together; ink left between rows
_PAD_PX = 2
_ENDS = 0.1, 0.3  # distances of lines that an outline goes on beyond the ink: a full stop on a rule goes with the rule


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """The ink of a line, straightened.

    Attributes:
        strip: ``(2 R + 1, W)`` uint8: 1 where there is ink of the line. Row R is its ridge.
        left: column of the page of the strip's first column.
        ridge: ``(W,)`` height on the page of row R in each column.
        distance: of lines, in px.
    """

    strip: Mask
    left: int
    ridge: NDArray[np.float64]
    distance: float

    def part(self, start: int, end: int) -> "Strokes":
        """Return the columns from ``start`` to ``end`` of the strip."""
        return Strokes(self.strip[:, start:end], self.left + start, self.ridge[start:end], self.distance)

    @property
    def right(self) -> int:
        """The column of the page behind its last."""
        return self.left + int(self.strip.shape[1])

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows and columns of the page where the ink is."""
        rows, columns = np.nonzero(self.strip)
        heights = np.round(self.ridge[columns]).astype(np.int64) + rows - len(self.strip) // 2
        return heights, columns + self.left

    def erase(self, page: Mask) -> None:
        """Take the ink out of the page's."""
        page[self.places()] = 0

    def cut_out(self, shape: tuple[int, ...]) -> tuple[int, Mask]:
        """Return the page's row that a box around the line begins at, and the ink in that box, on a page of a shape."""
        rows, columns = self.places()
        spare = int(self.distance)
        top, bottom = max(0, int(rows.min()) - spare), min(shape[0], int(rows.max()) + spare + 1)
        ink = np.zeros((bottom - top, self.strip.shape[1]), np.uint8)
        ink[rows - top, columns - self.left] = 1
        return top, ink

    def moved(self, across: int, down: int) -> "Strokes":
        """Return the line so many px further right and down."""
        return Strokes(self.strip, self.left + across, self.ridge + down, self.distance)

    def gaps(self, least: float) -> list[tuple[int, int]]:
        """Return where the page has no ink of the line between its first and its last, over ``least`` px at least."""
        columns = np.flatnonzero(self.strip.any(0))
        wide = np.flatnonzero(np.diff(columns) > least)
        return [(self.left + int(columns[i]) + 1, self.left + int(columns[i + 1])) for i in wide]


def strokes_of(ink: Mask, ridges: list[Ridge], distance: float) -> list[Strokes]:
    """Share the ink of a page out among its lines.

    Args:
        ink: ``(H, W)``.
        ridges: of the lines.
        distance: of lines, in px.

    Returns:
        Lines with ink enough; those that fall apart into pieces far from each other as several.
    """
    owner = _owners(ink, ridges, distance)
    found: list[Strokes] = []
    for number, ridge in enumerate(ridges, start=1):
        line = _straightened(owner == number, ridge, distance)
        found += [part for part in _parts(line) if _is_line(part)] if line is not None else []
    return found


def _owners(ink: Mask, ridges: list[Ridge], distance: float) -> NDArray[np.int32]:
    """Return ``(H, W)``: the number of the line, from 1, that ink belongs to; 0 for none."""
    nearest = _nearest(ink.shape, ridges, distance)
    number, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    where = np.flatnonzero(labels)
    lines = nearest.ravel()[where]
    pieces = labels.ravel()[where]
    lines_1 = len(ridges) + 1
    pairs, counts = np.unique(pieces.astype(np.int64) * lines_1 + lines, return_counts=True)
    order = np.argsort(counts, kind="stable")
    most, best = np.zeros(number, np.int64), np.zeros(number, np.int32)
    most[pairs[order] // lines_1] = counts[order]  # of pairs with the same piece, the last one stays: the largest
    best[pairs[order] // lines_1] = pairs[order] % lines_1
    whole = (most >= _SURE * boxes[:, 4]) | (boxes[:, 3] < _SMALL * distance)
    owner = np.zeros(ink.size, np.int32)
    owner[where] = np.where(whole[pieces], best[pieces], lines)
    return owner.reshape(ink.shape)


def _nearest(shape: tuple[int, ...], ridges: list[Ridge], distance: float) -> NDArray[np.int32]:
    """Return ``(H, W)``: the number of the line, from 1, whose ridge is closest above or below; 0 for none."""
    nearest = np.zeros(shape, np.int32)
    least = np.full(shape, np.inf, np.float32)
    reach = int(_REACH * distance)
    rows = np.arange(-reach, reach + 1)[:, None]
    for number, ridge in enumerate(ridges, start=1):
        xs, ys = _columns(ridge, shape[1], distance)
        places = np.round(ys).astype(int) + rows
        inside = (places >= 0) & (places < shape[0])
        places = places.clip(0, shape[0] - 1)
        away = np.where(inside, np.abs(places - ys), np.inf)
        closer = away < least[places, xs]
        least[places, xs] = np.where(closer, away, least[places, xs])
        nearest[places, xs] = np.where(closer, number, nearest[places, xs])
    return nearest


def _columns(ridge: Ridge, width: int, distance: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    first = max(0, int(ridge.x[0] - _BEYOND * distance))
    last = min(width, int(ridge.x[-1] + _BEYOND * distance) + 1)
    xs = np.arange(first, last)
    return xs, ridge.at(xs, 2 * distance)


def _straightened(own: NDArray[np.bool_], ridge: Ridge, distance: float) -> Strokes | None:
    """Return the ink of a line along its ridge, without specks far from the rest; None if there is none."""
    xs, ys = _columns(ridge, own.shape[1], distance)
    reach = int(1.3 * distance)
    places = np.round(ys).astype(int) + np.arange(-reach, reach + 1)[:, None]
    inside = (places >= 0) & (places < own.shape[0])
    strip = (own[places.clip(0, own.shape[0] - 1), xs] & inside).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(strip, connectivity=8)
    speck = boxes[:, 4] < min(_SPECK * distance * distance, 0.5 * _usual_area(boxes[1:, 4]))
    speck[0] = True
    middle = boxes[:, 1] + boxes[:, 3] / 2 - reach
    dust = speck & ((middle < -_DOTS[0] * distance) | (middle > _DOTS[1] * distance))
    strip[dust[labels]] = 0
    writing = np.flatnonzero((~speck[labels] & (strip > 0)).any(0))
    if not len(writing):
        return None
    near = np.zeros(strip.shape[1], bool)
    for x in writing:
        near[max(0, x - int(_LONELY * distance)) : x + int(_LONELY * distance) + 1] = True
    strip &= near.astype(np.uint8)
    columns = np.flatnonzero(strip.any(0))
    return Strokes(strip, int(xs[0]), ys, distance).part(int(columns[0]), int(columns[-1]) + 1)


def _usual_area(areas: NDArray[np.int32]) -> float:
    """Return the area of the piece in which the middle pixel of all pieces lies, sorted by area."""
    areas = np.sort(areas)
    total = np.cumsum(areas)
    return float(areas[np.searchsorted(total, total[-1] / 2)]) if len(areas) else 0.0


def _parts(line: Strokes) -> Iterator[Strokes]:
    """Cut a line where nothing is written for long."""
    yield from cut_at(line, [(start + end) // 2 for start, end in line.gaps(_WIDE_GAP * line.distance)])


def cut_at(line: Strokes, columns: list[int]) -> Iterator[Strokes]:
    """Cut a line at columns of the page, and each part down to its ink."""
    bounds = [line.left, *columns, line.right]
    for start, end in itertools.pairwise(bounds):
        part = line.part(start - line.left, end - line.left)
        inked = np.flatnonzero(part.strip.any(0))
        if len(inked):
            yield part.part(int(inked[0]), int(inked[-1]) + 1)


def _is_line(line: Strokes) -> bool:
    area = int(line.strip.sum())
    return line.strip.shape[1] >= _SHORTEST * line.distance and area >= _LEAST_INK * line.distance**2


def rows_in(line: Strokes) -> float | None:
    """Return how far apart the rows are, in px, of small writing of which several pass for one line; None of a line.

    Over most of its length, there is then hardly any ink between two dense rows.
    """
    size = int(_CLOSE_ROWS_WINDOW * line.distance)
    steps = []
    for start in range(0, max(1, line.strip.shape[1] - size // 2), size):
        profile = line.strip[:, start : start + size].sum(1, dtype=np.float32)[:, None]
        profile = cv2.GaussianBlur(profile, (1, 0), sigmaX=1, sigmaY=0.04 * line.distance)[:, 0]
        crests = np.flatnonzero((profile[1:-1] >= profile[:-2]) & (profile[1:-1] > profile[2:])) + 1
        crests = crests[profile[crests] > 0.5 * profile.max()]
        deep = [
            b - a
            for a, b in itertools.pairwise(crests.tolist())
            if profile[a:b].min() < _CLOSE_ROWS_VALLEY * min(profile[a], profile[b])
        ]
        steps.append(float(max(deep, default=0)))
    return float(np.median(steps)) or None


def baseline_of(line: Strokes) -> NDArray[np.float32]:
    """Return ``(n, 2)`` points of the page: where the letters of a line stand.

    Over some letters together, ink is dense between the baseline and the height of an x; the baseline is where its
    profile falls most steeply below the densest row.
    """
    width, distance = line.strip.shape[1], line.distance
    reach = len(line.strip) // 2
    half = int(_WINDOW * distance / 2)
    centers = np.linspace(0, width - 1, max(1, round(width / (_STEP * distance))) + 1)
    below, weights = [], []
    for center in centers:
        window = line.strip[:, max(0, int(center) - half) : int(center) + half + 1]
        profile = cv2.GaussianBlur(window.sum(1, dtype=np.float32)[:, None], (1, 0), sigmaX=1, sigmaY=0.06 * distance)
        profile = profile[:, 0]
        near = slice(reach - int(0.45 * distance), reach + int(0.45 * distance) + 1)
        peak = near.start + int(profile[near].argmax())
        falls = -np.diff(profile[peak : peak + int(0.6 * distance) + 1])
        below.append(peak + int(falls.argmax()) + 0.5 - reach if len(falls) else 0.0)
        weights.append(float(profile.sum()))
    offsets = _smoothed(np.array(below), np.array(weights))
    xs = np.arange(0, width)
    ys = line.ridge + np.interp(xs, centers, offsets)
    ys = cv2.GaussianBlur(ys.astype(np.float32)[None], (0, 1), sigmaX=distance, sigmaY=1)[0]
    chosen = np.unique(np.r_[np.arange(0, width, max(1, int(distance))), width - 1])
    points = np.stack([chosen + line.left, ys[chosen]], axis=1).astype(np.float32)
    return np.asarray(cv2.approxPolyDP(points[:, None], 0.8, False)[:, 0], np.float32)


def _smoothed(offsets: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the weighted median of each five neighbors, and then their mean."""
    count = len(offsets)
    smooth = np.empty(count)
    for i in range(count):
        some = slice(max(0, i - 2), i + 3)
        order = np.argsort(offsets[some])
        total = np.cumsum(weights[some][order])
        smooth[i] = offsets[some][order][np.searchsorted(total, total[-1] / 2)]
    return np.array([smooth[max(0, i - 1) : i + 2].mean() for i in range(count)])


def outline_of(line: Strokes, baseline: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``(n, 2)`` points of the page: around the ink of a line, clockwise from its upper left."""
    width, distance = line.strip.shape[1], line.distance
    reach = len(line.strip) // 2
    inked = line.strip.any(0)
    stands = np.interp(np.arange(width) + line.left, baseline[:, 0], baseline[:, 1]) - line.ridge
    tops = np.where(inked, line.strip.argmax(0) - reach, stands - _ABOVE * distance)
    bottoms = np.where(inked, reach - line.strip[::-1].argmax(0) + 1, stands + _BELOW * distance)
    tops = np.minimum(tops, stands - _ABOVE * distance).astype(np.float32)
    bottoms = np.maximum(bottoms, stands + _BELOW * distance).astype(np.float32)
    kernel = np.ones((1, int(_SWAY * distance) | 1), np.uint8)
    tops = cv2.erode(tops[None], kernel)[0] - _PAD_PX
    bottoms = cv2.dilate(bottoms[None], kernel)[0] + _PAD_PX
    chosen = np.unique(np.r_[np.arange(0, width, max(1, int(0.3 * distance))), width - 1])
    xs = (chosen + line.left).astype(np.float32)
    xs[0] -= _ENDS[0] * distance
    xs[-1] += _ENDS[1] * distance
    upper = np.stack([xs, line.ridge[chosen] + tops[chosen]], axis=1)
    lower = np.stack([xs, line.ridge[chosen] + bottoms[chosen]], axis=1)[::-1]
    outline = np.concatenate([upper, lower]).astype(np.float32)
    return np.asarray(cv2.approxPolyDP(outline[:, None], 1.0, True)[:, 0], np.float32)
