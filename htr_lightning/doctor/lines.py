"""Findings about single lines: those that training refuses or skips, and those that are probably wrong."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from htr_lightning.data.line import SPLITS, UNTRANSCRIBED, LeftOut, Split
from htr_lightning.doctor.facts import Facts, ProblemKind, Settings
from htr_lightning.doctor.finding import AffectedLine, Finding, Severity
from htr_lightning.text import format_count, normalize

MIN_INK = 0.001
"""Fraction of dark pixels below which an image counts as blank or very pale; a written line has some hundredths."""

_ROTATED_RATIO = 1.5  # height to width
_MIN_ROTATED_LENGTH = 6  # characters; a shorter text may be higher than wide
_ENLARGED_RATIO = 0.6  # height of the image to that of the model's input
_MIN_ENLARGED_FRACTION = 0.1  # of all lines

_PROBLEMS: dict[ProblemKind, tuple[str, Callable[[int], str], str]] = {
    "missing": (
        "missing_images",
        lambda n: f"{format_count(n, 'image is', 'images are')} missing",
        "restore them, or correct their paths",
    ),
    "damaged": (
        "damaged_images",
        lambda n: f"{format_count(n, 'image')} cannot be read",
        "copy or export them again, or see the reason of each",
    ),
    "unusable": (
        "unusable_lines",
        lambda n: f"{format_count(n, 'line has', 'lines have')} no usable shape or image",
        "correct the layout files; see the reason of each",
    ),
    "empty": (
        "empty_texts",
        lambda n: f"{format_count(n, 'text is', 'texts are')} empty",
        "transcribe them, or remove the lines",
    ),
    "too_small": (
        "small_images",
        lambda n: f"{format_count(n, 'image is', 'images are')} less than 2 px wide or high",
        "remove them, or crop them again",
    ),
    "too_wide": (
        "wide_images",
        lambda n: f"{format_count(n, 'image is', 'images are')} too wide",
        "crop them into lines, or raise preprocess.max_width_px",
    ),
}
"""Key, title and remedy of the finding about each kind of problem."""


def find_empty_splits(facts: Facts) -> list[Finding]:
    """Find splits without usable lines."""
    empty = {split: facts[split] for split in SPLITS if not facts[split].usable.any()}
    findings = []
    for split, lines in empty.items():
        title = f"the {split} split has no {'usable ' if len(lines) else ''}lines"
        if split == "test":
            remedy = "add some, to measure the final model on lines that no decision was based on"
            findings.append(Finding("no_test", "note", title, 0, remedy))
        else:
            remedy = "add lines: a run needs train and val; dataset.manifest=FILE splits a single table"
            findings.append(Finding(f"no_{split}", "error", title, 0, remedy))
    return findings


def find_left_out_lines(left_out: Mapping[Split, LeftOut]) -> list[Finding]:
    """Count the lines that the dataset leaves out, by the reason."""
    by_reason: dict[str, list[AffectedLine]] = {}
    for split, reasons in left_out.items():
        for reason, ids in reasons.items():
            by_reason.setdefault(reason, []).extend(AffectedLine(split, id) for id in ids)
    findings = []
    for reason, lines in by_reason.items():
        is_untranscribed = reason == UNTRANSCRIBED
        title = f"{format_count(len(lines), 'line')} {reason}, left out"
        key, remedy = ("untranscribed", "transcribe them to train on them") if is_untranscribed else ("left_out", "")
        findings.append(Finding(key, "note", title, len(lines), remedy, lines))
    return findings


def find_replaced_outlines(replaced: Mapping[Split, Mapping[str, Sequence[str]]]) -> list[Finding]:
    """Count the lines that are cropped along their baseline instead of by their outline, by the reason."""
    by_reason: dict[str, list[AffectedLine]] = {}
    for split, reasons in replaced.items():
        for reason, ids in reasons.items():
            by_reason.setdefault(reason, []).extend(AffectedLine(split, id) for id in ids)
    remedy = "a band around the baseline is cropped instead; draw them again, or set dataset.outlines=keep to use them"
    return [
        Finding("outlines", "note", f"{format_count(len(lines), 'line')} {reason}", len(lines), remedy, lines)
        for reason, lines in by_reason.items()
    ]


def find_repeated_ids(facts: Facts) -> list[Finding]:
    """Find ids that several lines of one split have, which training refuses."""
    lines = []
    for split, rows in facts.items():
        counts = Counter(rows.ids)
        lines += [AffectedLine(split, id, f"{count} lines") for id, count in counts.items() if count > 1]
    if not lines:
        return []
    title = f"{format_count(len(lines), 'id belongs', 'ids belong')} to several lines of a split"
    return [Finding("repeated_ids", "error", title, len(lines), "give each line a unique id", lines)]


def find_unusable_lines(facts: Facts, settings: Settings) -> list[Finding]:
    """Find the lines that training cannot use, by the same rule: more than ``loader.max_skipped`` are errors.

    A CTC model emits at most one character per frame, and needs a blank between equal characters: a text that needs
    more frames than its line has cannot be learned. Training skips such lines of train; in val and test they stay, and
    cannot be predicted correctly.
    """
    short = list(find_too_short_lines(facts, settings))
    of_train = [line for line in short if line.split == "train"]
    others = [line for line in short if line.split != "train"]
    total = sum(len(rows.problems) for rows in facts.values()) + len(of_train)
    severity: Severity = "error" if total > settings.max_skipped else "warning"
    skip = f"or skip {'it' if total == 1 else 'all such lines'} with loader.max_skipped={total}"
    if severity == "warning":
        skip = f"until then, training skips them (loader.max_skipped={settings.max_skipped})"
    findings = []
    for kind, (key, format_title, remedy) in _PROBLEMS.items():
        lines = _list_problems(facts, kind)
        if lines:
            title = format_title(len(lines))
            findings.append(Finding(key, severity, title, len(lines), f"{remedy}; {skip}", lines))
    remedy = "check their texts, or use a model with smaller strides or a greater height (model=crnn)"
    if of_train:
        number = format_count(len(of_train), "line of train is", "lines of train are")
        title = f"{number} too narrow for the text (CTC)"
        findings.append(Finding("too_short", severity, title, len(of_train), f"{remedy}; {skip}", of_train))
    if others:
        number = format_count(len(others), "line")
        title = f"{number} of val and test cannot be predicted correctly: too narrow for the text (CTC)"
        findings.append(Finding("too_short_to_predict", "warning", title, len(others), remedy, others))
    return findings


def _list_problems(facts: Facts, kind: ProblemKind) -> Sequence[AffectedLine]:
    return [
        AffectedLine(split, rows.ids[row], problem.message)
        for split, rows in facts.items()
        for row, problem in sorted(rows.problems.items())
        if problem.kind == kind
    ]


def find_too_short_lines(facts: Facts, settings: Settings) -> Iterator[AffectedLine]:
    """Yield the usable lines whose text needs more frames than the model has for them."""
    if settings.count_frames is None:
        return
    for split, rows in facts.items():
        frames = settings.count_frames(rows.input_widths_px)
        # Other lines are long enough even if all their characters were equal, and normalization doubled their number.
        for row in np.flatnonzero(rows.usable & (frames < 4 * rows.lengths)).tolist():
            text = normalize(rows.texts[row], settings.normalization)
            required = len(text) + sum(a == b for a, b in itertools.pairwise(text))
            if required > frames[row]:
                length = format_count(len(text), "character")
                reason = f"its {length} need {required} frames, the line has {frames[row]}"
                yield AffectedLine(split, rows.ids[row], reason)


def find_faint_images(facts: Facts) -> list[Finding]:
    """Find images with almost no ink after preprocessing."""
    lines = [
        AffectedLine(split, rows.ids[row], f"«{rows.texts[row]}»")
        for split, rows in facts.items()
        for row in np.flatnonzero(rows.usable & (rows.ink < MIN_INK)).tolist()
    ]
    if not lines:
        return []
    number = format_count(len(lines), "image has", "images have")
    title = f"{number} almost no ink after preprocessing: blank, or very pale"
    remedy = "remove blank images; for pale ones, try +preprocess.background=flatten, or scan them again"
    return [Finding("faint_images", "warning", title, len(lines), remedy, lines)]


def find_rotated_lines(facts: Facts) -> list[Finding]:
    """Find images that are much higher than wide although their text is long."""
    lines = []
    for split, rows in facts.items():
        is_high = rows.heights_px > _ROTATED_RATIO * rows.widths_px
        is_rotated = rows.usable & is_high & (rows.lengths >= _MIN_ROTATED_LENGTH)
        lines += [
            AffectedLine(
                split, rows.ids[row], f"{rows.widths_px[row]} x {rows.heights_px[row]} px, «{rows.texts[row]}»"
            )
            for row in np.flatnonzero(is_rotated).tolist()
        ]
    if not lines:
        return []
    title = f"{format_count(len(lines), 'line is', 'lines are')} higher than wide"
    remedy = "rotate them by 90 degrees, or crop them again"
    return [Finding("rotated_lines", "warning", title, len(lines), remedy, lines)]


def find_enlarged_images(facts: Facts, settings: Settings) -> list[Finding]:
    """Report if many images are much lower than the model's input."""
    heights = np.concatenate([rows.heights_px[rows.usable] for rows in facts.values()])
    num_low = int(np.count_nonzero(heights < _ENLARGED_RATIO * settings.height_px))
    if num_low <= _MIN_ENLARGED_FRACTION * len(heights):
        return []
    number = format_count(num_low, "image is", "images are")
    title = f"{number} enlarged to {settings.height_px} px: the median height is {int(np.median(heights))} px"
    remedy = "scan with a higher resolution, or use a model with a smaller height (model.height_px)"
    return [Finding("enlarged_images", "note", title, num_low, remedy)]
