"""Straightening of curved and skewed lines: smooth curves along baselines, and resampling of pixels along them."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.files import DataError

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]
"""``(n, 2)``: x and y of each point, in the unit of the layout (see `htr_lightning.layout.page.Page.size`)."""
Curve = NDArray[np.floating[Any]]
"""``(n, 2)``: x and y of points in pixels."""
PointMap = Callable[[NDArray[np.floating[Any]]], NDArray[np.float64]]
"""Maps points ``(..., 2)`` of a processed image to points of the image that it was made from."""

_MAX_SIZE_PX = 32_000  # cv2.remap cannot produce larger images
_HORIZONTAL_PX = 1.5  # a baseline that deviates no more from the horizontal needs no straightening


def no_points() -> Points:
    """Return an empty polygon or baseline, ``(0, 2)``."""
    return np.zeros((0, 2), np.float32)


def smooth_baseline(baseline: Curve, polygon: Curve, padding_px: float) -> tuple[Curve, float, float]:
    """Smooth a baseline and extend it to both ends of the polygon.

    The corners of a baseline drawn with few points would become folds in the writing, so the baseline is smoothed by
    a Gaussian of half the line's height. Beyond its ends it continues in a straight line.

    Returns:
        The curve, with one point per pixel; and how far the padded polygon extends above and below it, in pixels.
    """
    curve = resample(baseline)
    above, below = _measure_extent(polygon, curve)
    height = max(above + below, 4.0)
    reach = int(height) + 2  # points at each end that give the direction of its extension
    start, start_direction = curve[0], _compute_direction(curve[:reach])
    end, end_direction = curve[-1], _compute_direction(curve[-reach:])
    before = max(0.0, float((-(polygon - start) @ start_direction).max())) + padding_px
    after = max(0.0, float(((polygon - end) @ end_direction).max())) + padding_px
    spare = int(1.5 * height) + 1  # what smoothing bends at the ends; cut off again below
    before, after = (min(int(x), 2 * len(curve)) for x in (before, after))
    steps_before = np.arange(before + spare, 0, -1)[:, None]
    steps_after = np.arange(1, after + spare + 1)[:, None]
    extended = np.concatenate([start - steps_before * start_direction, curve, end + steps_after * end_direction])
    smooth = cv2.GaussianBlur(extended, (1, 0), sigmaX=1, sigmaY=height / 2, borderType=cv2.BORDER_REPLICATE)
    curve = np.asarray(smooth, np.float64)[spare:-spare]
    above, below = _measure_extent(polygon, curve)
    return curve, above + padding_px, below + padding_px


def resample(baseline: Curve) -> Curve:
    """Return points one pixel apart along a baseline."""
    lengths = _compute_arc_lengths(baseline)
    return _interpolate(baseline, lengths, np.linspace(0, lengths[-1], max(2, round(lengths[-1]) + 1)))


def orient_rightwards(baseline: Curve) -> Curve:
    """Reverse a baseline that runs to the left."""
    across, down = baseline[-1] - baseline[0]
    return baseline[::-1] if across < 0 and -across > abs(down) else baseline


def clip_baseline(baseline: Curve, low: Curve, high: Curve, box_name: str) -> Curve:
    """Return a baseline from the first to the last of its points in a box.

    Args:
        baseline: ``(n, 2)``.
        low: left and top of the box.
        high: right and bottom of the box.
        box_name: name of the box in the error.

    Raises:
        DataError: less than half of the baseline is in the box.
    """
    lengths = _compute_arc_lengths(baseline)
    positions = np.unique(np.r_[lengths, np.linspace(0, lengths[-1], 1000)])
    points = _interpolate(baseline, lengths, positions)
    inside = ((points >= low) & (points <= high)).all(axis=1)
    indices = np.flatnonzero(inside)
    fraction = np.interp(np.linspace(0, lengths[-1], 1000), positions, inside).mean()
    max_length = 2 * float((high - low).sum())
    if fraction < 0.5 or len(indices) < 2 or positions[indices[-1]] - positions[indices[0]] > max_length:
        raise DataError(f"its baseline leaves {box_name}", remedy="draw it again", kind="outside_page")
    return points[indices[0] : indices[-1] + 1]


def is_horizontal(curve: Curve) -> bool:
    """Return whether a curve runs to the right, without a visible deviation from the horizontal."""
    return float(np.ptp(curve[:, 1])) <= 2 * _HORIZONTAL_PX and curve[-1, 0] > curve[0, 0]


def compute_normals(curve: Curve) -> Curve:
    """Return the unit normals ``(n, 2)`` of a curve; they point down where it runs to the right."""
    tangents = np.gradient(curve, axis=0)
    tangents /= np.maximum(np.hypot(tangents[:, 0], tangents[:, 1]), 1e-9)[:, None]
    return np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)


def straighten(part: Pixels, inside: Pixels, curve: Curve, above: float, below: float) -> tuple[Pixels, Pixels]:
    """Resample pixels along a curve, so that the curve becomes a row.

    Args:
        part: ``(H, W)`` or ``(H, W, 3)``.
        inside: mask of the line's polygon, ``(H, W)``.
        curve: ``(n, 2)``, one point for each column of the result.
        above: extent of the result above the curve, in pixels.
        below: extent of the result below the curve, in pixels.

    Raises:
        DataError: the result would be larger than OpenCV can handle.
    """
    if len(curve) > _MAX_SIZE_PX or above + below > _MAX_SIZE_PX:
        raise DataError(
            f"it is longer than {_MAX_SIZE_PX:,} px",
            remedy="scale the page down, or draw the line again",
            kind="too_long",
        )
    offsets = np.arange(-np.ceil(above), np.ceil(below) + 1)[:, None, None]
    points = (curve[None] + offsets * compute_normals(curve)[None]).astype(np.float32)
    x, y = np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])
    straight = cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.remap(inside, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(straight, np.uint8), np.asarray(mask, np.uint8)


def to_page_coordinates(
    points: NDArray[np.floating[Any]], *, corner: Curve, origin: Curve, straightened: tuple[Curve, float] | None
) -> NDArray[np.float64]:
    """Map points of a cropped line to points of its page.

    Args:
        points: ``(..., 2)``; the center of the first pixel is (0.5, 0.5).
        corner: upper left corner of the line in the image after straightening.
        origin: upper left corner, on the page, of the image before straightening.
        straightened: the curve that the image was straightened along, and the row that the curve became; None if it
            was not straightened.
    """
    points = np.asarray(points, np.float64) + corner
    if straightened is None:
        return points + origin
    curve, row = straightened
    along, across = points[..., :1] - 0.5, points[..., 1:] - 0.5 - row
    indices = np.arange(len(curve))
    normals = compute_normals(curve)
    on_curve = np.concatenate([np.interp(along, indices, curve[:, axis]) for axis in (0, 1)], axis=-1)
    normal = np.concatenate([np.interp(along, indices, normals[:, axis]) for axis in (0, 1)], axis=-1)
    beyond = along - along.clip(0, len(curve) - 1)
    tangent = np.stack([normal[..., 1], -normal[..., 0]], axis=-1)
    return np.asarray(on_curve + beyond * tangent + across * normal + origin + 0.5)


def _compute_arc_lengths(baseline: Curve) -> Curve:
    """Return the length of a baseline from its start to each of its points, ``(n,)``."""
    return np.asarray(np.r_[0, np.cumsum(np.hypot(*np.diff(baseline, axis=0).T))])


def _interpolate(baseline: Curve, lengths: Curve, positions: Curve) -> Curve:
    """Return the points of a baseline at some arc lengths."""
    return np.stack([np.interp(positions, lengths, baseline[:, axis]) for axis in (0, 1)], axis=1)


def _compute_direction(points: Curve) -> Curve:
    """Return the unit vector from the first point to the last."""
    difference = points[-1] - points[0]
    length: float = max(float(np.hypot(*difference)), 1e-9)
    return np.asarray(difference / length)


def _measure_extent(polygon: Curve, curve: Curve) -> tuple[float, float]:
    """Return how far a polygon extends above and below a curve, in pixels."""
    normals = compute_normals(curve)
    xs, ys = np.ascontiguousarray(curve.T)
    nearest = [int((np.square(xs - x) + np.square(ys - y)).argmin()) for x, y in polygon.tolist()]
    distances = ((polygon - curve[nearest]) * normals[nearest]).sum(axis=1)
    return max(0.0, -float(distances.min())), max(0.0, float(distances.max()))
