"""Detection of text lines as ridges of blurred ink.

Ink that is blurred along the writing, much more than across it, has a ridge along the middle of each line (Bukhari,
Shafait and Breuel 2009, *Script-independent handwritten textlines segmentation using active contours*). The direction
is estimated for each part of the page, so that sloped and curved lines are blurred along themselves.
"""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.binarization import Mask
from htr_lightning.segmentation.estimation import (
    MAX_SPACING_PER_LETTER,
    Floats,
    estimate_letter_height,
    estimate_line_spacing,
    shear_columns,
)
from htr_lightning.segmentation.matching import match_closest

# Lengths are in line spacings unless the name ends in _PX.
_SPACING_PX = 14  # line spacing that pages are scaled to
_SIGMA_ACROSS, _SIGMA_ALONG = 0.17, 1.4  # standard deviations of the blur
_DEGREES = np.arange(-10.0, 10.1, 2.0)  # candidate directions of the writing
_MIN_STRENGTH = 0.12  # of a ridge, relative to the strongest ones
_MAX_STEP_PX = 1.3  # vertical movement of a ridge from column to column, after scaling
_MIN_LENGTH = 0.8  # of a ridge
_MAX_RIDGES = 1500  # of a page: more are noise
_DUPLICATE_DISTANCE = 0.5  # within which a shorter ridge duplicates a longer one
_MIN_LINE_SPACING_PX = 8.0  # smaller ones cannot be distinguished from noise
_MAX_GAP = 6.0  # over which ridges are joined
_SMALL_GAP = 1.5
_MAX_OFFSETS = 0.45, 0.3  # vertical offsets of joined ridges, over small gaps and larger ones


@dataclass(slots=True)
class Ridge:
    """The center line of a text line.

    Attributes:
        x: columns, ascending.
        y: the y coordinate in each of these columns.
    """

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)

    def y_at(self, x: NDArray[Any] | float, reach: float) -> NDArray[np.float64]:
        """Interpolate y; beyond the ends, extrapolate along the slope of the last ``reach`` px."""
        xs, ys = np.array(self.x), np.array(self.y)
        x = np.asarray(x, np.float64)
        inside = np.interp(x, xs, ys)
        before = _fit_slope(xs[xs <= xs[0] + reach], ys)
        after = _fit_slope(xs[xs >= xs[-1] - reach], ys[::-1], last=True)
        return np.asarray(inside + np.minimum(x - xs[0], 0) * before + np.maximum(x - xs[-1], 0) * after)


def _fit_slope(xs: NDArray[np.float64], ys: NDArray[np.float64], *, last: bool = False) -> float:
    """Return the slope of the first points, or of the last ones, whose y coordinates are given in reverse."""
    if len(xs) < 3:
        return 0.0
    ys = ys[: len(xs)][::-1] if last else ys[: len(xs)]
    return float(np.clip(np.polyfit(xs, ys, 1)[0], -0.2, 0.2))


def find_ridges(ink: Mask, line_spacing: float | None = None) -> tuple[list[Ridge], float]:
    """Find the center line of each text line.

    Args:
        ink: ``(H, W)``.
        line_spacing: in px, if known; otherwise it is estimated.

    Returns:
        The ridges in px, joined over gaps within a line; and the line spacing in px (0 without writing).
    """
    if line_spacing is not None:
        return _remove_duplicates(_find_scaled_ridges(ink, line_spacing), line_spacing), line_spacing
    letter_height = estimate_letter_height(ink)
    if letter_height is None:
        return [], 0.0
    largest = MAX_SPACING_PER_LETTER * letter_height
    line_spacing = max(min(estimate_line_spacing(ink) or np.inf, largest), _MIN_LINE_SPACING_PX)
    ridges = _remove_duplicates(_find_scaled_ridges(ink, line_spacing), line_spacing)
    low, high = (factor * MAX_SPACING_PER_LETTER * letter_height for factor in (0.8, 1.6))
    line_spacing = float(np.clip(_measure_line_spacing(ridges, line_spacing), low, high))
    return _remove_duplicates(_find_scaled_ridges(ink, line_spacing), line_spacing), line_spacing


def _find_scaled_ridges(ink: Mask, line_spacing: float) -> list[Ridge]:
    """Find ridges at the resolution where the line spacing is `_SPACING_PX`; return them in px of the ink."""
    scale = min(1.0, _SPACING_PX / line_spacing)
    small = cv2.resize(ink.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    spacing = line_spacing * scale
    ridges = _join_ridges(_trace_ridges(_blur_along_text(np.asarray(small, np.float32), spacing), spacing), spacing)
    for ridge in ridges:
        ridge.x = [(x + 0.5) / scale for x in ridge.x]
        ridge.y = [(y + 0.5) / scale for y in ridge.y]
    return ridges


def _measure_line_spacing(ridges: list[Ridge], default: float) -> float:
    """Return the 40th percentile of the distances from each ridge to the next below; the default if there are few."""
    distances = []
    tops, bottoms = (np.array([choose(ridge.y) for ridge in ridges]) for choose in (min, max))
    for ridge in ridges:
        middle = (ridge.x[0] + ridge.x[-1]) / 2
        y = float(np.interp(middle, ridge.x, ridge.y))
        near = [ridges[i] for i in np.flatnonzero((tops < y + 8 * default) & (bottoms > y))]
        steps = [float(np.interp(middle, o.x, o.y)) - y for o in near if o.x[0] < middle < o.x[-1]]
        distances += [min(step for step in steps if step > 0)] if any(step > 0 for step in steps) else []
    return float(np.percentile(distances, 40)) if len(distances) > 2 else default


def _remove_duplicates(ridges: list[Ridge], line_spacing: float) -> list[Ridge]:
    """Remove ridges that run along a longer one, caused by its ascenders or descenders."""
    kept: list[Ridge] = []
    extents = np.zeros((0, 2))
    for ridge in sorted(ridges, key=lambda ridge: ridge.x[0] - ridge.x[-1]):
        xs, ys = np.array(ridge.x), np.array(ridge.y)
        reach = _DUPLICATE_DISTANCE * line_spacing
        near = (extents[:, 0] <= ys.max() + reach) & (extents[:, 1] >= ys.min() - reach)
        for longer in (kept[i] for i in np.flatnonzero(near)):
            overlaps = (xs >= longer.x[0]) & (xs <= longer.x[-1])
            is_close = np.abs(np.interp(xs, longer.x, longer.y) - ys) < reach
            if (overlaps & is_close).mean() > 0.6:
                break
        else:
            kept.append(ridge)
            extents = np.concatenate([extents, [(ys.min(), ys.max())]])
    return kept


def _blur_along_text(ink: Floats, spacing: float) -> Floats:
    """Blur ink along the writing: in each part of the page, in the direction with the sharpest rows."""
    blurred, sharpness = [], []
    window = int(6 * spacing) | 1, int(4 * spacing) | 1
    for degrees in _DEGREES:
        sheared = shear_columns(ink, degrees)
        smooth = cv2.GaussianBlur(sheared, (0, 0), sigmaX=_SIGMA_ALONG * spacing, sigmaY=_SIGMA_ACROSS * spacing)
        image = shear_columns(np.asarray(smooth, np.float32), -degrees)
        blurred.append(image)
        sharpness.append(cv2.blur(np.square(cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3)), window))
    best = np.stack(sharpness).argmax(0)
    return np.asarray(np.take_along_axis(np.stack(blurred), best[None], 0)[0])


def _trace_ridges(image: Floats, spacing: float) -> list[Ridge]:
    """Follow the ridges of blurred ink."""
    inner = image[1:-1]
    is_peak = (inner >= image[:-2]) & (inner > image[2:])
    if not is_peak.any():
        return []
    threshold = _MIN_STRENGTH * float(np.percentile(inner[is_peak], 90))
    return [ridge for ridge in link_peaks(image, threshold, _MAX_STEP_PX) if len(ridge.x) >= _MIN_LENGTH * spacing]


def link_peaks(image: Floats, threshold: float, max_step_px: float) -> list[Ridge]:
    """Link the vertical maxima of neighboring columns to ridges.

    Args:
        image: ``(H, W)``.
        threshold: that maxima must exceed.
        max_step_px: vertical distance up to which maxima of neighboring columns are linked.
    """
    inner = image[1:-1]
    is_peak = np.zeros(image.shape, bool)
    is_peak[1:-1] = (inner >= image[:-2]) & (inner > image[2:]) & (inner > threshold)
    ended: list[Ridge] = []
    active: list[Ridge] = []
    for x, peaks in enumerate(_refine_peaks(image, is_peak)):
        links = _link_nearest([ridge.y[-1] for ridge in active], peaks, max_step_px)
        for i, j in links.items():
            active[i].x.append(float(x))
            active[i].y.append(peaks[j])
        linked = set(links.values())
        ended += [ridge for i, ridge in enumerate(active) if i not in links]
        active = [ridge for i, ridge in enumerate(active) if i in links]
        active += [Ridge([float(x)], [y]) for j, y in enumerate(peaks) if j not in linked]
    return ended + active


def _link_nearest(ends: Sequence[float], peaks: Sequence[float], max_step_px: float) -> dict[int, int]:
    """Link ends of ridges to peaks, given in ascending order, one to one, the closest pairs first.

    Returns:
        The number of the peak of each end that has one.
    """
    pairs = []
    for i, y in enumerate(ends):
        for j in range(bisect.bisect_left(peaks, y - max_step_px), len(peaks)):
            if peaks[j] > y + max_step_px:
                break
            pairs.append((abs(y - peaks[j]), i, j))
    return match_closest(pairs)


def _refine_peaks(image: Floats, is_peak: NDArray[np.bool_]) -> list[list[float]]:
    """Return the y coordinates of the peaks of each column, to parts of a pixel, by a parabola through three."""
    columns, rows = np.nonzero(is_peak.T)
    above, center, below = (image[rows + step, columns] for step in (-1, 0, 1))
    curvature = np.maximum(2 * center - above - below, 1e-9)
    ys = rows + np.clip((below - above) / (2 * curvature), -0.5, 0.5)
    starts = np.searchsorted(columns, np.arange(image.shape[1] + 1)).tolist()
    return [ys[start:end].tolist() for start, end in itertools.pairwise(starts)]


def _join_ridges(ridges: list[Ridge], spacing: float) -> list[Ridge]:
    """Join ridges of which one continues the other; the closest pairs first."""
    ridges = sorted(ridges, key=lambda ridge: len(ridge.x))[-_MAX_RIDGES:]
    ends, starts = (np.array([(r.x[i], r.y[i]) for r in ridges]).reshape(-1, 2) for i in (-1, 0))
    gaps = starts[None, :, 0] - ends[:, None, 0]
    drops = np.abs(starts[None, :, 1] - ends[:, None, 1])
    near = (gaps >= -0.5 * spacing) & (gaps <= _MAX_GAP * spacing) & (drops <= spacing + 0.2 * np.maximum(gaps, 0))
    np.fill_diagonal(near, False)
    pairs = []
    for i, j in np.argwhere(near).tolist():
        gap = float(gaps[i, j])
        middle = (starts[j, 0] + ends[i, 0]) / 2
        offset = abs(float(ridges[i].y_at(middle, 3 * spacing)) - float(ridges[j].y_at(middle, 3 * spacing)))
        offset = max(offset, 0.7 * float(drops[i, j]) - 0.1 * max(gap, 0))
        max_offset = _MAX_OFFSETS[0] if gap <= _SMALL_GAP * spacing else _MAX_OFFSETS[1]
        if offset <= max_offset * spacing:
            pairs.append((gap + 10 * offset, i, j))
    successor: dict[int, int] = {}
    predecessor: dict[int, int] = {}
    for _, i, j in sorted(pairs):
        if i not in successor and j not in predecessor and _find_chain_end(j, successor) != i:
            successor[i], predecessor[j] = j, i
    return [_merge_chain(ridges, i, successor) for i in range(len(ridges)) if i not in predecessor]


def _find_chain_end(i: int, successor: dict[int, int]) -> int:
    while i in successor:
        i = successor[i]
    return i


def _merge_chain(ridges: list[Ridge], first: int, successor: dict[int, int]) -> Ridge:
    """Append to a ridge, in place, all ridges that continue it, and return it."""
    merged = ridges[first]
    while first in successor:
        first = successor[first]
        beyond = [k for k, x in enumerate(ridges[first].x) if x > merged.x[-1]]
        merged.x += [ridges[first].x[k] for k in beyond]
        merged.y += [ridges[first].y[k] for k in beyond]
    return merged
