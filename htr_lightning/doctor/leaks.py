"""Findings about what two splits share, and what one of them has twice.

What train shares with val or test makes scores look better than they are on lines that nobody has seen.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.doctor.facts import Facts, Settings
from htr_lightning.doctor.finding import Finding, Named
from htr_lightning.doctor.near import MIN_LENGTH, folded, near_duplicates
from htr_lightning.text import format_count

_NAMED_GROUPS = 5
_FEW = 0.01  # of a split's lines: its scores cannot change by more


def shared_lines(facts: Facts, settings: Settings) -> list[Finding]:
    """Find lines of one split that another has too, by their id or by their pixels.

    More than ``loader.max_shared`` of val or test in train is a fault: such scores would measure memory, and the
    weights would be chosen by them.
    """
    findings = []
    for one, other in itertools.combinations(SPLITS, 2):
        seen = {key: id for id, digest in _rows(facts, one) for key in (digest, id)}
        lines = [
            Named(other, id, f"is {seen.get(digest, id)} of {one}")
            for id, digest in _rows(facts, other)
            if id in seen or digest in seen
        ]
        if not lines:
            continue
        share = len(lines) / max(1, int(facts[other].usable.sum()))
        number, verb = format_count(len(lines), "line"), "is" if len(lines) == 1 else "are"
        too_many = one == "train" and share > settings.max_shared
        remedy = f"take them out of {one} or of {other}"
        if too_many:
            remedy += "; or, to overfit on purpose, set loader.max_shared=1"
        findings.append(
            Finding(
                f"{other}_lines_in_{one}",
                "fault" if too_many else "warning",
                f"{number} of {other} ({share:.{0 if share >= 0.1 else 1}%}) {verb} in {one} too, "
                f"so scores on {other} say {'nothing' if too_many else 'less'}",
                len(lines),
                remedy,
                lines,
            )
        )
    return findings


def _rows(facts: Facts, split: Split) -> Iterator[tuple[str, bytes | str]]:
    rows = facts[split]
    for id, digest, width in zip(rows.ids, rows.digests, rows.line_px, strict=True):
        if width:
            yield id, digest


def repeated_images(facts: Facts) -> list[Finding]:
    """Find images that one split has twice: with one text a waste, with two a contradiction."""
    same: list[Named] = []
    different: list[Named] = []
    for split, rows in facts.items():
        first: dict[bytes | str, int] = {}
        for row, digest in enumerate(rows.digests):
            if not digest:
                continue
            before = first.setdefault(digest, row)
            if before == row:
                continue
            if rows.texts[before] == rows.texts[row]:
                same.append(Named(split, rows.ids[row], f"is {rows.ids[before]}"))
            else:
                why = f"«{rows.texts[row]}», but {rows.ids[before]} has «{rows.texts[before]}»"
                different.append(Named(split, rows.ids[row], why))
    findings = []
    if different:
        title = f"{format_count(len(different), 'image comes', 'images come')} a second time with another text"
        remedy = "keep the text that is right"
        findings.append(Finding("contradictions", "warning", title, len(different), remedy, different))
    if same:
        title = f"{format_count(len(same), 'image comes', 'images come')} twice in one split"
        findings.append(Finding("repeated_images", "note", title, len(same), "keep one of each", same))
    return findings


def shared_groups(facts: Facts, settings: Settings) -> list[Finding]:
    """Find writers, pages or fonts that two splits share."""
    lines_of = {split: Counter(filter(None, facts[split].groups)) for split in SPLITS}
    if not any(lines_of.values()):
        title = "no line says which writer or page it is of, so nothing tells whether splits share them"
        remedy = "a column writer, page or group says it (dataset.group_column of dataset=lines)"
        return [Finding("no_groups", "note", title, 0, remedy)]
    findings = []
    for one, other in itertools.combinations(SPLITS, 2):
        shared = sorted(lines_of[other].keys() & lines_of[one].keys())
        if not shared:
            continue
        named = ", ".join(shared[:_NAMED_GROUPS]) + (", ..." if len(shared) > _NAMED_GROUPS else "")
        all_of = len(lines_of[other])
        verb = "is" if len(shared) == 1 else "are"
        title = f"{len(shared):,} of the {format_count(all_of, 'group')} of {other} {verb} in {one} too: {named}"
        if all_of == 1:
            title = f"the only group of {other} is in {one} too: {named}"
        remedy = f"keep each group in one split; unless scores on {other} are meant to be those of known hands"
        if settings.groups_are_fonts:
            remedy = "nothing: these groups are fonts, shared on purpose (dataset.held_out_fonts keeps some for test)"
        findings.append(
            Finding(
                f"{other}_groups_in_{one}",
                "note" if settings.groups_are_fonts else "warning",
                title,
                len(shared),
                remedy,
                _lines_of_groups(facts, other, set(shared)),
            )
        )
    return findings


def _lines_of_groups(facts: Facts, split: Split, groups: set[str]) -> list[Named]:
    """Name the first line of each group."""
    first: dict[str, Named] = {}
    for id, group in zip(facts[split].ids, facts[split].groups, strict=True):
        if group in groups and group not in first:
            first[group] = Named(split, id, f"group {group}")
    return list(first.values())


def repeated_texts(facts: Facts) -> list[Finding]:
    """Find texts of val and test that train has too, word for word or nearly; and those that a split has twice.

    Short texts, such as dates, come again by nature: only those with `MIN_LENGTH` letters and digits count. What
    is the very same image is reported as that. A few such lines cannot change a score, so they are but noted.
    """
    findings = []
    for one, other in itertools.combinations(SPLITS, 2):
        seen = {key for id, digest in _rows(facts, one) for key in (id, digest)}
        rows = [r for r, (id, d) in enumerate(_keys(facts, other)) if id not in seen and d not in seen]
        texts = [facts[other].texts[row] for row in rows]
        pairs = near_duplicates(facts[one].texts, texts)
        if not pairs:
            continue
        lines = [
            Named(
                other,
                facts[other].ids[rows[pair.row]],
                f"«{texts[pair.row]}», like {facts[one].ids[pair.of]} of {one} ({pair.likeness:.0%})",
            )
            for pair in pairs
        ]
        few = len(lines) <= _FEW * len(facts[other])
        number, verb = format_count(len(lines), "text"), "is" if len(lines) == 1 else "are"
        title = f"{number} of {other}, or nearly so, {verb} in {one} too"
        remedy = "divide by text as well, or measure with other texts: a model learns texts by heart"
        key = f"{other}_texts_in_{one}"
        findings.append(Finding(key, "note" if few else "warning", title, len(lines), remedy, lines))
    return [*findings, *_texts_twice(facts)]


def _keys(facts: Facts, split: Split) -> Iterator[tuple[str, bytes | str]]:
    return zip(facts[split].ids, facts[split].digests, strict=True)


def _texts_twice(facts: Facts) -> list[Finding]:
    lines = []
    for split, rows in facts.items():
        ids: dict[str, list[str]] = defaultdict(list)
        for id, text in zip(rows.ids, rows.texts, strict=True):
            ids[folded(text)].append(id)
        for text, several in ids.items():
            if len(several) > 1 and len(text) >= MIN_LENGTH:
                lines.append(Named(split, several[0], f"also {', '.join(several[1:4])}"))
    if not lines:
        return []
    title = f"{format_count(len(lines), 'text comes', 'texts come')} more than once in its split"
    remedy = "nothing, if the same text was written several times"
    return [Finding("repeated_texts", "note", title, len(lines), remedy, lines)]
