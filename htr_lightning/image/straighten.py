"""Curved and slanting lines laid level: curves along baselines, and sampling across them."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.files import DataError

Pixels = NDArray[np.uint8]
Curve = NDArray[np.floating[Any]]
"""``(n, 2)``: x and y of points in pixels."""
PointMap = Callable[[NDArray[np.floating[Any]]], NDArray[np.float64]]
"""Takes points ``(..., 2)`` of what was made to those of what it was made of."""

_LONGEST_PX = 32_000  # what OpenCV can sample
_LEVEL_PX = 1.5  # a baseline that leaves the horizontal by no more needs no straightening


def curve_along(baseline: Curve, polygon: Curve, padding_px: float) -> tuple[Curve, float, float]:
    """Return a smooth baseline from one end of the outline to the other, and how far the outline reaches from it.

    The corners of a baseline drawn with few points would become folds in the writing, so it is smoothed over the
    height of the line; it goes on beyond its ends in a straight line.
    """
    curve = resampled(baseline)
    above, below = _reach(polygon, curve)
    height = max(above + below, 4.0)
    ends = (curve[0], _direction(curve[: int(height) + 2])), (curve[-1], _direction(curve[-int(height) - 2 :]))
    before = max(0.0, float((-(polygon - ends[0][0]) @ ends[0][1]).max())) + padding_px
    after = max(0.0, float(((polygon - ends[1][0]) @ ends[1][1]).max())) + padding_px
    spare = int(1.5 * height) + 1  # what smoothing would bend at the ends
    before, after = (min(int(x), 2 * len(curve)) for x in (before, after))
    steps = np.arange(before + spare, 0, -1)[:, None], np.arange(1, after + spare + 1)[:, None]
    longer = np.concatenate([ends[0][0] - steps[0] * ends[0][1], curve, ends[1][0] + steps[1] * ends[1][1]])
    smooth = cv2.GaussianBlur(longer, (1, 0), sigmaX=1, sigmaY=height / 2, borderType=cv2.BORDER_REPLICATE)
    curve = np.asarray(smooth, np.float64)[spare:-spare]
    above, below = _reach(polygon, curve)
    return curve, above + padding_px, below + padding_px


def resampled(baseline: Curve) -> Curve:
    """Points one pixel apart along a baseline."""
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(baseline, axis=0).T))]
    wanted = np.linspace(0, along[-1], max(2, round(along[-1]) + 1))
    return np.stack([np.interp(wanted, along, baseline[:, axis]) for axis in (0, 1)], axis=1)


def rightwards(baseline: Curve) -> Curve:
    """Turn a baseline round that runs to the left."""
    across, down = baseline[-1] - baseline[0]
    return baseline[::-1] if across < 0 and -across > abs(down) else baseline


def within(baseline: Curve, low: Curve, high: Curve, what: str) -> Curve:
    """Return the part of a baseline from its first to its last place in a box.

    Raises:
        DataError: less than half of it is there.
    """
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(baseline, axis=0).T))]
    wanted = np.unique(np.r_[along, np.linspace(0, along[-1], 1000)])
    points = np.stack([np.interp(wanted, along, baseline[:, axis]) for axis in (0, 1)], axis=1)
    inside = ((points >= low) & (points <= high)).all(axis=1)
    places = np.flatnonzero(inside)
    share = np.interp(np.linspace(0, along[-1], 1000), wanted, inside).mean()
    if share < 0.5 or len(places) < 2 or wanted[places[-1]] - wanted[places[0]] > 2 * float((high - low).sum()):
        raise DataError(f"its baseline leaves {what}; draw it again")
    return points[places[0] : places[-1] + 1]


def is_level(curve: Curve) -> bool:
    """Whether a curve is horizontal, but for less than can be seen."""
    return float(np.ptp(curve[:, 1])) <= 2 * _LEVEL_PX and curve[-1, 0] > curve[0, 0]


def normals_of(curve: Curve) -> Curve:
    """Unit vectors across the curve, pointing down where it runs to the right."""
    along = np.gradient(curve, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    return np.stack([-along[:, 1], along[:, 0]], axis=1)


def unroll(part: Pixels, inside: Pixels, curve: Curve, above: float, below: float) -> tuple[Pixels, Pixels]:
    """Sample the page, and what is inside the outline, at every distance across every point of the curve."""
    if len(curve) > _LONGEST_PX or above + below > _LONGEST_PX:
        raise DataError(f"it is longer than {_LONGEST_PX:,} px; scale the page down, or draw the line again")
    across = np.arange(-np.ceil(above), np.ceil(below) + 1)[:, None, None]
    places = (curve[None] + across * normals_of(curve)[None]).astype(np.float32)
    x, y = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    straight = cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.remap(inside, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(straight, np.uint8), np.asarray(mask, np.uint8)


def to_page_coordinates(
    points: NDArray[np.floating[Any]], *, corner: Curve, origin: Curve, unrolled: tuple[Curve, float] | None
) -> NDArray[np.float64]:
    """Take points of a line that was cut out to those of its page.

    Args:
        points: ``(..., 2)``; the middle of the first pixel is (0.5, 0.5).
        corner: of the line in what was straightened.
        origin: of the part of the page that was straightened.
        unrolled: the curve it was straightened along, and the row that lies on it; None if it was not.
    """
    points = np.asarray(points, np.float64) + corner
    if unrolled is None:
        return points + origin
    curve, row = unrolled
    along, across = points[..., :1] - 0.5, points[..., 1:] - 0.5 - row
    numbers = np.arange(len(curve))
    normals = normals_of(curve)
    place = np.concatenate([np.interp(along, numbers, curve[:, axis]) for axis in (0, 1)], axis=-1)
    normal = np.concatenate([np.interp(along, numbers, normals[:, axis]) for axis in (0, 1)], axis=-1)
    beyond = along - along.clip(0, len(curve) - 1)
    direction = np.stack([normal[..., 1], -normal[..., 0]], axis=-1)
    return np.asarray(place + beyond * direction + across * normal + origin + 0.5)


def _direction(points: Curve) -> Curve:
    across = points[-1] - points[0]
    length: float = max(float(np.hypot(*across)), 1e-9)
    return np.asarray(across / length)


def _reach(polygon: Curve, curve: Curve) -> tuple[float, float]:
    """How far an outline reaches above and below a curve, in pixels."""
    normals = normals_of(curve)
    distances = [_distance(point, curve, normals) for point in polygon]
    return max(0.0, -min(distances)), max(0.0, max(distances))


def _distance(point: Curve, curve: Curve, normals: Curve) -> float:
    offsets = point - curve
    nearest = int((offsets * offsets).sum(axis=1).argmin())
    return float(offsets[nearest] @ normals[nearest])


Points = NDArray[np.float32]
"""``(n, 2)``: x and y of each point, in the layout's own unit (see `Page.size`)."""


def no_points() -> Points:
    """Return a polygon or baseline that is not there."""
    return np.zeros((0, 2), np.float32)
