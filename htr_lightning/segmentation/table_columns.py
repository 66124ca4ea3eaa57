"""Columns of tables: between vertical rules, or where few lines cross a gap between many."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.regions import DetectedLine

MIN_ROWS, MIN_COLUMNS = 3, 3
_MAX_CROSSING = 0.25  # lines over a separator, relative to the lines of the column beside it that has fewer
_CLIPPED = 0.25  # of both ends of a line, in line spacings, where it may reach into the next column
_OVERLAP = 0.5  # of a line and a column, relative to the shorter one, or in line spacings, from which on it is in it
_MIN_RULES = 2  # between columns
_MAX_CROSSED = 0.3  # fraction of the levels beside a rule whose lines may cross it


@dataclass(frozen=True, slots=True)
class LineArrays:
    """Lines as arrays ``(n,)``: ends and heights, with slanted pages straightened, and the number of the level."""

    lines: list[DetectedLine]
    lefts: NDArray[np.float64]
    rights: NDArray[np.float64]
    ys: NDArray[np.float64]
    levels: NDArray[np.int64]
    spacing: float

    def select(self, chosen: NDArray[Any]) -> "LineArrays":
        """Return some of the lines, by index or mask, with levels numbered from 0."""
        numbers = np.arange(len(self.lines))[chosen]
        levels = np.unique(self.levels[numbers], return_inverse=True)[1]
        lines = [self.lines[i] for i in numbers.tolist()]
        return LineArrays(lines, self.lefts[numbers], self.rights[numbers], self.ys[numbers], levels, self.spacing)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table: how many, and the first and last that each line covers; -1 for lines outside."""

    count: int
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def find_ruled_columns(lines: LineArrays, rules: Sequence[NDArray[np.float64]]) -> tuple[LineArrays, Columns] | None:
    """Return the lines between rules, and their columns; None if there are too few rules or columns."""
    clip = np.minimum(_OVERLAP * lines.spacing, _CLIPPED * (lines.rights - lines.lefts))
    starts, ends = lines.lefts + clip, lines.rights - clip
    kept: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for rule in sorted(rules, key=lambda rule: float(rule[:, 0].mean())):
        beside = (lines.ys >= rule[0, 1]) & (lines.ys <= rule[-1, 1])
        at = np.interp(lines.ys, rule[:, 1], rule[:, 0])
        crossed = np.unique(lines.levels[beside & (starts < at) & (ends > at)])
        is_separator = len(crossed) <= _MAX_CROSSED * len(np.unique(lines.levels[beside]))
        if is_separator and (not kept or float(np.median(at - kept[-1][1])) > lines.spacing):
            kept.append((rule, at))
    if len(kept) < _MIN_RULES:
        return None
    top, bottom = min(rule[0, 1] for rule, _ in kept), max(rule[-1, 1] for rule, _ in kept)
    lines_beside = (lines.ys >= top) & (lines.ys <= bottom)
    positions = np.stack([at for _, at in kept], 1)
    first, last = (starts[:, None] > positions).sum(1), (ends[:, None] > positions).sum(1)
    own = lines.select(lines_beside)
    columns = _keep_solid(own, Columns(len(kept) + 1, first[lines_beside], last[lines_beside]))
    return (own, columns) if columns else None


def find_columns(lines: LineArrays) -> Columns | None:
    """Find columns by gaps that few lines cross; None if there are too few columns."""
    lefts, rights, spacing = lines.lefts, lines.rights, lines.spacing
    step = spacing / 4
    clip = np.minimum(_CLIPPED * spacing, (rights - lefts) / 4)
    origin = lefts.min()
    starts = np.floor((lefts + clip - origin) / step).astype(int)
    ends = np.maximum(starts, np.floor((rights - clip - origin) / step).astype(int)) + 1
    change = np.zeros(int(ends.max()) + 2, int)
    np.add.at(change, starts, 1)
    np.add.at(change, ends, -1)
    edges = origin + step * _find_valleys(np.cumsum(change)[:-1])
    bounds = np.concatenate([[-np.inf], edges, [np.inf]])
    middles = (lefts + rights) / 2
    spans = []
    for low, high in itertools.pairwise(bounds.tolist()):
        own = (middles >= low) & (middles < high) & (lefts >= low - spacing) & (rights <= high + spacing)
        some = own if own.any() else (middles >= low) & (middles < high)
        spans.append((np.quantile(lefts[some], 0.1), np.quantile(rights[some], 0.9)) if some.any() else (low, low))
    begin, stop = np.array(spans).T
    shared = np.minimum(rights[:, None], stop) - np.maximum(lefts[:, None], begin)
    covers = (shared >= _OVERLAP * np.minimum((rights - lefts)[:, None], stop - begin)) & (shared > 0)
    covers[np.arange(len(lefts)), shared.argmax(1)] = True
    first, last = covers.argmax(1), len(spans) - 1 - covers[:, ::-1].argmax(1)
    return _keep_solid(lines, Columns(len(spans), first, last))


def _keep_solid(lines: LineArrays, columns: Columns) -> Columns | None:
    """Drop columns with few cells before the first and after the last others; None if fewer than three have many."""
    single = columns.first == columns.last
    heights = [np.unique(lines.levels[single & (columns.first == k)]) for k in range(columns.count)]
    solid = [k for k, levels in enumerate(heights) if len(levels) >= MIN_ROWS]
    if len(solid) < MIN_COLUMNS:
        return None
    low, high = solid[0], solid[-1]
    is_inside = (columns.last >= low) & (columns.first <= high)
    first, last = (np.where(is_inside, np.clip(n, low, high) - low, -1) for n in (columns.first, columns.last))
    return Columns(high - low + 1, first, last)


def _find_valleys(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the middles of the valleys of a profile that are low compared to the peaks on both sides.

    Starting with all valleys, the least deep one is filled until the others are all deep enough.
    """
    runs = np.flatnonzero(np.diff(counts, prepend=counts[0] - 1))
    values = counts[runs].tolist()
    ends = np.append(runs[1:], len(counts))
    peaks, valleys = [values[0]], list[tuple[int, float]]()
    for i in range(1, len(values)):
        if values[i] < values[i - 1] and i + 1 < len(values) and values[i + 1] > values[i]:
            valleys.append((values[i], (runs[i] + ends[i]) / 2))
            peaks.append(0)
        peaks[-1] = max(peaks[-1], values[i])
    while valleys:
        depths = [valley / max(1, min(peaks[i], peaks[i + 1])) for i, (valley, _) in enumerate(valleys)]
        worst = int(np.argmax(depths))
        if depths[worst] <= _MAX_CROSSING:
            break
        del valleys[worst]
        peaks[worst : worst + 2] = [max(peaks[worst : worst + 2])]
    return np.array([x for _, x in valleys])
