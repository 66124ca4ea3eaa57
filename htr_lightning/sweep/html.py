"""The report of a sweep: a single HTML file without scripts or external resources."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from markupsafe import Markup

from htr_lightning.report.chart import (
    LEFT_MARGIN,
    RIGHT_MARGIN,
    WIDTH,
    Scale,
    build_svg,
    draw_bar,
    draw_line,
    draw_polyline,
    draw_text,
)
from htr_lightning.report.html import render_template
from htr_lightning.sweep.importance import is_logarithmic, parse_numbers
from htr_lightning.sweep.table import column_names, format_row
from htr_lightning.sweep.trials import State, TrialRecord

TOP, BOTTOM, BAR_HEIGHT = 34, 250, 24


def render_sweep(
    name: str, trials: Sequence[TrialRecord], keys: Sequence[str], importance: Mapping[str, float] | None, note: str
) -> str:
    """Render the report of a sweep.

    Args:
        name: of the sweep.
        trials: best first.
        keys: configuration keys that vary between trials.
        importance: of the keys, as fractions of 1; None if it is unknown.
        note: how to run the best trial again.
    """
    done = [trial for trial in trials if trial.state == "done"]
    num_trials = Counter(trial.state for trial in trials)
    return render_template(
        "sweep/report.html.jinja",
        name=name,
        trials=trials,
        states=[f"{num_trials[state]} {state}" for state in get_args(State) if num_trials[state]],
        note=note,
        parallel_chart=_draw_parallel_coordinates(done, keys),
        importance_chart=_draw_importance(importance),
        curve_chart=_draw_curves(trials),
        heading=column_names(keys),
        rows=[(trial, format_row(trial, keys)) for trial in trials],
    )


def _draw_parallel_coordinates(done: Sequence[TrialRecord], keys: Sequence[str]) -> Markup:
    """Draw each trial as a line across an axis for each key and one for the CER; the best trial lies on top."""
    if len(done) < 2 or not keys:
        return Markup()
    step = (WIDTH - LEFT_MARGIN - RIGHT_MARGIN - 40) / len(keys)
    points: list[list[tuple[float, float]]] = [[] for _ in done]
    axes: list[Markup] = []
    labels: list[Markup] = []  # drawn over the lines
    for number, key in enumerate([*keys, "val CER"]):
        x = LEFT_MARGIN + number * step
        is_cer = number == len(keys)
        values = [f"{trial.cer:.6f}" if is_cer else trial.overrides.get(key, "") for trial in done]
        heights, ticks = _place_values(values)
        axes.append(draw_line(x, TOP, x, BOTTOM))
        labels.append(draw_text(x, TOP - 14, key.removeprefix("dataset."), "middle strong"))
        labels += [draw_text(x + 4, y + 4, f"{100 * float(tick):.2f} %" if is_cer else tick) for y, tick in ticks]
        for line, y in zip(points, heights, strict=True):
            line.append((x, y))
    lines = [
        draw_polyline(line, "best" if trial is done[0] else "trial", f"{trial.number}: val CER {100 * trial.cer:.2f} %")
        for line, trial in zip(points, done, strict=True)
    ]
    return build_svg(BOTTOM + 16, [*axes, *reversed(lines), *labels], "Parameters and CER of each trial")


def _place_values(values: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Return the coordinate of each value on a vertical axis, and the coordinates and texts of its ticks."""
    numbers = parse_numbers(values)
    if numbers is None or len(set(numbers)) < 2:
        names = sorted(set(values))
        scale = Scale(0, max(1, len(names) - 1), BOTTOM, TOP)
        return [scale(names.index(value)) for value in values], [(scale(i), name) for i, name in enumerate(names)]

    scaled = [math.log(number) for number in numbers] if is_logarithmic(numbers) else numbers
    scale = Scale(min(scaled), max(scaled), BOTTOM, TOP)
    tick_numbers = set(numbers) if len(set(numbers)) <= 5 else {min(numbers), max(numbers)}
    ticks = [(scale(scaled[numbers.index(number)]), f"{number:.4g}") for number in sorted(tick_numbers)]
    return [scale(value) for value in scaled], ticks


def _draw_importance(importance: Mapping[str, float] | None) -> Markup:
    """Draw a bar for the importance of each key, the greatest first."""
    if not importance:
        return Markup()
    ordered = sorted(importance.items(), key=lambda item: -item[1])
    scale = Scale(0, max(importance.values()), 200, WIDTH - 60)
    parts: list[Markup] = []
    for number, (key, fraction) in enumerate(ordered):
        y = number * BAR_HEIGHT + 4
        parts.append(draw_text(192, y + 14, key, "end strong"))
        parts.append(draw_bar(200, y, max(1.0, scale(fraction) - 200), BAR_HEIGHT - 8, f"{key}: {fraction:.0%}"))
        parts.append(draw_text(scale(fraction) + 6, y + 14, f"{fraction:.0%}"))
    return build_svg(len(ordered) * BAR_HEIGHT + 8, parts, "Importance of the parameters")


def _draw_curves(trials: Sequence[TrialRecord]) -> Markup:
    """Draw the validation CER of each trial over its validations; the best trial lies on top."""
    drawn = [trial for trial in trials if len(trial.curve) > 1]
    if not drawn:
        return Markup()
    last = max(trial.curve[-1][0] for trial in drawn)
    highest = min(1.0, max(cer for trial in drawn for _, cer in trial.curve))
    x, y = Scale(1, last), Scale(0, highest, BOTTOM, TOP)
    parts = [
        draw_line(LEFT_MARGIN, BOTTOM, WIDTH - RIGHT_MARGIN, BOTTOM),
        draw_text(WIDTH / 2, BOTTOM + 14, "validation", "middle"),
    ]
    for cer in (0, highest / 2, highest):
        parts.append(draw_text(LEFT_MARGIN - 6, y(cer) + 4, f"{100 * cer:.0f} %", "end"))
    for number in dict.fromkeys((1, last)):
        parts.append(draw_text(x(number), BOTTOM + 14, str(number), "middle"))
    for trial in reversed(drawn):
        points = [(x(number), y(min(cer, highest))) for number, cer in trial.curve]
        kind = "best" if trial is drawn[0] and trial.state == "done" else "trial" if trial.state == "done" else "ended"
        parts.append(draw_polyline(points, kind, str(trial.number)))
    return build_svg(BOTTOM + 22, parts, "CER on val by validation")
