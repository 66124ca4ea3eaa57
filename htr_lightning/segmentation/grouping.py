"""Lines of a whole page in reading order: the halves of a double page, their regions, and turned writing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import Direction
from htr_lightning.image.turn import from_upright, to_upright
from htr_lightning.segmentation.clutter import drop_edge_fragments, drop_facing_strips, drop_turned_specks
from htr_lightning.segmentation.halves import find_gutter
from htr_lightning.segmentation.page import DetectedPage
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion, group_lines
from htr_lightning.segmentation.tables import find_tables

_MIN_OVERLAP = 0.3  # of two lines one above the other, relative to the shorter one
_MIN_DISTANCE_PX = 3.0  # of two lines one above the other
_DEFAULT_SPACING = 1 / 40  # of the height of the page, where no line is above another


def group_page(
    lines: Sequence[DetectedLine],
    width: float,
    height: float,
    rules: Sequence[NDArray[np.float64]] = (),
    direction: Direction = "ltr",
) -> DetectedPage:
    """Group the lines of a page to regions in reading order, tables among them; what is no text of it is dropped.

    The left half of a double page precedes the right one (follows it, where writing runs to the left). Writing that is
    turned follows, each orientation in its own order.

    Args:
        lines: in any order.
        width: of the page in px.
        height: of the page in px.
        rules: points ``(n, 2)`` of each vertical rule of the page, which part the columns of tables.
        direction: of writing.

    Returns:
        The regions and the gutter; the orientation of the page is not known from its lines.
    """
    lines = drop_turned_specks(lines)
    upright = drop_facing_strips([line for line in lines if line.orientation == 0], width)
    gutter = find_gutter(upright, width, height)
    halves = [upright] if gutter is None else [[], []]
    if gutter is not None:
        for line in upright:
            halves[(line.left + line.right) / 2 > gutter].append(line)
    regions = []
    for number, half in list(enumerate(halves))[:: 1 if direction == "ltr" else -1]:
        place = None if gutter is None else number
        regions += [replace(region, half=place) for region in _group_upright(half, width, height, rules, direction)]
    for turns in (1, 2, 3):
        turned = [line for line in lines if line.orientation == turns]
        regions += _group_turned(turned, turns, width, height, direction)
    return DetectedPage(regions, gutter=gutter)


def _group_upright(
    lines: Sequence[DetectedLine],
    width: float,
    height: float,
    rules: Sequence[NDArray[np.float64]],
    direction: Direction,
) -> list[DetectedRegion]:
    spacing = estimate_spacing(lines, height)
    tables, others = find_tables(lines, spacing, rules, direction)
    return group_lines(drop_edge_fragments(others, width), spacing, tables, direction)


def _group_turned(
    lines: Sequence[DetectedLine], turns: int, width: float, height: float, direction: Direction
) -> list[DetectedRegion]:
    """Group turned lines as they are when the page is turned back."""
    upright = []
    for line in lines:
        baseline, polygon = (
            np.asarray(to_upright(points, turns, width, height), np.float32) for points in (line.baseline, line.polygon)
        )
        upright.append(replace(line, baseline=baseline, polygon=polygon))
    originals = {id(new.baseline): line for new, line in zip(upright, lines, strict=True)}
    regions = _group_upright(upright, *((height, width) if turns % 2 else (width, height)), (), direction)
    return [
        replace(region, lines=tuple(_take_cell(originals[id(line.baseline)], line) for line in region.lines))
        for region in regions
    ]


def _take_cell(line: DetectedLine, other: DetectedLine) -> DetectedLine:
    return line if other.cell is None else replace(line, cell=other.cell)


def estimate_spacing(lines: Sequence[DetectedLine], height: float) -> float:
    """Return the median distance from a line to the next one above or below it, in px.

    Args:
        lines: upright.
        height: of the page.
    """
    if len(lines) < 2:
        return height * _DEFAULT_SPACING
    lefts, rights = (np.array([getattr(line, side) for line in lines]) for side in ("left", "right"))
    ys = np.array([line.y_at((line.left + line.right) / 2) for line in lines])
    lengths = rights - lefts
    shared = np.minimum(rights[:, None], rights[None]) - np.maximum(lefts[:, None], lefts[None])
    distances = np.abs(ys[:, None] - ys[None])
    near = (shared > _MIN_OVERLAP * np.minimum(lengths[:, None], lengths[None])) & (distances > _MIN_DISTANCE_PX)
    nearest = np.where(near, distances, np.inf).min(1)
    known = nearest[np.isfinite(nearest)]
    return float(np.median(known)) if len(known) else height * _DEFAULT_SPACING


def from_turned(line: DetectedLine, turns: int, width: float, height: float) -> DetectedLine:
    """Return a line that was found on a page turned back, on the page as it is.

    Args:
        line: upright.
        turns: quarter turns clockwise by which the page is turned.
        width: of the page as it is.
        height: of the page as it is.
    """
    baseline, polygon = (
        np.asarray(from_upright(points, turns, width, height), np.float32) for points in (line.baseline, line.polygon)
    )
    return replace(line, baseline=baseline, polygon=polygon, orientation=turns)
