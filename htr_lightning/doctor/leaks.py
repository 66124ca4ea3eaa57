"""Findings about data leakage between splits, and about duplicates within one.

What train shares with val or test makes scores look better than they are on unseen lines.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.doctor.facts import Facts, Settings
from htr_lightning.doctor.finding import AffectedLine, Finding, Severity
from htr_lightning.doctor.near_duplicates import MIN_LENGTH, find_near_duplicates, simplify_text
from htr_lightning.text import format_count

_MAX_GROUPS = 5  # named in a title
_NEGLIGIBLE = 0.01  # fraction of a split's lines that hardly changes its scores


def find_shared_lines(facts: Facts, settings: Settings) -> list[Finding]:
    """Find lines that two splits share, by id or by pixels.

    More than ``loader.max_shared`` of val or test in train is an error: such scores would measure memorization, and the
    best checkpoint would be chosen by them.
    """
    findings = []
    for one, other in itertools.combinations(SPLITS, 2):
        keys = {key for line in _iterate_usable(facts, other) for key in line}
        id_of = {key: id for id, digest in _iterate_usable(facts, one) for key in (digest, id) if key in keys}
        lines = [
            AffectedLine(other, id, f"is {id_of.get(digest, id)} of {one}")
            for id, digest in _iterate_usable(facts, other)
            if id in id_of or digest in id_of
        ]
        if not lines:
            continue
        fraction = len(lines) / max(1, int(facts[other].usable.sum()))
        is_error = one == "train" and fraction > settings.max_shared
        title = (
            f"{format_count(len(lines), 'line')} of {other} ({fraction:.{0 if fraction >= 0.1 else 1}%}) "
            f"{'is' if len(lines) == 1 else 'are'} also in {one}, "
            f"so scores on {other} are {'meaningless' if is_error else 'biased'}"
        )
        remedy = f"remove them from {one} or from {other}"
        if is_error:
            remedy += "; or, to overfit intentionally, set loader.max_shared=1"
        severity: Severity = "error" if is_error else "warning"
        findings.append(Finding(f"{other}_lines_in_{one}", severity, title, len(lines), remedy, lines))
    return findings


def _iterate_usable(facts: Facts, split: Split) -> Iterator[tuple[str, bytes | str]]:
    """Yield id and digest of the usable lines."""
    rows = facts[split]
    for id, digest, width in zip(rows.ids, rows.digests, rows.input_widths_px, strict=True):
        if width:
            yield id, digest


def find_repeated_images(facts: Facts) -> list[Finding]:
    """Find images that occur twice in a split, with the same text or with different texts."""
    same: list[AffectedLine] = []
    different: list[AffectedLine] = []
    for split, rows in facts.items():
        first_row: dict[bytes | str, int] = {}
        for row in _find_repeated(rows.digests):
            digest = rows.digests[row]
            first = first_row.setdefault(digest, row)
            if first == row:
                continue
            if rows.texts[first] == rows.texts[row]:
                same.append(AffectedLine(split, rows.ids[row], f"is {rows.ids[first]}"))
            else:
                reason = f"«{rows.texts[row]}», but {rows.ids[first]} has «{rows.texts[first]}»"
                different.append(AffectedLine(split, rows.ids[row], reason))
    findings = []
    if different:
        title = f"{format_count(len(different), 'image occurs', 'images occur')} a second time with a different text"
        remedy = "keep the correct text"
        findings.append(Finding("contradictions", "warning", title, len(different), remedy, different))
    if same:
        title = f"{format_count(len(same), 'image occurs', 'images occur')} twice in one split"
        findings.append(Finding("repeated_images", "note", title, len(same), "keep one of each", same))
    return findings


def _find_repeated(digests: Sequence[bytes | str]) -> list[int]:
    """Return the rows of the digests that occur more than once, without holding all of a large dataset in memory."""
    hashes = np.fromiter((hash(digest) if digest else 0 for digest in digests), np.int64, len(digests))
    order = np.argsort(hashes, kind="stable")
    is_equal = np.diff(hashes[order]) == 0
    repeated = np.r_[False, is_equal] | np.r_[is_equal, False]
    return [row for row in np.sort(order[repeated[: len(order)]]).tolist() if digests[row]]


def find_shared_groups(facts: Facts, settings: Settings) -> list[Finding]:
    """Find writers, pages or fonts that two splits share."""
    lines_per_group = {split: Counter(filter(None, facts[split].groups)) for split in SPLITS}
    if not any(lines_per_group.values()):
        title = "no line has a writer or page, so splits that share some cannot be detected"
        remedy = "add a column writer, page or group (dataset.group_column of dataset=lines)"
        return [Finding("no_groups", "note", title, 0, remedy)]
    findings = []
    for one, other in itertools.combinations(SPLITS, 2):
        shared = sorted(lines_per_group[other].keys() & lines_per_group[one].keys())
        if shared:
            findings.append(_report_shared_groups(facts, settings, one, other, shared))
    return findings


def _report_shared_groups(facts: Facts, settings: Settings, one: Split, other: Split, shared: list[str]) -> Finding:
    names = ", ".join(shared[:_MAX_GROUPS]) + (", ..." if len(shared) > _MAX_GROUPS else "")
    num_groups = len(set(filter(None, facts[other].groups)))
    verb = "is" if len(shared) == 1 else "are"
    title = f"{len(shared):,} of the {format_count(num_groups, 'group')} of {other} {verb} also in {one}: {names}"
    if num_groups == 1:
        title = f"the only group of {other} is also in {one}: {names}"
    remedy = f"keep each group in one split, unless scores on {other} are meant to be those of known writers"
    if settings.groups_are_fonts:
        remedy = "nothing: these groups are fonts, shared intentionally (dataset.held_out_fonts keeps some for test)"
    severity: Severity = "note" if settings.groups_are_fonts else "warning"
    lines = _list_first_lines(facts, other, set(shared))
    return Finding(f"{other}_groups_in_{one}", severity, title, len(shared), remedy, lines)


def _list_first_lines(facts: Facts, split: Split, groups: set[str]) -> list[AffectedLine]:
    """Return the first line of each group."""
    first: dict[str, AffectedLine] = {}
    for id, group in zip(facts[split].ids, facts[split].groups, strict=True):
        if group in groups and group not in first:
            first[group] = AffectedLine(split, id, f"group {group}")
    return list(first.values())


def find_repeated_texts(facts: Facts) -> list[Finding]:
    """Find texts that two splits share, verbatim or nearly so, and texts that occur twice in a split.

    Short texts, such as dates, repeat by nature: only those with at least `MIN_LENGTH` letters and digits count. Lines
    with the same image are left to `find_shared_lines`. A few repeated texts hardly change a score and are only a note.
    """
    findings = []
    for one, other in itertools.combinations(SPLITS, 2):
        shared = {key for id, digest in _iterate_usable(facts, one) for key in (id, digest)}
        ids_and_digests = zip(facts[other].ids, facts[other].digests, strict=True)
        rows = [row for row, (id, digest) in enumerate(ids_and_digests) if id not in shared and digest not in shared]
        texts = [facts[other].texts[row] for row in rows]
        lines = [
            AffectedLine(
                other,
                facts[other].ids[rows[pair.row]],
                f"«{texts[pair.row]}», like {facts[one].ids[pair.other_row]} of {one} ({pair.similarity:.0%})",
            )
            for pair in find_near_duplicates(facts[one].texts, texts)
        ]
        if lines:
            severity: Severity = "note" if len(lines) <= _NEGLIGIBLE * len(facts[other]) else "warning"
            number, verb = format_count(len(lines), "text"), "is" if len(lines) == 1 else "are"
            title = f"{number} of {other} {verb} also in {one}, verbatim or nearly so"
            remedy = "split by text as well, or evaluate on other texts: a model memorizes texts"
            findings.append(Finding(f"{other}_texts_in_{one}", severity, title, len(lines), remedy, lines))
    return [*findings, *_find_repeated_texts_in_splits(facts)]


def _find_repeated_texts_in_splits(facts: Facts) -> list[Finding]:
    lines = []
    for split, rows in facts.items():
        ids_of: dict[str, list[str]] = defaultdict(list)
        for id, text in zip(rows.ids, rows.texts, strict=True):
            ids_of[simplify_text(text)].append(id)
        for text, ids in ids_of.items():
            if len(ids) > 1 and len(text) >= MIN_LENGTH:
                lines.append(AffectedLine(split, ids[0], f"also {', '.join(ids[1:4])}"))
    if not lines:
        return []
    title = f"{format_count(len(lines), 'text occurs', 'texts occur')} more than once in one split"
    remedy = "nothing, if the same text was written several times"
    return [Finding("repeated_texts", "note", title, len(lines), remedy, lines)]
