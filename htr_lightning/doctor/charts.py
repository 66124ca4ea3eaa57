"""Drawings for the page, as SVG; colors come from the page's style sheet, so they follow its light or dark look."""

from collections.abc import Mapping, Sequence

import numpy as np
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
    draw_text,
)
from htr_lightning.report.html import shown_plain

Ints = NDArray[np.int64]

_ROW, _AXIS = 64, 34  # height of one split's bars, and of what stands below
_BARS = 60
_TAIL = 0.995  # what is beyond this share of the lines is drawn as one bar, if it is far beyond


def histogram(values: Mapping[Split, Ints], unit: str) -> str:
    """Draw how often each value occurs: one row of bars for each split, over one axis.

    A few values far beyond the others share the last bar, which then says so.

    Args:
        values: of each split, ``(n,)``, not negative.
        unit: what the numbers are, written below the axis.
    """
    rows = {name: row for name, row in values.items() if len(row)}
    if not rows:
        return ""
    edges, beyond = bins_of(np.concatenate(list(rows.values())))
    height = len(rows) * _ROW + _AXIS
    x = Scale(edges[0], edges[-1])
    parts = []
    for number, (name, row) in enumerate(rows.items()):
        counts, _ = np.histogram(np.minimum(row, edges[-1]), edges)
        base = (number + 1) * _ROW - 4
        unit_px = (_ROW - 16) / max(1, counts.max())
        parts.append(
            draw_text(LEFT_MARGIN - 8, base - 12, name, "end strong")
            + draw_text(LEFT_MARGIN - 8, base, f"{len(row):,}", "end")
        )
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            if count:
                last = beyond and high == edges[-1]
                words = f"{name}: {count:,} from {low:,} " + ("on" if last else f"to {high - 1:,}") + f" {unit}"
                rise = max(1.0, count * unit_px)
                parts.append(draw_bar(x(low) + 0.5, base - rise, x(high) - x(low) - 1, rise, words, name))
        parts.append(draw_line(LEFT_MARGIN, base, WIDTH - RIGHT_MARGIN, base))
    half = 0.5 * (edges[1] - edges[0] == 1)  # a bar that is one value has it in its middle
    shown = [tick for tick in choose_ticks(edges[0], edges[-1]) if tick + half < edges[-1]]
    parts += [draw_text(x(tick + half), height - 22, f"{tick:,}", "middle") for tick in shown]
    far = f"; the last bar holds the {beyond:,} beyond {edges[-2]:,}" if beyond else ""
    parts.append(draw_text(WIDTH - RIGHT_MARGIN, height - 5, unit + far, "end"))
    return build_svg(height, parts, f"Histogram: {unit}")


def bins_of(values: Ints) -> tuple[list[int], int]:
    """Return the edges of whole-numbered bins, and how many values share the last for being far beyond the others."""
    low, high, tail = int(values.min()), int(values.max()), int(np.quantile(values, _TAIL))
    far = high - low > 2 * max(1, tail - low)
    step = choose_step((tail if far else high) - low + 1, _BARS)
    first = low // step * step
    edges = list(range(first, (tail if far else high) + step + 1, step))
    beyond = int(np.count_nonzero(values >= edges[-1])) if far else 0
    if beyond:
        edges.append(edges[-1] + step)
    return edges, beyond


def density(
    x_values: Ints,
    y_values: Ints,
    marked: Sequence[tuple[int, int, str]],
    labels: tuple[str, str],
    limit: Sequence[tuple[int, int]] = (),
) -> str:
    """Draw how two numbers of each line go together: fields, the darker the more lines, and single marked lines.

    Args:
        x_values: ``(n,)``.
        y_values: ``(n,)``.
        marked: x, y and a word for each line that gets a mark of its own.
        labels: of the two axes.
        limit: points of a dashed line; what lies beyond the drawing is left out.
    """
    if not len(x_values):
        return ""
    height, bottom = 320, 44
    x_high, y_high = int(x_values.max()), int(y_values.max())
    x_step, y_step = choose_step(x_high + 1, 60), choose_step(y_high + 1, 32)
    columns, rows = x_high // x_step + 1, y_high // y_step + 1
    x, y = Scale(0, columns * x_step), Scale(0, rows * y_step, height - bottom, 8)
    counts = np.zeros((columns, rows), np.int64)
    np.add.at(counts, (x_values // x_step, y_values // y_step), 1)
    parts = []
    for column, row in np.argwhere(counts):
        count = int(counts[column, row])
        left, top = x(column * x_step), y((row + 1) * y_step)
        size = f'width="{x(x_step) - x(0):.1f}" height="{y(0) - y(y_step):.1f}"'
        shade = 0.12 + 0.88 * np.log(count) / max(1e-9, np.log(counts.max()))
        parts.append(f'<rect class="field" x="{left:.1f}" y="{top:.1f}" {size} fill-opacity="{min(1, shade):.2f}"/>')
    for at, up, words in marked:
        parts.append(
            f'<circle class="mark" cx="{x(at):.1f}" cy="{y(up):.1f}" r="4"><title>{shown_plain(words)}</title></circle>'
        )
    inside = [(at, up) for at, up in limit if at <= columns * x_step and up <= rows * y_step]
    if inside:
        points = " ".join(f"{x(at):.1f},{y(up):.1f}" for at, up in inside)
        parts.append(f'<polyline class="limit" points="{points}"/>')
    parts.append(draw_line(LEFT_MARGIN, y(0), WIDTH - RIGHT_MARGIN, y(0)))
    parts += [draw_text(x(t), height - 26, f"{t:,}", "middle") for t in choose_ticks(0, columns * x_step)]
    parts += [draw_text(LEFT_MARGIN - 8, y(t) + 4, f"{t:,}", "end") for t in choose_ticks(0, rows * y_step, 6)]
    parts += [draw_text(WIDTH - RIGHT_MARGIN, height - 8, labels[0], "end"), draw_text(LEFT_MARGIN + 6, 14, labels[1])]
    return build_svg(height, parts, f"{labels[1]} against {labels[0]}")


_SPARKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Ints, num_bars: int = 24) -> str:
    """Draw a histogram in a row of block characters, from the least value to the greatest; blanks are empty."""
    if not len(values):
        return ""
    counts, _ = np.histogram(values, min(num_bars, int(values.max() - values.min()) + 1))
    heights = np.ceil(counts / counts.max() * len(_SPARKS)).astype(int)
    return "".join(_SPARKS[height - 1] if height else " " for height in heights)
