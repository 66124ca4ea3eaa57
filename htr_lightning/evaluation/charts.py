"""The charts of the evaluation report, as SVG."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

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
from htr_lightning.report.html import format_percent
from htr_lightning.text import format_count

MAX_GROUPS = 40
_NAME_WIDTH = 190  # for the names of groups
_ROW_HEIGHT = 20
_SQUARE_WIDTH = 356  # of a reliability diagram, in SVG user units


def draw_group_rates(groups: Sequence[GroupRate], overall: float) -> Markup:
    """Draw a bar for the error rate of each group and a dashed line for that of all lines.

    Args:
        groups: worst first; only the first `MAX_GROUPS` are drawn.
        overall: error rate of all lines, as a fraction.

    Returns:
        The chart; empty for fewer than two groups.
    """
    if len(groups) < 2:
        return Markup()
    drawn = groups[:MAX_GROUPS]
    base = 6 + _ROW_HEIGHT * len(drawn)
    highest = max(1e-6, *(group.cer for group in drawn), overall)
    x = Scale(0, highest, _NAME_WIDTH, WIDTH - 150)
    parts = []
    for number, group in enumerate(drawn):
        top = 6 + _ROW_HEIGHT * number
        lines = format_count(group.lines, "line")
        tooltip = f"{group.group}: {group.edits:,} edits in {group.characters:,} characters of {lines}"
        width = max(1.0, x(group.cer) - x(0))
        parts.append(draw_bar(x(0), top, width, _ROW_HEIGHT - 5, tooltip, "bar pale"))
        parts.append(draw_text(_NAME_WIDTH - 8, top + 12, _shorten(group.group), "end"))
        parts.append(draw_text(max(x(group.cer), x(overall)) + 7, top + 12, f"{format_percent(group.cer)} · {lines}"))
    parts += [draw_line(x(overall), 0, x(overall), base + 4, "limit"), draw_line(x(0), base, x(highest), base)]
    parts.append(draw_text(x(overall), base + 18, f"all lines {format_percent(overall)}", "middle strong"))
    return build_svg(base + 38, parts, "Character error rate of each group")


def _shorten(name: str, max_length: int = 28) -> str:
    return name if len(name) <= max_length else f"…{name[1 - max_length :]}"


def draw_length_rates(bins: Sequence[LengthRate], overall: float) -> Markup:
    """Draw the error rate of lines by their length, with intervals; empty for fewer than two bins."""
    if len(bins) < 2:
        return Markup()
    height, base = 270, 210
    highest = max(
        1e-6,
        *(bin.cer for bin in bins),
        *(min(bin.cer_high, 1.5 * bin.cer + 0.05) for bin in bins if bin.cer_high is not None),  # wide ones are cut off
        overall,
    )
    y = Scale(0, highest, base, 14)
    step = (WIDTH - RIGHT_MARGIN - LEFT_MARGIN) / len(bins)
    parts = _draw_percent_axis(y, highest, WIDTH - RIGHT_MARGIN)
    for number, bin in enumerate(bins):
        parts += _draw_length_bin(bin, y, LEFT_MARGIN + step * number, step, base)
    parts += [
        draw_line(LEFT_MARGIN, y(overall), WIDTH - RIGHT_MARGIN, y(overall), "limit"),
        draw_line(LEFT_MARGIN, base, WIDTH - RIGHT_MARGIN, base),
        draw_text(LEFT_MARGIN - 8, base + 34, "lines", "end"),
        draw_text(WIDTH - RIGHT_MARGIN, height - 5, "characters in the line (reference)", "end"),
    ]
    return build_svg(height, parts, "Character error rate by the length of lines")


def _draw_length_bin(bin: LengthRate, y: Scale, left: float, width: float, base: float) -> list[Markup]:
    """Draw a bar, its whiskers and the labels below it."""
    middle = left + 0.5 * width
    tooltip = f"{bin.edits:,} edits in {bin.characters:,} characters of {bin.lines:,} lines: {format_percent(bin.cer)}"
    lengths = f"{bin.first}" if bin.first == bin.last else f"{bin.first}–{bin.last}"
    return [
        draw_bar(left + 0.14 * width, y(bin.cer), 0.72 * width, max(1.0, base - y(bin.cer)), tooltip, "bar pale"),
        *_draw_whiskers(bin, y, middle),
        draw_text(middle, base + 17, lengths, "middle strong"),
        draw_text(middle, base + 34, f"{bin.lines:,}", "middle"),
    ]


def _draw_whiskers(bin: LengthRate, y: Scale, middle: float) -> list[Markup]:
    if bin.cer_low is None or bin.cer_high is None:
        return []
    bottom, top = y(bin.cer_low), max(y(bin.cer_high), 4.0)
    ends = [draw_line(middle - 5, at, middle + 5, at, "whisker") for at in (bottom, top) if at > 4]
    return [draw_line(middle, bottom, middle, top, "whisker"), *ends]


def _draw_percent_axis(y: Scale, highest: float, right: float, left: float = LEFT_MARGIN) -> list[Markup]:
    """Draw grid lines and labels at round percentages."""
    parts = []
    for tick in choose_ticks(0, max(1, int(100 * highest)), 5):
        if tick:
            parts.append(draw_line(left, y(tick / 100), right, y(tick / 100), "grid"))
        parts.append(draw_text(left - 8, y(tick / 100) + 4, f"{tick} %", "end"))
    return parts


def draw_reliability_diagram(reliability: Reliability, noun: str) -> Markup:
    """Draw accuracy against confidence in each bin, and below it the number of predictions in each bin.

    Args:
        reliability: of predictions.
        noun: what was predicted, in the plural, such as ``lines``.
    """
    left, top, size, foot = 58.0, 10.0, 280.0, 46.0
    x, y = Scale(0, 1, left, left + size), Scale(0, 1, top + size, top)
    parts = _draw_percent_axis(y, 1, left + size, left)
    num_bins, largest = len(reliability.counts), max(1, int(reliability.counts.max()))
    width = size / num_bins
    floor = top + size + 26 + foot
    columns = (reliability.counts.tolist(), reliability.confidences.tolist(), reliability.accuracies.tolist())
    for number, (count, confidence, accuracy) in enumerate(zip(*columns, strict=True)):
        if not count:
            continue
        start = x(number / num_bins)
        tooltip = f"{count:,} {noun}, mean confidence {format_percent(confidence)}, accuracy {format_percent(accuracy)}"
        parts.append(draw_bar(start + 1, y(accuracy), width - 2, max(1.0, y(0) - y(accuracy)), tooltip, "bar pale"))
        parts.append(draw_line(start + 1, y(confidence), start + width - 1, y(confidence), "confidence"))
        rise = max(1.0, foot * count / largest)
        parts.append(draw_bar(start + 1, floor - rise, width - 2, rise, f"{count:,} {noun}", "count"))
    parts += [
        draw_line(x(0), y(0), x(1), y(1), "limit"),
        draw_line(x(0), y(0), x(1), y(0)),
        draw_line(x(0), floor, x(1), floor),
        *(draw_text(x(tick / 100), y(0) + 16, f"{tick} %", "middle") for tick in (0, 20, 40, 60, 80, 100)),
        draw_text(left - 8, floor - foot + 8, f"{largest:,}", "end"),
        draw_text(x(1), floor + 16, f"confidence; gray: number of {noun}", "end"),
        draw_text(left + 7, top + 12, "accuracy"),
    ]
    return build_svg(floor + 22, parts, f"Reliability diagram of the confidence of {noun}", _SQUARE_WIDTH)


def draw_edit_kinds(counts: Mapping[str, int]) -> Markup:
    """Draw the numbers of edits of each kind as one divided bar; empty if there are none."""
    total = sum(counts.values())
    if not total:
        return Markup()
    x = Scale(0, total, 0, WIDTH)
    parts, start = [], 0
    for kind, count in counts.items():
        width = max(0.0, x(start + count) - x(start) - 2)
        parts.append(draw_bar(x(start), 0, width, 14, f"{count:,} {kind}s", kind))
        start += count
    return build_svg(14, parts, ", ".join(f"{count} {kind}s" for kind, count in counts.items()))
