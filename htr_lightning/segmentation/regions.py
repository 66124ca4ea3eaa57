"""Grouping of text lines to regions, and their reading order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import Direction
from htr_lightning.image.straighten import Points
from htr_lightning.layout.page import Cell, Vertical

_MIN_OVERLAP = 0.3  # horizontal overlap of two lines of a region, relative to the shorter one
_MAX_SPACING = 1.8  # vertical distance of neighboring lines of a region, in typical distances
_SEARCH_DISTANCE = 8.0  # above a line, in line spacings, in which the line before it is searched
_MAX_ROW_OFFSET = 0.4  # vertical distance of two pieces of a row, in line spacings
_MAX_MARGINALIA_WIDTH = 0.4  # relative to the main text
_MAX_BESIDE = 0.2  # of a region that is above another one, beside that one, relative to the lower of the two
_MAX_MARGINALIA_OVERLAP = 0.15  # with the main text, relative to the width of the marginalia


@dataclass(frozen=True, slots=True, eq=False)
class DetectedLine:
    """A text line found on a page.

    Attributes:
        baseline: ``(n, 2)`` px, from the start of the line to its end.
        polygon: ``(n, 2)`` px, the outline of the line.
        confidence: 0..1, the mean probability of its baseline; None if it is not known.
        orientation: quarter turns clockwise by which its writing is turned, 0 to 3.
        cell: of the table that it is in; None outside of tables.
        vertical: how it runs if its characters stand below each other; empty for other lines.
    """

    baseline: Points
    polygon: Points
    confidence: float | None = None
    orientation: int = 0
    cell: Cell | None = None
    vertical: Vertical = ""

    @property
    def left(self) -> float:
        """Smallest x of the baseline."""
        return float(self.baseline[:, 0].min())

    @property
    def right(self) -> float:
        """Largest x of the baseline."""
        return float(self.baseline[:, 0].max())

    def y_at(self, x: float) -> float:
        """Return the y coordinate of the baseline; beyond its ends, that of the end."""
        return float(np.interp(x, self.baseline[:, 0], self.baseline[:, 1]))


@dataclass(frozen=True, slots=True, eq=False)
class DetectedRegion:
    """A region of text lines.

    Attributes:
        lines: in reading order.
        kind: ``paragraph``, ``marginalia`` or ``table``.
        half: 0 for the left half of a double page, 1 for the right one; None on a single page.
    """

    lines: tuple[DetectedLine, ...]
    kind: str = "paragraph"
    half: int | None = None

    @property
    def orientation(self) -> int:
        """Quarter turns clockwise by which the writing of its lines is turned."""
        return self.lines[0].orientation if self.lines else 0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of all polygons."""
        points = np.concatenate([line.polygon for line in self.lines])
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return left, top, right, bottom


def group_lines(
    lines: Sequence[DetectedLine],
    line_spacing: float,
    tables: Sequence[DetectedRegion] = (),
    direction: Direction = "ltr",
) -> list[DetectedRegion]:
    """Group lines to regions in reading order.

    The order follows Breuel 2003, *High Performance Document Layout Analysis*, section 3: a region precedes another
    if it is above it, or in a column to the left of it (to the right of it, where writing runs to the left).

    Args:
        lines: of a page, in any order.
        line_spacing: in px.
        tables: of the page, with other lines, to put into the reading order.
        direction: of writing.
    """
    everything = [*lines, *(line for table in tables for line in table.lines)]
    if not everything:
        return []
    straight = dict(zip(map(id, everything), deskew(everything), strict=True))
    originals = {id(straight[id(line)]): line for line in everything}
    blocks = _group_into_blocks([straight[id(line)] for line in lines], line_spacing) if lines else []
    regions = [DetectedRegion(tuple(_sort_lines(block, line_spacing, direction))) for block in blocks]
    regions += [replace(table, lines=tuple(straight[id(line)] for line in table.lines)) for table in tables]
    return [
        replace(region, lines=tuple(originals[id(line)] for line in region.lines))
        for region in _sort_regions(_mark_marginalia(regions), direction)
    ]


def deskew(lines: Sequence[DetectedLine]) -> list[DetectedLine]:
    """Turn lines so that their median slope becomes zero."""
    rotation = compute_rotation(lines).astype(np.float32)
    return [replace(line, baseline=line.baseline @ rotation, polygon=line.polygon @ rotation) for line in lines]


def compute_rotation(lines: Sequence[DetectedLine]) -> NDArray[np.float64]:
    """Return ``(2, 2)``: the matrix that turns points, as rows, so that the median slope of lines becomes zero."""
    slope = float(np.median([_compute_slope(line) for line in lines]))
    return np.array([[1, -slope], [slope, 1]], np.float64) / float(np.hypot(1, slope))


def _compute_slope(line: DetectedLine) -> float:
    across, down = (line.baseline[-1] - line.baseline[0]).tolist()
    return float(np.clip(down / max(across, 1.0), -0.2, 0.2))


def _sort_lines(lines: Sequence[DetectedLine], line_spacing: float, direction: Direction) -> list[DetectedLine]:
    """Sort the lines of a region from top to bottom, and pieces of one row in the direction of writing."""
    middle = float(np.mean([(line.left + line.right) / 2 for line in lines]))
    rows: list[list[DetectedLine]] = []
    for line in sorted(lines, key=lambda line: line.y_at(middle)):
        if rows and all(_are_one_row(line, other, line_spacing) for other in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    side = 1 if direction == "ltr" else -1
    return [line for row in rows for line in sorted(row, key=lambda line: side * line.left)]


def _are_one_row(a: DetectedLine, b: DetectedLine, line_spacing: float) -> bool:
    """Return whether two lines are side by side at one height, with hardly any overlap."""
    left, right = sorted((a, b), key=lambda line: line.left)
    shared = left.right - right.left
    distance = abs(left.y_at(left.right) - right.y_at(right.left))
    return shared <= 0.2 * min(a.right - a.left, b.right - b.left) and distance <= _MAX_ROW_OFFSET * line_spacing


def _group_into_blocks(lines: Sequence[DetectedLine], line_spacing: float) -> list[list[DetectedLine]]:
    """Put each line into the block of the line above it, if that is near."""
    middle = float(np.mean([(line.left + line.right) / 2 for line in lines]))
    order = sorted(lines, key=lambda line: line.y_at(middle))
    heights = np.array([line.y_at(middle) for line in order])
    distances = []
    above: list[int | None] = []
    for index, line in enumerate(order):
        near = range(np.searchsorted(heights, heights[index] - _SEARCH_DISTANCE * line_spacing), index)
        candidates = [(_measure_distance(order[i], line), i) for i in near if _are_stacked(order[i], line)]
        nearest = min((candidate for candidate in candidates if candidate[0] > 0), default=None)
        above.append(None if nearest is None else nearest[1])
        distances.append(np.inf if nearest is None else nearest[0])
    close = [distance for distance in distances if distance < 3 * line_spacing]
    typical = min(float(np.median(close)), 1.5 * line_spacing) if close else line_spacing
    block_of: list[int] = []
    blocks: list[list[DetectedLine]] = []
    last: dict[int, int] = {}
    for index, line in enumerate(order):
        parent = above[index]
        is_near = distances[index] <= _MAX_SPACING * typical
        if parent is not None and is_near and last.get(block_of[parent]) == parent:
            block = block_of[parent]
            blocks[block].append(line)
        else:
            block = len(blocks)
            blocks.append([line])
        block_of.append(block)
        last[block] = index
    return blocks


def _are_stacked(a: DetectedLine, b: DetectedLine) -> bool:
    """Return whether one line is above the other: they overlap horizontally."""
    shared = min(a.right, b.right) - max(a.left, b.left)
    return shared >= _MIN_OVERLAP * min(a.right - a.left, b.right - b.left)


def _measure_distance(upper: DetectedLine, lower: DetectedLine) -> float:
    """Return the vertical distance of two baselines at the middle of their horizontal overlap."""
    x = (max(upper.left, lower.left) + min(upper.right, lower.right)) / 2
    return lower.y_at(x) - upper.y_at(x)


def _mark_marginalia(regions: list[DetectedRegion]) -> list[DetectedRegion]:
    """Mark narrow regions beside the main text, the region with the most text, as marginalia."""
    boxes = [region.box for region in regions]
    main = max(range(len(regions)), key=lambda i: len(regions[i].lines) * (boxes[i][2] - boxes[i][0]))
    left, top, right, bottom = boxes[main]
    marked = []
    for region, box in zip(regions, boxes, strict=True):
        width = box[2] - box[0]
        overlap = _MAX_MARGINALIA_OVERLAP * width
        is_beside = box[2] <= left + overlap or box[0] >= right - overlap
        overlaps_vertically = min(box[3], bottom) - max(box[1], top) > 0
        is_marginalia = (
            region.kind != "table"
            and is_beside
            and overlaps_vertically
            and width <= _MAX_MARGINALIA_WIDTH * (right - left)
        )
        marked.append(replace(region, kind="marginalia") if is_marginalia else region)
    return marked


def _sort_regions(regions: list[DetectedRegion], direction: Direction) -> list[DetectedRegion]:
    """Sort regions topologically by their precedence; of several candidates, the highest comes first."""
    boxes = np.array([region.box for region in regions])
    if direction == "rtl":
        boxes = np.stack([-boxes[:, 2], boxes[:, 1], -boxes[:, 0], boxes[:, 3]], 1)
    precedes = _compute_precedence(boxes)
    remaining = np.ones(len(regions), bool)
    order = []
    while remaining.any():
        free = remaining & ~precedes[remaining].any(0)
        candidates = np.flatnonzero(free if free.any() else remaining)
        first = min(candidates.tolist(), key=lambda i: (boxes[i, 1], boxes[i, 0]))
        order.append(regions[first])
        remaining[first] = False
    return order


def _compute_precedence(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return ``(n, n)``: whether region i precedes region j in the reading order.

    It does if it is above region j; or if it is to the left of region j, and no region that overlaps both of them
    horizontally lies vertically between them. But what is higher than everything to its left, such as the date of a
    letter at the upper right, precedes that.

    Args:
        boxes: ``(n, 4)``, left, top, right and bottom.
    """
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    stacked = _compute_overlaps(boxes)
    precedes = stacked & (middles[:, None] < middles[None])
    is_left = ~stacked & (boxes[:, None, 2] <= boxes[None, :, 0])
    for i in range(len(boxes)):
        right = np.flatnonzero(is_left[i])
        low, high = np.minimum(middles[i], middles[right]), np.maximum(middles[i], middles[right])
        between = stacked[:, i, None] & stacked[:, right] & (middles[:, None] > low) & (middles[:, None] < high)
        between[i] = False
        between[right, np.arange(len(right))] = False
        precedes[i, right] = ~between.any(0)
    heights = boxes[:, 3] - boxes[:, 1]
    for j in range(len(boxes)):
        left = np.flatnonzero(is_left[:, j])
        tolerance = _MAX_BESIDE * np.minimum(heights[left], heights[j])
        if (boxes[left, 1] >= boxes[j, 3] - tolerance).all():
            precedes[left, j], precedes[j, left] = False, True
    np.fill_diagonal(precedes, False)
    return precedes


def _compute_overlaps(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return ``(n, n)``: whether two regions overlap horizontally by more than a tenth of the narrower one."""
    shared = np.minimum(boxes[:, None, 2], boxes[None, :, 2]) - np.maximum(boxes[:, None, 0], boxes[None, :, 0])
    widths = boxes[:, 2] - boxes[:, 0]
    return np.asarray(shared / np.maximum(1.0, np.minimum(widths[:, None], widths[None])) > 0.1)
