"""Drawings of the report, as SVG."""

from collections.abc import Callable, Mapping, Sequence

from htr_lightning.evaluation.reliability import Reliability
from htr_lightning.evaluation.scores import GroupRate, LengthRate
from htr_lightning.report.chart import (
    LEFT_MARGIN,
    RIGHT_MARGIN,
    WIDTH,
    Scale,
    build_svg,
    choose_ticks,
    draw_bar,
    draw_line,
    draw_text,
)

MAX_GROUPS = 40
_NAMES = 190  # room for the names of groups
_ROW = 20
_SQUARE = 356  # of a reliability plot, in its own unit


def percent(share: float, digits: int = 1) -> str:
    """Write a share in percent."""
    return f"{100 * share:.{digits}f} %"


def group_chart(rows: Sequence[GroupRate], overall: float) -> str:
    """Draw the error rate of each group as a bar, and that of all lines as a dashed line; the worst groups only."""
    shown = rows[:MAX_GROUPS]
    if len(rows) < 2:
        return ""
    height = _ROW * len(shown) + 44
    most = max(1e-6, *(row.cer for row in shown), overall)
    x = Scale(0, most, _NAMES, WIDTH - 150)
    parts = []
    for number, row in enumerate(shown):
        top = 6 + _ROW * number
        lines = f"{row.lines:,} line{'' if row.lines == 1 else 's'}"
        words = f"{row.group}: {row.edits:,} edits in {row.characters:,} characters of {lines}"
        parts.append(draw_bar(x(0), top, max(1.0, x(row.cer) - x(0)), _ROW - 5, words, "bar pale"))
        parts.append(draw_text(_NAMES - 8, top + 12, _short(row.group), "end"))
        parts.append(draw_text(max(x(row.cer), x(overall)) + 7, top + 12, f"{percent(row.cer)} · {lines}"))
    base = 6 + _ROW * len(shown)
    parts += [draw_line(x(overall), 0, x(overall), base + 4, "limit"), draw_line(x(0), base, x(most), base)]
    parts.append(draw_text(x(overall), base + 18, f"all lines {percent(overall)}", "middle strong"))
    return build_svg(height, parts, "Character error rate of each group")


def _short(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"…{name[1 - most :]}"


def length_chart(rows: Sequence[LengthRate], overall: float) -> str:
    """Draw the error rate by the length of lines, with intervals."""
    if len(rows) < 2:
        return ""
    height, base = 270, 210
    most = max(1e-6, *(row.cer for row in rows), *(min(row.cer_high, 1.5 * row.cer + 0.05) for row in rows), overall)
    y = _percents(most, base, 14)
    step = (WIDTH - RIGHT_MARGIN - LEFT_MARGIN) / len(rows)
    parts = _percent_axis(y, most, WIDTH - RIGHT_MARGIN)
    for number, row in enumerate(rows):
        left, middle = LEFT_MARGIN + step * number, LEFT_MARGIN + step * (number + 0.5)
        words = f"{row.edits:,} edits in {row.characters:,} characters of {row.lines:,} lines: {percent(row.cer)}"
        parts.append(
            draw_bar(left + 0.14 * step, y(row.cer), 0.72 * step, max(1.0, base - y(row.cer)), words, "bar pale")
        )
        top = max(y(row.cer_high), 4.0)
        parts.append(draw_line(middle, y(row.cer_low), middle, top, "whisker"))
        parts += [draw_line(middle - 5, at, middle + 5, at, "whisker") for at in (y(row.cer_low), top) if at > 4]
        span = f"{row.first}" if row.first == row.last else f"{row.first}–{row.last}"
        parts.append(draw_text(middle, base + 17, span, "middle strong"))
        parts.append(draw_text(middle, base + 34, f"{row.lines:,}", "middle"))
    parts += [
        draw_line(LEFT_MARGIN, y(overall), WIDTH - RIGHT_MARGIN, y(overall), "limit"),
        draw_line(LEFT_MARGIN, base, WIDTH - RIGHT_MARGIN, base),
    ]
    parts.append(draw_text(LEFT_MARGIN - 8, base + 34, "lines", "end"))
    parts.append(draw_text(WIDTH - RIGHT_MARGIN, height - 5, "characters in the line (reference)", "end"))
    return build_svg(height, parts, "Character error rate by the length of lines")


def _percents(most: float, bottom: float, top: float) -> Scale:
    return Scale(0, most, bottom, top)


def _percent_axis(y: Callable[[float], float], most: float, right: float, left: float = LEFT_MARGIN) -> list[str]:
    """Rules and labels at round percents."""
    parts = []
    for tick in choose_ticks(0, max(1, int(100 * most)), 5):
        if tick:
            parts.append(draw_line(left, y(tick / 100), right, y(tick / 100), "grid"))
        parts.append(draw_text(left - 8, y(tick / 100) + 4, f"{tick} %", "end"))
    return parts


def reliability_chart(found: Reliability, noun: str) -> str:
    """Draw how often predictions are right against how sure they are, and, below, how many are how sure."""
    left, top, size, foot = 58.0, 10.0, 280.0, 46.0
    x, y = Scale(0, 1, left, left + size), Scale(0, 1, top + size, top)
    parts = _percent_axis(y, 1, left + size, left)
    bins, most = len(found.counts), max(1, int(found.counts.max()))
    width = size / bins
    floor = top + size + 26 + foot
    for number, (count, sure, right) in enumerate(
        zip(found.counts.tolist(), found.confidences.tolist(), found.accuracies.tolist(), strict=True)
    ):
        if not count:
            continue
        start = x(number / bins)
        words = f"{count:,} {noun}, on average {percent(sure)} sure: {percent(right)} right"
        parts.append(draw_bar(start + 1, y(right), width - 2, max(1.0, y(0) - y(right)), words, "bar pale"))
        parts.append(draw_line(start + 1, y(sure), start + width - 1, y(sure), "sure"))
        rise = max(1.0, foot * count / most)
        parts.append(draw_bar(start + 1, floor - rise, width - 2, rise, f"{count:,} {noun}", "count"))
    parts += [
        draw_line(x(0), y(0), x(1), y(1), "limit"),
        draw_line(x(0), y(0), x(1), y(0)),
        draw_line(x(0), floor, x(1), floor),
    ]
    parts += [draw_text(x(tick / 100), y(0) + 16, f"{tick} %", "middle") for tick in (0, 20, 40, 60, 80, 100)]
    parts.append(draw_text(left - 8, floor - foot + 8, f"{most:,}", "end"))
    parts.append(draw_text(x(1), floor + 16, f"confidence; gray: how many {noun}", "end"))
    parts.append(draw_text(left + 7, top + 12, "share that is right"))
    return build_svg(floor + 22, parts, f"Reliability of the confidence of {noun}", _SQUARE)


def edit_bar(counts: Mapping[str, int]) -> str:
    """Draw the shares of the kinds of edits as one bar."""
    total = sum(counts.values())
    if not total:
        return ""
    x = Scale(0, total, 0, WIDTH)
    parts, at = [], 0
    for kind, count in counts.items():
        words = f"{count:,} {kind}s"
        parts.append(draw_bar(x(at), 0, max(0.0, x(at + count) - x(at) - 2), 14, words, kind))
        at += count
    return build_svg(14, parts, ", ".join(f"{count} {kind}s" for kind, count in counts.items()))
