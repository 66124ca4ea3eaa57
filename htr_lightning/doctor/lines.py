"""Findings about single lines: what training refuses or leaves out, and what can hardly be right."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from htr_lightning.data.line import SPLITS
from htr_lightning.doctor.facts import Facts, Settings, Trouble
from htr_lightning.doctor.finding import Finding, Named, Severity
from htr_lightning.text import format_count, normalize

FAINT_INK = 0.001
"""Share of dark pixels below which an image counts as blank or very pale; a written line has some hundredths."""

_SIDEWAYS = 1.5  # times as high as wide
_ENLARGED = 0.6  # share of the height that the model reads
_MANY = 0.1
_TALL_TEXT = 6  # characters from which a line is surely wider than high

_TROUBLES: dict[Trouble, tuple[str, Callable[[int], str], str]] = {
    "missing": (
        "missing_images",
        lambda n: f"{format_count(n, 'image is', 'images are')} missing",
        "put them back, or correct their paths",
    ),
    "damaged": (
        "damaged_images",
        lambda n: f"{format_count(n, 'image')} cannot be read",
        "copy or export them again, or as each one's reason says",
    ),
    "unusable": (
        "unusable_lines",
        lambda n: f"{format_count(n, 'line has', 'lines have')} no image that could be cut out or found",
        "mend them as each one's reason says",
    ),
    "empty": (
        "empty_texts",
        lambda n: f"{format_count(n, 'text is', 'texts are')} empty",
        "write what the images say, or take the lines out",
    ),
    "small": (
        "small_images",
        lambda n: f"{format_count(n, 'image is', 'images are')} less than 2 px wide or high",
        "take them out, or cut them again",
    ),
    "wide": (
        "wide_images",
        lambda n: f"{format_count(n, 'image is', 'images are')} too wide",
        "cut them into lines, or raise preprocess.max_width_px",
    ),
}


def too_few(facts: Facts) -> list[Finding]:
    """Find splits without lines that could be used."""
    empty = {split: facts[split] for split in SPLITS if not facts[split].usable.any()}
    findings = []
    for split, lines in empty.items():
        what = "has no lines" if not len(lines) else "has no line that can be used"
        if split == "test":
            remedy = "give it some, to measure the finished model on lines that no choice was made by"
            findings.append(Finding("no_test", "note", f"the test split {what}", 0, remedy))
        else:
            remedy = (
                "a run needs some to learn from and some to choose by; dataset.manifest=FILE divides a single table"
            )
            findings.append(Finding(f"no_{split}", "fault", f"the {split} split {what}", 0, remedy))
    return findings


def repeated_ids(facts: Facts) -> list[Finding]:
    """Find ids that several lines of one split have, which training refuses."""
    lines = []
    for split, rows in facts.items():
        again = Counter(rows.ids)
        lines += [Named(split, id, f"{n} lines") for id, n in again.items() if n > 1]
    if not lines:
        return []
    title = f"{format_count(len(lines), 'id is', 'ids are')} that of several lines of a split"
    return [Finding("repeated_ids", "fault", title, len(lines), "give each line an id of its own", lines)]


def left_out(facts: Facts, settings: Settings) -> list[Finding]:
    """Find the lines that training cannot use, by the same rule: faults if there are more than ``max_skipped``.

    A CTC model writes at most one character a frame, and none twice in a row without a blank between them: a text
    that needs more frames than its line has cannot be learnt. Training leaves such lines of train out; in val and
    test they stay, and cannot be read right.
    """
    short = list(too_short(facts, settings))
    of_train = [line for line in short if line.split == "train"]
    total = sum(len(rows.problems) for rows in facts.values()) + len(of_train)
    severity: Severity = "fault" if total > settings.max_skipped else "warning"
    out = f"or leave {'it' if total == 1 else 'all such lines'} out with loader.max_skipped={total}"
    if severity == "warning":
        out = f"until then, they are left out (loader.max_skipped={settings.max_skipped})"
    findings = []
    for trouble, (key, words, remedy) in _TROUBLES.items():
        lines = [
            Named(split, rows.ids[row], problem.reason)
            for split, rows in facts.items()
            for row, problem in sorted(rows.problems.items())
            if problem.trouble == trouble
        ]
        if lines:
            findings.append(Finding(key, severity, words(len(lines)), len(lines), f"{remedy}; {out}", lines))
    remedy = "check their texts, or take a model with smaller strides or more height (model=crnn)"
    if of_train:
        title = f"{format_count(len(of_train), 'line of train is', 'lines of train are')} too narrow for the text (CTC)"
        findings.append(Finding("too_short", severity, title, len(of_train), f"{remedy}; {out}", of_train))
    others = [line for line in short if line.split != "train"]
    if others:
        title = (
            f"{format_count(len(others), 'line')} of val and test cannot be read right: too narrow for the text (CTC)"
        )
        findings.append(Finding("too_short_to_read", "warning", title, len(others), remedy, others))
    return findings


def too_short(facts: Facts, settings: Settings) -> Iterator[Named]:
    """Yield the usable lines whose text needs more frames than the model gives them."""
    if settings.frames is None:
        return
    for split, rows in facts.items():
        frames = settings.frames(rows.line_px)
        # The others fit even if every character were followed by its like, whatever the normalization does.
        for row in np.flatnonzero(rows.usable & (frames < 4 * rows.lengths)).tolist():
            text = normalize(rows.texts[row], settings.normalization)
            needed = len(text) + sum(a == b for a, b in itertools.pairwise(text))
            if needed > frames[row]:
                why = f"its {format_count(len(text), 'character')} need {needed} frames, the line has {frames[row]}"
                yield Named(split, rows.ids[row], why)


def faint(facts: Facts) -> list[Finding]:
    """Find images with next to no ink, as the model sees them."""
    lines = [
        Named(split, rows.ids[row], f"«{rows.texts[row]}»")
        for split, rows in facts.items()
        for row in np.flatnonzero(rows.usable & (rows.ink < FAINT_INK)).tolist()
    ]
    if not lines:
        return []
    number = format_count(len(lines), "image shows", "images show")
    title = f"{number} next to no ink after preprocessing: blank, or very pale"
    remedy = "take the blank ones out; try +preprocess.background=flatten, or scan again, for the pale ones"
    return [Finding("faint_images", "warning", title, len(lines), remedy, lines)]


def sideways(facts: Facts) -> list[Finding]:
    """Find images that are much higher than wide although their text is long."""
    lines = []
    for split, rows in facts.items():
        odd = rows.usable & (rows.heights_px > _SIDEWAYS * rows.widths_px) & (rows.lengths >= _TALL_TEXT)
        lines += [
            Named(split, rows.ids[row], f"{rows.widths_px[row]} x {rows.heights_px[row]} px, «{rows.texts[row]}»")
            for row in np.flatnonzero(odd).tolist()
        ]
    if not lines:
        return []
    title = f"{format_count(len(lines), 'line is', 'lines are')} higher than wide"
    return [Finding("sideways", "warning", title, len(lines), "turn them by 90 degrees, or cut them again", lines)]


def enlarged(facts: Facts, settings: Settings) -> list[Finding]:
    """Say when many images are much lower than what the model reads."""
    heights = np.concatenate([rows.heights_px[rows.usable] for rows in facts.values()])
    low = int(np.count_nonzero(heights < _ENLARGED * settings.height_px))
    if low <= _MANY * len(heights):
        return []
    title = (
        f"{format_count(low, 'image is', 'images are')} enlarged to {settings.height_px} px: "
        f"half of all are at most {int(np.median(heights))} px high"
    )
    remedy = "scan with a higher resolution, or take a model for lower lines (model.height_px)"
    return [Finding("enlarged", "note", title, low, remedy)]
