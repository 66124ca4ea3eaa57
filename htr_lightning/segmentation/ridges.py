"""Where lines of writing run: the crests of smoothed ink.

Ink that is blurred along the writing, much more than across it, has a ridge in the middle of each line (Bukhari,
Shafait and Breuel 2009, *Script-independent handwritten textlines segmentation using active contours*). The direction
is found for each part of the page, so that slanting and curved lines are blurred along themselves.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.ink import Mask

Floats = NDArray[np.float32]

_SIZE_PX = 14  # what the writing is scaled to: the distance of its lines, or what would fit its letters
PER_LETTER = 2.6  # the largest distance of lines that is believed, in heights of letters
_ACROSS, _ALONG = 0.17, 1.4  # widths (standard deviations) of the blur, in distances of lines
_DEGREES = np.arange(-10.0, 10.1, 2.0)  # by which writing may rise or fall
_FAINTEST = 0.12  # ridge, as a share of the strongest there are
_STEP_PX = 1.3  # a ridge moves by at most so much from column to column, scaled
_SHORTEST = 0.8  # ridge, in distances of lines
_MOST_RIDGES = 1500  # of a page: more are noise
_DOUBLE = 0.5  # distances of lines within which a shorter ridge belongs to a longer one
_LEAST_PX = 8.0  # distance of lines that can be told from noise
_JOIN_ALONG = 6.0  # gap that ridges are joined over, in distances of lines
_JOIN_ACROSS = 0.45, 0.3  # how far they may miss each other: over gaps up to the next number, and over wider ones
_JOIN_ACROSS_NEAR = 1.5


@dataclass(slots=True)
class Ridge:
    """The middle of a line of writing.

    Attributes:
        x: columns, rising.
        y: the height there.
    """

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)

    def at(self, x: NDArray[Any] | float, reach: float) -> NDArray[np.float64]:
        """Return the height in columns; beyond the ends, along the slope of the last ``reach`` px."""
        xs, ys = np.array(self.x), np.array(self.y)
        x = np.asarray(x, np.float64)
        inside = np.interp(x, xs, ys)
        before, after = _slope(xs[xs <= xs[0] + reach], ys), _slope(xs[xs >= xs[-1] - reach], ys[::-1], last=True)
        return np.asarray(inside + np.minimum(x - xs[0], 0) * before + np.maximum(x - xs[-1], 0) * after)


def _slope(xs: NDArray[np.float64], ys: NDArray[np.float64], *, last: bool = False) -> float:
    """Return the slope of the first points, or of the last ones, whose heights come in reverse."""
    if len(xs) < 3:
        return 0.0
    heights = ys[: len(xs)][::-1] if last else ys[: len(xs)]
    return float(np.clip(np.polyfit(xs, heights, 1)[0], -0.2, 0.2))


def letter_height(ink: Mask) -> float | None:
    """Return the height of the usual piece of writing in px, those that are wider counting more; None without any."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    width, height, area = boxes[1:, 2], boxes[1:, 3], boxes[1:, 4]
    usable = (area > 8) & (height > 3) & (height < min(ink.shape) / 6) & (width < ink.shape[1] / 4)
    if usable.sum() < 3:
        return None
    order = np.argsort(height[usable])
    weight = np.cumsum(width[usable][order])
    return float(height[usable][order][np.searchsorted(weight, weight[-1] / 2)])


def usual_slope(ink: Mask) -> float:
    """Return by how much lines fall for each px to the right, to half a degree: where profiles are sharpest."""
    quarter = cv2.resize(ink.astype(np.float32), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = np.asarray(quarter, np.float32)
    degrees = max(np.arange(-8, 8.1, 0.5).tolist(), key=lambda degrees: _sharpness(_sheared(small, degrees)))
    return float(np.tan(np.radians(degrees)))


def line_spacing(ink: Mask) -> float | None:
    """Return how far apart lines are in px, as far as the profiles of upright strips repeat; None if they do not.

    The page is first sheared to the angle at which its profile is sharpest.
    """
    height, width = ink.shape
    image = ink.astype(np.float32)
    sheared = max((_sheared(image, degrees) for degrees in (-6.0, -3.0, 0.0, 3.0, 6.0)), key=_sharpness)
    total = np.zeros(height)
    for strip in np.array_split(sheared, max(1, width // 200), axis=1):
        profile = _smooth(strip.sum(1))
        profile = profile - cv2.blur(profile[:, None], (1, 101))[:, 0]
        spectrum = np.fft.rfft(profile, 2 * height)
        total += np.fft.irfft(spectrum * spectrum.conj())[:height]
    inside = total[10 : height // 4]
    rising, falling = inside[1:-1] >= inside[:-2], inside[1:-1] > inside[2:]
    crests = np.flatnonzero(rising & falling) + 1
    troughs = np.flatnonzero(~rising & ~falling) + 1
    crests = crests[crests > troughs[0]] if len(troughs) else crests
    crests = crests[inside[crests] > 0]
    if not len(crests):
        return None
    first = crests[inside[crests] >= 0.5 * inside[crests].max()][0]
    return float(first + 10)


def _sheared(image: Floats, degrees: float) -> Floats:
    """Move columns up or down, so that what rises or falls by so much becomes level."""
    height, width = image.shape
    slope = np.tan(np.radians(degrees))
    matrix = np.array([[1, 0, 0], [-slope, 1, slope * width / 2]])
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR), np.float32)


def _smooth(profile: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(profile[:, None], (1, 0), sigmaX=1, sigmaY=2)[:, 0], np.float32)


def _sharpness(image: Floats) -> float:
    return float(np.square(np.diff(_smooth(image.sum(1)))).sum())


def find_ridges(ink: Mask, distance: float | None = None) -> tuple[list[Ridge], float]:
    """Find the middle of each line.

    Args:
        ink: ``(H, W)``.
        distance: of lines in px, where it is known.

    Returns:
        Ridges in px of the ink, those on one line joined over gaps; and the distance of lines that the writing was
        taken to have, in px (0 where there is no writing).
    """
    if distance is not None:
        return _without_doubles(_ridges(ink, distance), distance), distance
    letters = letter_height(ink)
    if letters is None:
        return [], 0.0
    distance = max(min(line_spacing(ink) or np.inf, PER_LETTER * letters), _LEAST_PX)
    ridges = _without_doubles(_ridges(ink, distance), distance)
    distance = float(np.clip(_apart(ridges, distance), 0.8 * PER_LETTER * letters, 1.6 * PER_LETTER * letters))
    return _without_doubles(_ridges(ink, distance), distance), distance


def _ridges(ink: Mask, distance: float) -> list[Ridge]:
    scale = min(1.0, _SIZE_PX / distance)
    small = cv2.resize(ink.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = distance * scale
    ridges = _join(_trace(_energy(np.asarray(small, np.float32), size), size), size)
    for ridge in ridges:
        ridge.x = [(x + 0.5) / scale for x in ridge.x]
        ridge.y = [(y + 0.5) / scale for y in ridge.y]
    return ridges


def _apart(ridges: list[Ridge], distance: float) -> float:
    """Return how far each ridge is from the next one below; what was supposed, where there are too few."""
    below = []
    highest, lowest = (np.array([choose(ridge.y) for ridge in ridges]) for choose in (min, max))
    for ridge in ridges:
        middle = (ridge.x[0] + ridge.x[-1]) / 2
        y = float(np.interp(middle, ridge.x, ridge.y))
        near = [ridges[i] for i in np.flatnonzero((highest < y + 8 * distance) & (lowest > y))]
        steps = [float(np.interp(middle, o.x, o.y)) - y for o in near if o.x[0] < middle < o.x[-1]]
        below += [min(step for step in steps if step > 0)] if any(step > 0 for step in steps) else []
    return float(np.percentile(below, 40)) if len(below) > 2 else distance


def _without_doubles(ridges: list[Ridge], distance: float) -> list[Ridge]:
    """Leave out ridges that run along a longer one, of its ascenders or descenders."""
    kept: list[Ridge] = []
    spans = np.zeros((0, 2))
    for ridge in sorted(ridges, key=lambda ridge: ridge.x[0] - ridge.x[-1]):
        xs, ys = np.array(ridge.x), np.array(ridge.y)
        reach = _DOUBLE * distance
        near = (spans[:, 0] <= ys.max() + reach) & (spans[:, 1] >= ys.min() - reach)
        for longer in (kept[i] for i in np.flatnonzero(near)):
            beside = (xs >= longer.x[0]) & (xs <= longer.x[-1])
            close = np.abs(np.interp(xs, longer.x, longer.y) - ys) < reach
            if (beside & close).mean() > 0.6:
                break
        else:
            kept.append(ridge)
            spans = np.concatenate([spans, [(ys.min(), ys.max())]])
    return kept


def _energy(ink: Floats, size: float) -> Floats:
    """Blur ink along the writing: in each part of the page, in the direction in which rows are sharpest."""
    energies, sharpness = [], []
    window = int(6 * size) | 1, int(4 * size) | 1
    for degrees in _DEGREES:
        level = cv2.GaussianBlur(_sheared(ink, degrees), (0, 0), sigmaX=_ALONG * size, sigmaY=_ACROSS * size)
        energy = _sheared(np.asarray(level, np.float32), -degrees)
        energies.append(energy)
        sharpness.append(cv2.blur(np.square(cv2.Sobel(energy, cv2.CV_32F, 0, 1, ksize=3)), window))
    best = np.stack(sharpness).argmax(0)
    return np.asarray(np.take_along_axis(np.stack(energies), best[None], 0)[0])


def _trace(energy: Floats, size: float) -> list[Ridge]:
    """Follow the crests from column to column."""
    inner = energy[1:-1]
    crest = np.zeros(energy.shape, bool)
    crest[1:-1] = (inner >= energy[:-2]) & (inner > energy[2:])
    if not crest.any():
        return []
    crest &= energy > _FAINTEST * np.percentile(energy[crest], 90)
    done: list[Ridge] = []
    open_: list[Ridge] = []
    for x in range(energy.shape[1]):
        peaks = _peaks(energy[:, x], np.flatnonzero(crest[:, x]))
        away = np.abs(np.array([ridge.y[-1] for ridge in open_])[:, None] - np.array(peaks)[None])
        pairs = sorted((float(away[i, j]), i, j) for i, j in np.argwhere(away <= _STEP_PX).tolist())
        taken: dict[int, int] = {}
        used: set[int] = set()
        for _, i, j in pairs:
            if i not in taken and j not in used:
                taken[i] = j
                used.add(j)
        for i, j in taken.items():
            open_[i].x.append(float(x))
            open_[i].y.append(peaks[j])
        done += [ridge for i, ridge in enumerate(open_) if i not in taken]
        open_ = [ridge for i, ridge in enumerate(open_) if i in taken]
        open_ += [Ridge([float(x)], [y]) for j, y in enumerate(peaks) if j not in used]
    return [ridge for ridge in done + open_ if len(ridge.x) >= _SHORTEST * size]


def _peaks(column: Floats, rows: NDArray[np.int64]) -> list[float]:
    """Return the heights of crests to a fraction of a pixel, by a parabola through three."""
    above, here, below = column[rows - 1], column[rows], column[rows + 1]
    curvature = np.maximum(2 * here - above - below, 1e-9)
    return [float(y) for y in rows + np.clip((below - above) / (2 * curvature), -0.5, 0.5)]


def _join(ridges: list[Ridge], size: float) -> list[Ridge]:
    """Join ridges of which one goes on where the other ends; the closest pairs first."""
    ridges = sorted(ridges, key=lambda ridge: len(ridge.x))[-_MOST_RIDGES:]
    ends, starts = (np.array([(r.x[i], r.y[i]) for r in ridges]).reshape(-1, 2) for i in (-1, 0))
    gaps = starts[None, :, 0] - ends[:, None, 0]
    falls = np.abs(starts[None, :, 1] - ends[:, None, 1])
    near = (gaps >= -0.5 * size) & (gaps <= _JOIN_ALONG * size) & (falls <= size + 0.2 * np.maximum(gaps, 0))
    np.fill_diagonal(near, False)
    pairs = []
    for i, j in np.argwhere(near).tolist():
        gap = float(gaps[i, j])
        middle = (starts[j, 0] + ends[i, 0]) / 2
        apart = abs(float(ridges[i].at(middle, 3 * size)) - float(ridges[j].at(middle, 3 * size)))
        apart = max(apart, 0.7 * float(falls[i, j]) - 0.1 * max(gap, 0))
        most = _JOIN_ACROSS[0] if gap <= _JOIN_ACROSS_NEAR * size else _JOIN_ACROSS[1]
        if apart <= most * size:
            pairs.append((gap + 10 * apart, i, j))
    after: dict[int, int] = {}
    before: dict[int, int] = {}
    for _, i, j in sorted(pairs):
        if i not in after and j not in before and _last(j, after) != i:
            after[i], before[j] = j, i
    return [_chained(ridges, i, after) for i in range(len(ridges)) if i not in before]


def _last(i: int, after: dict[int, int]) -> int:
    while i in after:
        i = after[i]
    return i


def _chained(ridges: list[Ridge], first: int, after: dict[int, int]) -> Ridge:
    """Return a ridge with those that go on from it."""
    whole = ridges[first]
    while first in after:
        first = after[first]
        inside = [k for k, x in enumerate(ridges[first].x) if x > whole.x[-1]]
        whole.x += [ridges[first].x[k] for k in inside]
        whole.y += [ridges[first].y[k] for k in inside]
    return whole
