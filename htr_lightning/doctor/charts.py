"""The charts of the doctor's report, as SVG; colors come from the page's style sheet, which has a dark scheme too."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from htr_lightning.data.line import Split
from htr_lightning.report.chart import (
    LEFT_MARGIN,
    RIGHT_MARGIN,
    WIDTH,
    Scale,
    build_svg,
    choose_step,
    choose_ticks,
    draw_bar,
    draw_line,
    draw_polyline,
    draw_text,
)
from htr_lightning.text import escape_unprintable

Ints = NDArray[np.int64]

_ROW_HEIGHT, _AXIS_HEIGHT = 64, 34
_MAX_BARS = 60
_TAIL_QUANTILE = 0.995  # values far beyond this quantile share one bar


def draw_histogram(values: Mapping[Split, Ints], unit: str) -> Markup:
    """Draw how often each value occurs: a row of bars for each split, over a common axis.

    A few values far beyond the others share the last bar, and the label of the axis says so.

    Args:
        values: of each split, ``(n,)``, not negative.
        unit: of the values, for the label of the axis.

    Returns:
        The chart; empty if there are no values.
    """
    rows = {split: row for split, row in values.items() if len(row)}
    if not rows:
        return Markup()
    edges, num_beyond = compute_bins(np.concatenate(list(rows.values())))
    height = len(rows) * _ROW_HEIGHT + _AXIS_HEIGHT
    x = Scale(edges[0], edges[-1])
    parts = []
    for number, (split, row) in enumerate(rows.items()):
        parts += _draw_histogram_row(split, row, edges, bool(num_beyond), x, (number + 1) * _ROW_HEIGHT - 4, unit)
    half = 0.5 * (edges[1] - edges[0] == 1)  # a bar for a single value has its label in the middle
    shown = [tick for tick in choose_ticks(edges[0], edges[-1]) if tick + half < edges[-1]]
    parts += [draw_text(x(tick + half), height - 22, f"{tick:,}", "middle") for tick in shown]
    note = f"; the last bar holds the {num_beyond:,} beyond {edges[-2]:,}" if num_beyond else ""
    parts.append(draw_text(WIDTH - RIGHT_MARGIN, height - 5, unit + note, "end"))
    return build_svg(height, parts, f"Histogram: {unit}")


def _draw_histogram_row(
    split: Split, values: Ints, edges: Sequence[int], is_open: bool, x: Scale, base: int, unit: str
) -> list[Markup]:
    """Draw the bars of one split above ``base``; ``is_open``: the last bar also holds everything beyond it."""
    counts, _ = np.histogram(np.minimum(values, edges[-1]), edges)
    unit_height = (_ROW_HEIGHT - 16) / max(1, counts.max())
    parts = [
        draw_text(LEFT_MARGIN - 8, base - 12, split, "end strong"),
        draw_text(LEFT_MARGIN - 8, base, f"{len(values):,}", "end"),
    ]
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if count:
            end = "on" if is_open and high == edges[-1] else f"to {high - 1:,}"
            tooltip = f"{split}: {count:,} from {low:,} {end} {unit}"
            bar_height = max(1.0, count * unit_height)
            parts.append(draw_bar(x(low) + 0.5, base - bar_height, x(high) - x(low) - 1, bar_height, tooltip, split))
    return [*parts, draw_line(LEFT_MARGIN, base, WIDTH - RIGHT_MARGIN, base)]


def compute_bins(values: Ints) -> tuple[list[int], int]:
    """Return the edges of integer bins, and how many values share the last one because they are far beyond the others.

    Args:
        values: ``(n,)``, at least one.
    """
    low, high, tail = int(values.min()), int(values.max()), int(np.quantile(values, _TAIL_QUANTILE))
    is_far = high - low > 2 * max(1, tail - low)
    last = tail if is_far else high
    step = choose_step(last - low + 1, _MAX_BARS)
    edges = list(range(low // step * step, last + step + 1, step))
    num_beyond = int(np.count_nonzero(values >= edges[-1])) if is_far else 0
    if num_beyond:
        edges.append(edges[-1] + step)
    return edges, num_beyond


def draw_density(
    x_values: Ints,
    y_values: Ints,
    outliers: Sequence[tuple[int, int, str]],
    labels: tuple[str, str],
    limit: Sequence[tuple[int, int]] = (),
) -> Markup:
    """Draw two numbers of each line against each other: cells, the darker the more lines, and rings for outliers.

    Args:
        x_values: ``(n,)``.
        y_values: ``(n,)``.
        outliers: x, y and tooltip of each line that gets a ring.
        labels: of the two axes.
        limit: points of a dashed line; those outside of the chart are left out.

    Returns:
        The chart; empty if there are no values.
    """
    if not len(x_values):
        return Markup()
    height, bottom = 320, 44
    x_high, y_high = int(x_values.max()), int(y_values.max())
    x_step, y_step = choose_step(x_high + 1, 60), choose_step(y_high + 1, 32)
    columns, rows = x_high // x_step + 1, y_high // y_step + 1
    x, y = Scale(0, columns * x_step), Scale(0, rows * y_step, height - bottom, 8)
    counts = np.zeros((columns, rows), np.int64)
    np.add.at(counts, (x_values // x_step, y_values // y_step), 1)
    ring = Markup('<circle class="mark" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>')
    parts = _draw_cells(counts, x_step, y_step, x, y)
    parts += [ring.format(x(at), y(up), escape_unprintable(tooltip)) for at, up, tooltip in outliers]
    inside = [(x(at), y(up)) for at, up in limit if at <= columns * x_step and up <= rows * y_step]
    if inside:
        parts.append(draw_polyline(inside, "limit"))
    parts.append(draw_line(LEFT_MARGIN, y(0), WIDTH - RIGHT_MARGIN, y(0)))
    parts += [draw_text(x(t), height - 26, f"{t:,}", "middle") for t in choose_ticks(0, columns * x_step)]
    parts += [draw_text(LEFT_MARGIN - 8, y(t) + 4, f"{t:,}", "end") for t in choose_ticks(0, rows * y_step, 6)]
    parts += [draw_text(WIDTH - RIGHT_MARGIN, height - 8, labels[0], "end"), draw_text(LEFT_MARGIN + 6, 14, labels[1])]
    return build_svg(height, parts, f"{labels[1]} against {labels[0]}")


def _draw_cells(counts: Ints, x_step: int, y_step: int, x: Scale, y: Scale) -> list[Markup]:
    """Draw the counts ``(columns, rows)`` as rectangles; opacity grows with the logarithm of the count."""
    cell = Markup('<rect class="field" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill-opacity="{:.2f}"/>')
    width, height = x(x_step) - x(0), y(0) - y(y_step)
    parts = []
    for column, row in np.argwhere(counts):
        opacity = 0.12 + 0.88 * np.log(counts[column, row]) / max(1e-9, np.log(counts.max()))
        parts.append(cell.format(x(column * x_step), y((row + 1) * y_step), width, height, min(1, opacity)))
    return parts


_SPARKS = "▁▂▃▄▅▆▇█"


def draw_sparkline(values: Ints, num_bars: int = 24) -> str:
    """Draw a histogram as a row of block characters, from the least value to the greatest; empty bins are spaces."""
    if not len(values):
        return ""
    counts, _ = np.histogram(values, min(num_bars, int(values.max() - values.min()) + 1))
    heights = np.ceil(counts / counts.max() * len(_SPARKS)).astype(int)
    return "".join(_SPARKS[height - 1] if height else " " for height in heights)
