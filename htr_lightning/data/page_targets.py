"""What a line finder learns from the lines of a page: maps of baselines, line ends, extents and orientations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.straighten import Points
from htr_lightning.layout.page import PageLine
from htr_lightning.segmentation.maps import MAP_STRIDE, ORIENTATION_STRIDE

_BASELINE_WIDTH, _END_WIDTH = 0.14, 0.16  # of the strokes that are drawn, relative to the height of the line
_MIN_WIDTH_PX, _MAX_WIDTH_PX = 2, 5
_END_ABOVE, _END_BELOW = 0.7, 0.3  # extent of a line end, relative to that of the line above its baseline
_DEFAULT_ABOVE, _DEFAULT_BELOW = 0.6, 0.25  # of a line without outline, relative to the line spacing
_UNKNOWN = 0.0  # in maps of extents
_SHIFT = 4  # binary digits of subpixel coordinates in OpenCV's drawing functions


@dataclass(frozen=True, slots=True, eq=False)
class TargetLine:
    """A line of a page to learn from.

    Attributes:
        baseline: ``(n, 2)`` px, n >= 2, in the direction of writing.
        above: extent above the baseline in px; 0 if it is not known.
        below: extent below the baseline in px.
        orientation: quarter turns clockwise by which its writing is turned, 0 to 3.
    """

    baseline: Points
    above: float
    below: float
    orientation: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PageTargets:
    """Maps to learn, for an input of ``H`` x ``W`` px.

    Attributes:
        lines: ``(4, H / 2, W / 2)`` float32: 1 on baselines, 1 on line ends, extents above and below in px of the
            input, 0 where they are not known.
        orientations: ``(H / 8, W / 8)`` int64: 0 for no writing, 1 to 4 for writing in each orientation.
    """

    lines: NDArray[np.float32]
    orientations: NDArray[np.int64]


def build_target_lines(lines: Iterable[PageLine], line_spacing: float, unreliable: frozenset[str]) -> list[TargetLine]:
    """Return the lines of a layout that have a baseline, in the unit of the layout.

    Args:
        lines: of the page.
        line_spacing: of the page, for lines without a usable outline.
        unreliable: ids of lines whose outline is not used.
    """
    targets = []
    for line in lines:
        if len(line.baseline) < 2 or not np.isfinite(line.baseline).all():
            continue
        across, down = (line.baseline[-1] - line.baseline[0]).tolist()
        orientation = line.orientation or (0 if abs(across) >= abs(down) else 1 if down > 0 else 3)
        baseline = _straighten_up(line.baseline, orientation)
        above, below = 0.0, 0.0
        if len(line.polygon) > 2 and line.id not in unreliable:
            above, below = _measure_extents(_turn(line.polygon, -orientation), _turn(baseline, -orientation))
        if above <= 0 or above > 4 * line_spacing:
            above = below = 0.0
        targets.append(TargetLine(baseline, above, below, orientation))
    known = [(t.above, t.below) for t in targets if t.above]
    above, below = _DEFAULT_ABOVE * line_spacing, _DEFAULT_BELOW * line_spacing
    if known:
        above, below = np.median(known, axis=0).tolist()
    return [t if t.above else replace(t, above=above, below=below) for t in targets]


def _straighten_up(baseline: Points, orientation: int) -> Points:
    """Return a baseline with its points in the direction of writing; editors draw some from right to left."""
    turned = _turn(baseline, -orientation)
    return baseline[np.argsort(turned[:, 0], kind="stable")] if turned[-1, 0] < turned[0, 0] else baseline


def _turn(points: Points, quarter_turns: int) -> Points:
    """Turn points clockwise about the origin (y points down)."""
    x, y = points[:, 0], points[:, 1]
    turned = [(x, y), (-y, x), (-x, -y), (y, -x)][quarter_turns % 4]
    return np.stack(turned, 1).astype(np.float32)


def _measure_extents(polygon: Points, baseline: Points) -> tuple[float, float]:
    """Return how far an outline reaches above and below a baseline: the 80th percentile over its length."""
    left, right = float(baseline[:, 0].min()), float(baseline[:, 0].max())
    xs = np.linspace(left, right, 33)[1:-1]
    ys = np.interp(xs, baseline[:, 0], baseline[:, 1])
    tops, bottoms = [], []
    starts, ends = polygon, np.roll(polygon, -1, axis=0)
    for x, y in zip(xs, ys, strict=True):
        crosses = (np.minimum(starts[:, 0], ends[:, 0]) <= x) & (np.maximum(starts[:, 0], ends[:, 0]) > x)
        if not crosses.any():
            continue
        a, b = starts[crosses], ends[crosses]
        crossings = a[:, 1] + (x - a[:, 0]) / (b[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        tops.append(y - crossings.min())
        bottoms.append(crossings.max() - y)
    if len(tops) < len(xs) / 2:
        return 0.0, 0.0
    above, below = float(np.percentile(tops, 80)), float(np.percentile(bottoms, 80))
    return (above, max(below, 0.0)) if above > 0 and below > -0.2 * above else (0.0, 0.0)


def draw_targets(lines: Sequence[TargetLine], height: int, width: int) -> PageTargets:
    """Draw the maps of lines in px of an input of ``height`` x ``width`` px, both multiples of 8."""
    shape = height // MAP_STRIDE, width // MAP_STRIDE
    maps = np.zeros((4, *shape), np.float32)
    orientations = np.zeros((height // ORIENTATION_STRIDE, width // ORIENTATION_STRIDE), np.uint8)
    for line in lines:
        band = _build_band(line) / ORIENTATION_STRIDE
        cv2.fillPoly(orientations, [_to_fixed(band)], 1 + line.orientation, shift=_SHIFT)
    upright = [line for line in lines if line.orientation == 0]
    for line in upright:
        points = _to_fixed(line.baseline / MAP_STRIDE)
        stroke = _get_width(_BASELINE_WIDTH, line)
        cv2.polylines(maps[0], [points], False, 1.0, stroke, shift=_SHIFT)
        for channel, extent in ((2, line.above), (3, line.below)):
            cv2.polylines(maps[channel], [points], False, max(float(extent), 1.0), stroke + 2, shift=_SHIFT)
    for line in upright:
        stroke = _get_width(_END_WIDTH, line)
        for x, y in (line.baseline[0], line.baseline[-1]):
            bar = np.array([(x, y - _END_ABOVE * line.above), (x, y + _END_BELOW * line.above)]) / MAP_STRIDE
            cv2.polylines(maps[1], [_to_fixed(bar)], False, 1.0, stroke, shift=_SHIFT)
    return PageTargets(maps, orientations.astype(np.int64))


def _build_band(line: TargetLine) -> Points:
    up = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)], np.float32)[line.orientation]
    upper, lower = line.baseline + up * line.above, line.baseline - up * line.below
    return np.concatenate([upper, lower[::-1]]).astype(np.float32)


def _get_width(fraction: float, line: TargetLine) -> int:
    height = (line.above + line.below) / MAP_STRIDE
    return int(np.clip(round(fraction * height), _MIN_WIDTH_PX, _MAX_WIDTH_PX))


def _to_fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    limited = np.clip(points - 0.5, -20_000, 20_000)  # OpenCV draws far points wrongly
    return np.asarray(np.round(limited * (1 << _SHIFT)), np.int32)[:, None]
