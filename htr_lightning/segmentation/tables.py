"""Tables: lines that share rows and columns, recognized by their alignment."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import Direction
from htr_lightning.layout.page import Cell
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion, compute_rotation, deskew
from htr_lightning.segmentation.table_columns import (
    MIN_COLUMNS,
    MIN_ROWS,
    Columns,
    LineArrays,
    find_columns,
    find_ruled_columns,
)

MIN_TABLE_LINES = 9
"""Fewer lines are no table."""
_LEVEL = 0.35  # distance from the mean height of a level, in line spacings, up to which a line is on it
_MAX_SHARED = 0.5  # horizontal overlap of two lines of a level, in line spacings
_SHORT = 6.0  # median length of the cells of a short column, in line spacings
_MIN_SHORT = 0.3  # fraction of the columns that are short: columns of text are none of a table
_WIDE = 0.7  # length of a line of prose, relative to the width of all lines
_MAX_WIDE_LEVELS = 2  # of prose one below the other within a table
_MIN_FILLED = 0.5  # fraction of the rows with cells in `MIN_COLUMNS` columns
_MIN_ROW = 0.7  # distance of rows in line spacings
_MAX_STARTS = 0.75  # rows per level, if some have texts of several lines
_MAX_REPEATED = 0.25  # fraction of the short cells that may have several lines
_MAX_GAP = 1.6  # distance of the lines of a text in a cell, in line spacings


def find_tables(
    lines: Sequence[DetectedLine],
    spacing: float,
    rules: Sequence[NDArray[np.float64]] = (),
    direction: Direction = "ltr",
) -> tuple[list[DetectedRegion], list[DetectedLine]]:
    """Find the tables among the lines of a page.

    A table has at least three rows and three columns, some of them of short cells, and most of its rows have cells in
    three columns. Columns lie between vertical rules, or else where few lines cross a gap between many. Lines on one
    height are a row; where a column holds texts of several lines, a row starts at each cell of the short columns
    before it.

    Args:
        lines: of a page or one half of it, upright, in any order.
        spacing: of the lines, in px.
        rules: points ``(n, 2)`` of each vertical rule, from above to below.
        direction: of writing, in which columns are counted.

    Returns:
        The tables, with lines in row order, each with its cell; and all other lines.
    """
    if len(lines) < MIN_TABLE_LINES:
        return [], list(lines)
    straight = deskew(lines)
    lefts, rights = (np.array([getattr(line, side) for line in straight]) for side in ("left", "right"))
    ys = np.array([line.y_at((line.left + line.right) / 2) for line in straight])
    levels = _find_levels(lefts, rights, ys, spacing)
    everything = LineArrays(list(lines), lefts, rights, ys, levels, spacing)
    rotation = compute_rotation(lines)
    ruled = find_ruled_columns(everything, [rule @ rotation for rule in rules])
    table = _build_table(*ruled, direction) if ruled else None
    if table:
        tables = [table]
    else:
        parts = [everything.select(part) for part in _split_at_prose(lefts, rights, levels)]
        tables = [table for part in parts if (table := _build_table(part, find_columns(part), direction))]
    used = {id(line.baseline) for table in tables for line in table.lines}
    return tables, [line for line in lines if id(line.baseline) not in used]


def _build_table(lines: LineArrays, columns: Columns | None, direction: Direction) -> DetectedRegion | None:
    """Number the cells; None if that gives no table."""
    if columns is None:
        return None
    is_short = _find_short_columns(lines, columns)
    if sum(is_short) < max(1.0, _MIN_SHORT * columns.count):
        return None
    rows = _find_rows(lines, columns, is_short, direction)
    filled = _count_filled(rows, columns)
    if len(filled) < MIN_ROWS or float(np.mean(filled >= MIN_COLUMNS)) < _MIN_FILLED:
        return None
    cells = []
    for i in np.flatnonzero(rows >= 0).tolist():
        first, last = int(columns.first[i]), int(columns.last[i])
        column = first if direction == "ltr" else columns.count - 1 - last
        cell = Cell(int(rows[i]), column, column_span=last - first + 1)
        cells.append(((cell.row, cell.column, float(lines.ys[i])), replace(lines.lines[i], cell=cell)))
    return DetectedRegion(tuple(line for _, line in sorted(cells, key=lambda pair: pair[0])), "table")


def _find_levels(
    lefts: NDArray[np.float64], rights: NDArray[np.float64], ys: NDArray[np.float64], spacing: float
) -> NDArray[np.int64]:
    """Number the heights on which lines are, from top to bottom: lines of one level are beside each other."""
    members: list[list[int]] = []
    for i in np.argsort(ys, kind="stable").tolist():
        near = []
        for number in range(max(0, len(members) - 4), len(members)):
            others = members[number]
            shared = np.minimum(rights[others], rights[i]) - np.maximum(lefts[others], lefts[i])
            distance = abs(float(ys[others].mean()) - ys[i])
            if distance <= _LEVEL * spacing and shared.max() <= _MAX_SHARED * spacing:
                near.append((distance, number))
        if near:
            members[min(near)[1]].append(i)
        else:
            members.append([i])
    members.sort(key=lambda level: float(ys[level].mean()))
    levels = np.zeros(len(ys), np.int64)
    for number, level in enumerate(members):
        levels[level] = number
    return levels


def _split_at_prose(
    lefts: NDArray[np.float64], rights: NDArray[np.float64], levels: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Return the indices of the lines between blocks of prose: lines over the whole width, one below the other."""
    width = rights.max() - lefts.min()
    is_wide = np.zeros(int(levels.max()) + 1, bool)
    is_wide[levels[rights - lefts >= _WIDE * width]] = True
    parts = []
    last = 0
    for wide, run in itertools.groupby(range(len(is_wide)), key=lambda level: bool(is_wide[level])):
        group = list(run)
        if wide and len(group) > _MAX_WIDE_LEVELS:
            parts.append(np.flatnonzero((levels >= last) & (levels < group[0])))
            last = group[-1] + 1
    parts.append(np.flatnonzero(levels >= last))
    return [part for part in parts if len(part) >= MIN_TABLE_LINES]


def _find_short_columns(lines: LineArrays, columns: Columns) -> list[bool]:
    """Return for each column whether its cells are short."""
    lengths = lines.rights - lines.lefts
    own = [lengths[(columns.first == k) & (columns.last == k)] for k in range(columns.count)]
    return [len(some) > 0 and float(np.median(some)) < _SHORT * lines.spacing for some in own]


def _count_filled(rows: NDArray[np.int64], columns: Columns) -> NDArray[np.int64]:
    """Return the number of columns with lines in each row."""
    pairs = {(row, k) for row, k in zip(rows.tolist(), columns.first.tolist(), strict=True) if row >= 0 and k >= 0}
    return np.bincount([row for row, _ in pairs]) if pairs else np.zeros(0, np.int64)


def _find_rows(lines: LineArrays, columns: Columns, is_short: list[bool], direction: Direction) -> NDArray[np.int64]:
    """Return the row of each line; -1 for lines above, below and beside the table."""
    rows = np.full(len(lines.lines), -1)
    busy = np.flatnonzero(_count_filled(lines.levels, columns) > 1)
    if len(busy) < MIN_ROWS:
        return rows
    inside = (lines.levels >= busy[0]) & (lines.levels <= busy[-1]) & (columns.first >= 0)
    keys = _find_key_columns(columns, is_short, direction)
    starts = np.unique(lines.levels[inside & np.isin(columns.first, keys)])
    others = [k for k in np.flatnonzero(is_short).tolist() if k not in keys] or keys
    if _are_starts(starts, lines, columns, inside, others):
        inside |= _find_last_lines(lines, columns, int(busy[-1]))
    else:
        starts = np.arange(busy[0], busy[-1] + 1)
    heights: list[float] = []
    for height in (float(np.mean(lines.ys[lines.levels == level])) for level in starts):
        if not heights or height - heights[-1] > _MIN_ROW * lines.spacing:
            heights.append(height)
    found = np.searchsorted(np.array(heights) - _LEVEL * lines.spacing, lines.ys[inside], side="right") - 1
    rows[inside] = np.unique(np.maximum(found, 0), return_inverse=True)[1]
    return rows


def _find_key_columns(columns: Columns, is_short: list[bool], direction: Direction) -> list[int]:
    """Return the short columns before the column with the most lines: numbers and dates that start a row."""
    counts = np.bincount(columns.first[columns.first >= 0], minlength=columns.count)
    most = int(counts.argmax())
    before = range(most) if direction == "ltr" else range(columns.count - 1, most, -1)
    return list(itertools.takewhile(lambda k: is_short[k], before))[:2]


def _are_starts(
    starts: NDArray[np.int64], lines: LineArrays, columns: Columns, inside: NDArray[np.bool_], others: list[int]
) -> bool:
    """Return whether rows start at some levels only: up to the next one, another column has hardly two cells."""
    if not MIN_ROWS <= len(starts) <= _MAX_STARTS * len(np.unique(lines.levels[inside])):
        return False
    rows = np.searchsorted(starts, lines.levels, side="right")
    for k in others:
        own = inside & (rows > 0) & (columns.first == k)
        cells = np.unique(np.stack([rows[own], lines.levels[own]]), axis=1)  # (2, n)
        counts = np.unique(cells[0], return_counts=True)[1]
        if len(counts) >= MIN_ROWS and float(np.mean(counts > 1)) <= _MAX_REPEATED:
            return True
    return False


def _find_last_lines(lines: LineArrays, columns: Columns, level: int) -> NDArray[np.bool_]:
    """Return the lines below the last level with several cells that continue the text of one of them."""
    found = np.zeros(len(lines.lines), bool)
    y = float(lines.ys[lines.levels == level].max())
    for i in np.argsort(lines.ys).tolist():
        if lines.levels[i] > level and columns.first[i] >= 0:
            if lines.ys[i] - y > _MAX_GAP * lines.spacing:
                break
            found[i], y = True, float(lines.ys[i])
    return found
