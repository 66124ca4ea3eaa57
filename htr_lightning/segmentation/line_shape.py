"""Baseline, polygon and row spacing of text lines, from the ink in their strips."""

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.line_strips import LineStrip

# Lengths are in line spacings unless the name ends in _PX.
_BASELINE_WINDOW, _BASELINE_STEP = 3.0, 1.0  # width of the windows in which the baseline is estimated, and their step
_MIN_ABOVE, _MIN_BELOW = 0.45, 0.12  # extent of a polygon above and below the baseline
_POLYGON_WINDOW = 0.45  # width in which a polygon is as high as its highest stroke
_POLYGON_PADDING_PX = 2
# Of a polygon beyond the ink: a full stop may have been removed together with a ruling line.
_EXTEND_LEFT, _EXTEND_RIGHT = 0.1, 0.3
_ROW_WINDOW = 4.0  # width of the windows in which close rows are searched
_ROW_VALLEY = 0.4  # ink between two rows, relative to the rows


def estimate_row_spacing(strip: LineStrip) -> float | None:
    """Return the spacing in px of the rows of small writing that were detected as one line; None for a single line.

    Rows are dense in ink, and over most of the length of the strip there is hardly any ink between them.
    """
    size = int(_ROW_WINDOW * strip.line_spacing)
    spacings = []
    for start in range(0, max(1, strip.mask.shape[1] - size // 2), size):
        profile = strip.mask[:, start : start + size].sum(1, dtype=np.float32)[:, None]
        profile = cv2.GaussianBlur(profile, (1, 0), sigmaX=1, sigmaY=0.04 * strip.line_spacing)[:, 0]
        peaks = np.flatnonzero((profile[1:-1] >= profile[:-2]) & (profile[1:-1] > profile[2:])) + 1
        peaks = peaks[profile[peaks] > 0.5 * profile.max()]
        separate = [
            b - a
            for a, b in itertools.pairwise(peaks.tolist())
            if profile[a:b].min() < _ROW_VALLEY * min(profile[a], profile[b])
        ]
        spacings.append(float(max(separate, default=0)))
    return float(np.median(spacings)) or None


def estimate_baseline(strip: LineStrip) -> NDArray[np.float32]:
    """Estimate the baseline of a line: ``(n, 2)`` points of the page.

    In a window of several letters, ink is dense between baseline and x-height; the baseline is where the projection
    profile falls most steeply below its densest row.
    """
    width, spacing = strip.mask.shape[1], strip.line_spacing
    reach = len(strip.mask) // 2
    half = int(_BASELINE_WINDOW * spacing / 2)
    centers = np.linspace(0, width - 1, max(1, round(width / (_BASELINE_STEP * spacing))) + 1)
    offsets, weights = [], []
    for center in centers:
        window = strip.mask[:, max(0, int(center) - half) : int(center) + half + 1]
        profile = cv2.GaussianBlur(window.sum(1, dtype=np.float32)[:, None], (1, 0), sigmaX=1, sigmaY=0.06 * spacing)
        profile = profile[:, 0]
        near_ridge = slice(reach - int(0.45 * spacing), reach + int(0.45 * spacing) + 1)
        peak = near_ridge.start + int(profile[near_ridge].argmax())
        falls = -np.diff(profile[peak : peak + int(0.6 * spacing) + 1])
        offsets.append(peak + int(falls.argmax()) + 0.5 - reach if len(falls) else 0.0)
        weights.append(float(profile.sum()))
    smooth = _smooth_offsets(np.array(offsets), np.array(weights))
    ys = strip.ridge + np.interp(np.arange(0, width), centers, smooth)
    ys = cv2.GaussianBlur(ys.astype(np.float32)[None], (0, 1), sigmaX=spacing, sigmaY=1)[0]
    columns = np.unique(np.r_[np.arange(0, width, max(1, int(spacing))), width - 1])
    points = np.stack([columns + strip.left, ys[columns]], axis=1).astype(np.float32)
    return np.asarray(cv2.approxPolyDP(points[:, None], 0.8, False)[:, 0], np.float32)


def _smooth_offsets(offsets: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a weighted median filter of five values, then a mean filter of three."""
    count = len(offsets)
    medians = np.empty(count)
    for i in range(count):
        window = slice(max(0, i - 2), i + 3)
        order = np.argsort(offsets[window])
        total = np.cumsum(weights[window][order])
        medians[i] = offsets[window][order][np.searchsorted(total, total[-1] / 2)]
    return np.array([medians[max(0, i - 1) : i + 2].mean() for i in range(count)])


def build_polygon(strip: LineStrip, baseline: NDArray[np.float32]) -> NDArray[np.float32]:
    """Build the polygon around the ink of a line: ``(n, 2)`` points of the page, clockwise from the upper left."""
    width, spacing = strip.mask.shape[1], strip.line_spacing
    reach = len(strip.mask) // 2
    has_ink = strip.mask.any(0)
    base = np.interp(np.arange(width) + strip.left, baseline[:, 0], baseline[:, 1]) - strip.ridge
    tops = np.where(has_ink, strip.mask.argmax(0) - reach, base - _MIN_ABOVE * spacing)
    bottoms = np.where(has_ink, reach - strip.mask[::-1].argmax(0) + 1, base + _MIN_BELOW * spacing)
    tops = np.minimum(tops, base - _MIN_ABOVE * spacing).astype(np.float32)
    bottoms = np.maximum(bottoms, base + _MIN_BELOW * spacing).astype(np.float32)
    kernel = np.ones((1, int(_POLYGON_WINDOW * spacing) | 1), np.uint8)
    tops = cv2.erode(tops[None], kernel)[0] - _POLYGON_PADDING_PX
    bottoms = cv2.dilate(bottoms[None], kernel)[0] + _POLYGON_PADDING_PX
    columns = np.unique(np.r_[np.arange(0, width, max(1, int(0.3 * spacing))), width - 1])
    xs = (columns + strip.left).astype(np.float32)
    xs[0] -= _EXTEND_LEFT * spacing
    xs[-1] += _EXTEND_RIGHT * spacing
    upper = np.stack([xs, strip.ridge[columns] + tops[columns]], axis=1)
    lower = np.stack([xs, strip.ridge[columns] + bottoms[columns]], axis=1)[::-1]
    polygon = np.concatenate([upper, lower]).astype(np.float32)
    return np.asarray(cv2.approxPolyDP(polygon[:, None], 1.0, True)[:, 0], np.float32)
