"""The page that shows a sweep."""

import math
from collections.abc import Mapping, Sequence

from htr_lightning.report.chart import (
    LEFT_MARGIN,
    RIGHT_MARGIN,
    WIDTH,
    Scale,
    build_svg,
    draw_bar,
    draw_line,
    draw_text,
)
from htr_lightning.report.html import document, figure, shown, signature, style_of
from htr_lightning.sweep.importance import is_logarithmic, numbers_of
from htr_lightning.sweep.table import cells, heading
from htr_lightning.sweep.trials import TrialRecord
from htr_lightning.text import format_count

TOP, BOTTOM, BAR = 34, 250, 24


def render_sweep(
    name: str, trials: Sequence[TrialRecord], keys: Sequence[str], shares: Mapping[str, float] | None, note: str
) -> str:
    """Write the page.

    Args:
        name: of the sweep.
        trials: best first.
        keys: varied.
        shares: importance of the keys; None where it is not known.
        note: how to run the best again; plain text.
    """
    done = [trial for trial in trials if trial.state == "done"]
    states = ", ".join(
        f"{sum(trial.state == state for trial in trials)} {state}"
        for state in ("done", "pruned", "failed", "unfinished")
        if any(trial.state == state for trial in trials)
    )
    return document(
        f"Sweep {name}",
        [
            f"<h1>Sweep {shown(name)}</h1>",
            f'<p class="faint">{format_count(len(trials), "trial")}: {states}.</p>',
            f"<p>{shown(note)}</p>" if note else "",
            figure("Every trial", "what it was given, from left to right, and its CER", _parallel(done, keys)),
            figure("Importance", "how much each value mattered for a low CER (PED-ANOVA)", _importance(shares)),
            figure("CER on val", "of each validation; dashed: trials that were ended", _curves(trials)),
            "<h2>Trials</h2>",
            _table(trials, keys),
            signature(),
        ],
        style_of("htr_lightning.sweep"),
    )


def _parallel(done: Sequence[TrialRecord], keys: Sequence[str]) -> str:
    """Draw each trial as a line that crosses an axis for each value; the best comes last, over the others."""
    if len(done) < 2 or not keys:
        return ""
    axes = [*keys, "val CER"]
    step = (WIDTH - LEFT_MARGIN - RIGHT_MARGIN - 40) / max(1, len(axes) - 1)
    places: list[list[float]] = [[] for _ in done]
    parts: list[str] = []
    words_of: list[str] = []  # drawn over the lines
    for number, key in enumerate(axes):
        x = LEFT_MARGIN + number * step
        values = [trial.overrides.get(key, "") for trial in done] if key in keys else [f"{t.cer:.6f}" for t in done]
        heights, marks = _axis(values)
        parts.append(draw_line(x, TOP, x, BOTTOM))
        words_of.append(draw_text(x, TOP - 14, key.removeprefix("dataset.") if key in keys else key, "middle strong"))
        words_of += [
            draw_text(x + 4, y + 4, words if key in keys else f"{100 * float(words):.2f} %") for y, words in marks
        ]
        for place, height in zip(places, heights, strict=True):
            place.append(height)
    for place, trial in reversed(list(zip(places, done, strict=True))):
        points = " ".join(f"{LEFT_MARGIN + number * step:.1f},{y:.1f}" for number, y in enumerate(place))
        words = shown(f"{trial.number}: val CER {100 * trial.cer:.2f} %")
        kind = "best" if trial is done[0] else "trial"
        parts.append(f'<polyline class="{kind}" points="{points}"><title>{words}</title></polyline>')
    return build_svg(BOTTOM + 16, [*parts, *words_of], "Trials as lines over the values they were given")


def _axis(values: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Return where each value stands on an axis, and the words beside it."""
    numbers = numbers_of(values)
    if numbers is None or len(set(numbers)) < 2:
        names = sorted(set(values))
        scale = Scale(0, max(1, len(names) - 1), BOTTOM, TOP)
        return [scale(names.index(value)) for value in values], [(scale(i), name) for i, name in enumerate(names)]

    seen = [math.log(number) for number in numbers] if is_logarithmic(numbers) else numbers
    scale = Scale(min(seen), max(seen), BOTTOM, TOP)
    marked = dict.fromkeys((numbers.index(min(numbers)), numbers.index(max(numbers))))
    if len(set(numbers)) <= 5:
        marked = dict.fromkeys(numbers.index(number) for number in set(numbers))
    return [scale(place) for place in seen], [(scale(seen[i]), f"{numbers[i]:.4g}") for i in marked]


def _importance(shares: Mapping[str, float] | None) -> str:
    if not shares:
        return ""
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    scale = Scale(0, max(shares.values()), 200, WIDTH - 60)
    parts: list[str] = []
    for number, (key, share) in enumerate(ordered):
        y = number * BAR + 4
        parts.append(draw_text(192, y + 14, key, "end strong"))
        parts.append(draw_bar(200, y, max(1.0, scale(share) - 200), BAR - 8, f"{key}: {share:.0%}"))
        parts.append(draw_text(scale(share) + 6, y + 14, f"{share:.0%}"))
    return build_svg(len(ordered) * BAR + 8, parts, "Importance of the values")


def _curves(trials: Sequence[TrialRecord]) -> str:
    drawn = [trial for trial in trials if len(trial.curve) > 1]
    if not drawn:
        return ""
    x = Scale(1, max(trial.curve[-1][0] for trial in drawn))
    most = min(1.0, max(cer for trial in drawn for _, cer in trial.curve))
    y = Scale(0, most, BOTTOM, TOP)
    parts = [
        draw_line(LEFT_MARGIN, BOTTOM, WIDTH - RIGHT_MARGIN, BOTTOM),
        draw_text(WIDTH / 2, BOTTOM + 14, "validation", "middle"),
    ]
    for share in (0, most / 2, most):
        parts.append(draw_text(LEFT_MARGIN - 6, y(share) + 4, f"{100 * share:.0f} %", "end"))
    for epoch in dict.fromkeys((1, round(x.low + (WIDTH - RIGHT_MARGIN - LEFT_MARGIN) / x.factor))):
        parts.append(draw_text(x(epoch), BOTTOM + 14, str(epoch), "middle"))
    for trial in reversed(drawn):
        points = " ".join(f"{x(epoch):.1f},{y(min(cer, most)):.1f}" for epoch, cer in trial.curve)
        kind = "best" if trial is drawn[0] and trial.state == "done" else "trial" if trial.state == "done" else "ended"
        parts.append(f'<polyline class="{kind}" points="{points}"><title>{trial.number}</title></polyline>')
    return build_svg(BOTTOM + 22, parts, "CER on val by validation")


def _table(trials: Sequence[TrialRecord], keys: Sequence[str]) -> str:
    head = "".join(f"<th>{shown(name)}</th>" for name in heading(keys))
    rows = []
    for number, trial in enumerate(trials):
        inside = "".join(f"<td>{shown(cell)}</td>" for cell in cells(trial, keys))
        best = ' class="best"' if number == 0 and trial.state == "done" else ""
        rows.append(f'<tr{best}>{inside}<td class="failed">{shown(trial.message)}</td></tr>')
    return f'<div class="scroll"><table><tr>{head}<th></th></tr>\n' + "\n".join(rows) + "</table></div>"
