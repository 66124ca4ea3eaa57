"""Vertical lines in reading order: columns that follow each other from the right, as in Chinese, or from the left."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from htr_lightning.directions.scripts import ColumnDirection
from htr_lightning.segmentation.grouping import estimate_spacing, from_turned
from htr_lightning.segmentation.halves import find_column_gutter
from htr_lightning.segmentation.page import DetectedPage
from htr_lightning.segmentation.regions import DetectedLine, group_lines

TURNS = 1
"""Quarter turns clockwise of a line from left to right that runs from top to bottom."""
_MIRROR = np.array([1, -1], np.float32)


def group_columns(
    lines: Sequence[DetectedLine], width: float, height: float, direction: ColumnDirection = "ttb"
) -> DetectedPage:
    """Group vertical lines to regions in reading order.

    The halves of a double page follow each other as columns do; upper registers precede lower ones.

    Args:
        lines: as they run from left to right, on the page turned counterclockwise.
        width: of the page as it is.
        height: of the page as it is.
        direction: of the columns.

    Returns:
        Regions and gutter of the page as it is.
    """
    if not lines:
        return DetectedPage(())
    columns = [replace(from_turned(line, TURNS, width, height), vertical="top-to-bottom") for line in lines]
    spacing = estimate_spacing(lines, width)
    gutter = find_column_gutter(columns, width, height, spacing)
    placed = lines if direction == "ttb" else [_mirror(line) for line in lines]
    column_of = {id(line): column for line, column in zip(placed, columns, strict=True)}
    halves: list[list[DetectedLine]] = [[], []]
    for line, column in zip(placed, columns, strict=True):
        halves[gutter is not None and float(column.polygon[:, 0].mean()) > gutter].append(line)
    regions = []
    for number in (1, 0) if direction == "ttb" else (0, 1):
        for region in group_lines(halves[number], spacing):
            members = tuple(column_of[id(line)] for line in region.lines)
            regions.append(replace(region, lines=members, half=None if gutter is None else number))
    return DetectedPage(regions, gutter=gutter)


def _mirror(line: DetectedLine) -> DetectedLine:
    """Return a line of the turned page mirrored at the upper edge, so that the lowest line comes first."""
    return replace(line, baseline=line.baseline * _MIRROR, polygon=line.polygon * _MIRROR)
