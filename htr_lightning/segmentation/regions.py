"""Which lines belong together, what is beside the text, and what is read before what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.straighten import Points

_OVERLAP = 0.3  # of the shorter of two lines, for them to be one above the other
_APART = 1.8  # usual distances of lines between two lines of one region
_FAR = 8.0  # distances of lines above a line that the one before it is looked for
_MARGIN_WIDTH = 0.4  # of the main text, at most, for notes in the margin
_OVERHANG = 0.15  # of its own width, that a note may reach over the main text


@dataclass(frozen=True, slots=True, eq=False)
class DetectedLine:
    """A line of writing on a page.

    Attributes:
        baseline: ``(n, 2)`` px, from its beginning to its end.
        polygon: ``(n, 2)`` px, its outline.
    """

    baseline: Points
    polygon: Points

    @property
    def left(self) -> float:
        """Where it begins."""
        return float(self.baseline[:, 0].min())

    @property
    def right(self) -> float:
        """Where it ends."""
        return float(self.baseline[:, 0].max())

    def height_at(self, x: float) -> float:
        """Return the height of its baseline; beyond its ends, that of the end."""
        return float(np.interp(x, self.baseline[:, 0], self.baseline[:, 1]))


@dataclass(frozen=True, slots=True, eq=False)
class DetectedRegion:
    """Lines that belong together.

    Attributes:
        lines: in reading order.
        kind: ``paragraph`` or ``marginalia``.
    """

    lines: tuple[DetectedLine, ...]
    kind: str = "paragraph"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of all outlines."""
        points = np.concatenate([line.polygon for line in self.lines])
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return left, top, right, bottom


def arrange(lines: Sequence[DetectedLine], distance: float) -> list[DetectedRegion]:
    """Group lines to regions, and put them in reading order.

    Regions follow each other as in Breuel 2003, *High Performance Document Layout Analysis*, section 3: one is before
    another if it is above it, or in a column to the left of it.

    Args:
        lines: of a page, in any order.
        distance: of lines, in px.
    """
    if not lines:
        return []
    slope = float(np.median([_slope(line) for line in lines]))
    turn = np.array([[1, -slope], [slope, 1]], np.float32) / np.float32(np.hypot(1, slope))
    level = [DetectedLine(line.baseline @ turn, line.polygon @ turn) for line in lines]
    given = {id(new): line for new, line in zip(level, lines, strict=True)}
    regions = [DetectedRegion(tuple(_sorted(block))) for block in _blocks(level, distance)]
    return [
        DetectedRegion(tuple(given[id(line)] for line in region.lines), region.kind)
        for region in _in_order(_with_margins(regions))
    ]


def _slope(line: DetectedLine) -> float:
    across, down = (line.baseline[-1] - line.baseline[0]).tolist()
    return float(np.clip(down / max(across, 1.0), -0.2, 0.2))


def _sorted(lines: Sequence[DetectedLine]) -> list[DetectedLine]:
    """Sort the lines of a region: from top to bottom, those on one height from left to right."""
    middle = float(np.mean([(line.left + line.right) / 2 for line in lines]))
    return sorted(lines, key=lambda line: (line.height_at(middle), line.left))


def _blocks(lines: Sequence[DetectedLine], distance: float) -> list[list[DetectedLine]]:
    """Put each line into the block of the one above it, if that is near."""
    middle = float(np.mean([(line.left + line.right) / 2 for line in lines]))
    order = sorted(lines, key=lambda line: line.height_at(middle))
    heights = np.array([line.height_at(middle) for line in order])
    steps = []
    above: list[int | None] = []
    for number, line in enumerate(order):
        near = range(np.searchsorted(heights, heights[number] - _FAR * distance), number)
        candidates = [(_below(order[i], line), i) for i in near if _are_stacked(order[i], line)]
        nearest = min((c for c in candidates if c[0] > 0), default=None)
        above.append(None if nearest is None else nearest[1])
        steps.append(np.inf if nearest is None else nearest[0])
    close = [step for step in steps if step < 3 * distance]
    usual = min(float(np.median(close)), 1.5 * distance) if close else distance
    block_of: list[int] = []
    blocks: list[list[DetectedLine]] = []
    last: dict[int, int] = {}
    for number, line in enumerate(order):
        parent = above[number]
        joins = parent is not None and steps[number] <= _APART * usual and last.get(block_of[parent]) == parent
        if parent is not None and joins:
            block = block_of[parent]
            blocks[block].append(line)
        else:
            block = len(blocks)
            blocks.append([line])
        block_of.append(block)
        last[block] = number
    return blocks


def _are_stacked(a: DetectedLine, b: DetectedLine) -> bool:
    shared = min(a.right, b.right) - max(a.left, b.left)
    return shared >= _OVERLAP * min(a.right - a.left, b.right - b.left)


def _below(upper: DetectedLine, lower: DetectedLine) -> float:
    """Return how far one baseline is below another, where both are."""
    x = (max(upper.left, lower.left) + min(upper.right, lower.right)) / 2
    return lower.height_at(x) - upper.height_at(x)


def _with_margins(regions: list[DetectedRegion]) -> list[DetectedRegion]:
    """Mark narrow regions beside the main text."""
    boxes = [region.box for region in regions]
    main = max(range(len(regions)), key=lambda i: len(regions[i].lines) * (boxes[i][2] - boxes[i][0]))
    left, top, right, bottom = boxes[main]
    marked = []
    for region, box in zip(regions, boxes, strict=True):
        width = box[2] - box[0]
        beside = box[2] <= left + _OVERHANG * width or box[0] >= right - _OVERHANG * width
        level = min(box[3], bottom) - max(box[1], top) > 0
        marginal = beside and level and width <= _MARGIN_WIDTH * (right - left)
        marked.append(DetectedRegion(region.lines, "marginalia") if marginal else region)
    return marked


def _in_order(regions: list[DetectedRegion]) -> list[DetectedRegion]:
    """Sort topologically; where the rules leave a choice, the higher region first."""
    boxes = np.array([region.box for region in regions])
    before = _before(boxes)
    left = np.ones(len(regions), bool)
    order = []
    while left.any():
        free = left & ~before[left].any(0)
        candidates = np.flatnonzero(free if free.any() else left)
        first = min(candidates.tolist(), key=lambda i: (boxes[i, 1], boxes[i, 0]))
        order.append(regions[first])
        left[first] = False
    return order


def _before(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return ``(n, n)``: whether region i is read before region j."""
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    stacked = _overlaps(boxes)
    before = stacked & (middles[:, None] < middles[None])
    leftwards = ~stacked & (boxes[:, None, 2] <= boxes[None, :, 0])
    for i in range(len(boxes)):
        right = np.flatnonzero(leftwards[i])
        low, high = np.minimum(middles[i], middles[right]), np.maximum(middles[i], middles[right])
        between = stacked[:, i, None] & stacked[:, right] & (middles[:, None] > low) & (middles[:, None] < high)
        between[i] = False
        between[right, np.arange(len(right))] = False
        before[i, right] = ~between.any(0)
    np.fill_diagonal(before, False)
    return before


def _overlaps(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return ``(n, n)``: whether two regions overlap across by more than a tenth of the narrower."""
    shared = np.minimum(boxes[:, None, 2], boxes[None, :, 2]) - np.maximum(boxes[:, None, 0], boxes[None, :, 0])
    widths = boxes[:, 2] - boxes[:, 0]
    return np.asarray(shared / np.maximum(1.0, np.minimum(widths[:, None], widths[None])) > 0.1)
