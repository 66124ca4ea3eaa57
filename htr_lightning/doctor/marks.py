"""Findings about combining marks: without a letter, twice, and in another order than the canonical one."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from htr_lightning.doctor.finding import AffectedLine, Finding
from htr_lightning.doctor.search import Texts, list_characters, show_context
from htr_lightning.text import Normalization, format_count


def find_mark_problems(texts: Texts, normalization: Normalization) -> list[Finding]:
    """Find combining marks that cannot be what is on the page, or that are stored in an odd order.

    Args:
        texts: of all lines.
        normalization: of the run.
    """
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    marks = "".join(re.escape(c) for c in counts if unicodedata.category(c)[0] == "M" and not _selects_form(c))
    return [*_check_marks(texts, marks, normalization)] if marks else []


def _check_marks(texts: Texts, marks: str, normalization: Normalization) -> Iterator[Finding]:
    lone, lines = _find(texts, re.compile(rf"(?:^|(?<=\s))[{marks}]"))
    if lines:
        number = format_count(len(lines), "line has", "lines have")
        title = f"{number} combining marks without a letter, at the start or behind a space: {list_characters(lone)}"
        remedy = "type each mark behind its letter, or remove it"
        yield Finding("lone_marks", "warning", title, lone.total(), remedy, lines)

    twice, lines = _find(texts, re.compile(rf"([{marks}])\1"))
    if lines:
        number = format_count(len(lines), "line has", "lines have")
        title = f"{number} the same combining mark twice on one letter: {list_characters(twice)}"
        yield Finding("doubled_marks", "warning", title, twice.total(), "keep one of the two", lines)

    odd, lines = _find(texts, re.compile(rf"[{marks}]{{2,}}"), is_odd=True)
    if lines:
        number = format_count(len(lines), "line has", "lines have")
        title = f"{number} combining marks in another order than the canonical one: {list_characters(odd)}"
        if normalization == "none":
            remedy = "set loader.normalization=NFC, which sorts them: the same letter has several spellings now"
            yield Finding("mark_order", "warning", title, odd.total(), remedy, lines)
        else:
            remedy = f"nothing: training sorts them ({normalization}, loader.normalization); other programs may not"
            yield Finding("mark_order", "note", title, odd.total(), remedy, lines)


def _find(texts: Texts, pattern: re.Pattern[str], *, is_odd: bool = False) -> tuple[Counter[str], list[AffectedLine]]:
    """Count the first marks of the matches, and return the lines with one.

    Args:
        texts: of all lines.
        pattern: matches marks.
        is_odd: only marks in an odd order count, each that stands too late.
    """
    counts: Counter[str] = Counter()
    lines = []
    for split, rows in texts.items():
        for id, text in rows:
            places = [_find_odd(match) if is_odd else match.start() for match in pattern.finditer(text)]
            found = [place for place in places if place is not None]
            counts.update(text[place] for place in found)
            if found:
                lines.append(AffectedLine(split, id, show_context(text, found[0])))
    return counts, lines


def _find_odd(match: re.Match[str]) -> int | None:
    """Return the place of the first mark that the canonical order puts farther left; None if there is none."""
    classes = [unicodedata.combining(mark) for mark in match[0]]
    for place, (before, kind) in enumerate(itertools.pairwise(classes), match.start() + 1):
        if 0 < kind < before:
            return place
    return None


def _selects_form(mark: str) -> bool:
    """Whether a character selects a form of the one before it, which may be any."""
    return "VARIATION SELECTOR" in unicodedata.name(mark, "")
