"""Findings about scripts: directions of writing, texts that are stored backwards, forms that look alike."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

from htr_lightning.directions.bidi import MARKS
from htr_lightning.directions.scripts import name_script
from htr_lightning.doctor.finding import AffectedLine, Finding
from htr_lightning.doctor.search import Texts
from htr_lightning.text import format_count

_RIGHT_TO_LEFT = ("R", "AL")  # bidirectional classes: Hebrew and others, Arabic and others
_WORD = re.compile(r"[\u05d0-\u05ea]{2,}|[\u0621-\u064a]{3,}")
_FINAL_LETTERS = re.compile(r"[\u05da\u05dd\u05df\u05e3\u05e5\u0629\u0649]")  # of Hebrew; teh marbuta, alef maksura
_ARTICLE = "\N{ARABIC LETTER ALEF}\N{ARABIC LETTER LAM}"
_MIN_CLUES = 3
_PRESENTATION_FORMS = re.compile(r"[\ufb1d-\ufb4f\ufb50-\ufdff\ufe70-\ufefc]")
_TATWEEL = "\N{ARABIC TATWEEL}"


def find_script_problems(texts: Texts) -> list[Finding]:
    """Find letters that are written from right to left, and what is odd about their texts.

    Args:
        texts: of all lines.
    """
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    letters = {c for c in counts if _to_direction(c) == "R"}
    return [*_check_directions(texts, counts, letters)] if letters else []


def _check_directions(texts: Texts, counts: Counter[str], letters: set[str]) -> Iterator[Finding]:
    lines = _find_lines(texts, lambda text: not letters.isdisjoint(text))
    scripts: Counter[str] = Counter()
    for letter in letters:
        scripts[name_script(letter)] += counts[letter]
    named = ", ".join(f"{name} {format_count(count, 'letter')}" for name, count in scripts.most_common())
    number = format_count(len(lines), "line has text", "lines have text")
    title = f"{number} that is written from right to left ({named})"
    remedy = "nothing: training reads them in visual order, and writes them in logical order (dataset.direction)"
    yield Finding("right_to_left", "note", title, len(lines), remedy, lines)

    mixed = _find_lines(texts, lambda text: {"L", "R"} <= {_to_direction(c) for c in text})
    if mixed:
        title = f"{format_count(len(mixed), 'line has', 'lines have')} letters of both directions"
        remedy = "check some of them: their texts are to be in logical order, as they are typed"
        yield Finding("two_directions", "note", title, len(mixed), remedy, mixed)

    forward, backward = _count_clues(texts)
    if backward >= _MIN_CLUES and backward > 3 * forward:
        title = f"texts are stored backwards: {backward:,} words begin as words end, {forward:,} do not"
        remedy = "store them in logical order, as they are typed; the first letter of a text is the one at the right"
        yield Finding("visual_order", "warning", title, len(lines), remedy, lines)

    forms = _find_lines(texts, lambda text: bool(_PRESENTATION_FORMS.search(text)))
    if forms:
        title = f"{format_count(len(forms), 'line has', 'lines have')} presentation forms, which are shapes of letters"
        remedy = "write the letters, or set +loader.normalization=NFKC"
        yield Finding("presentation_forms", "warning", title, len(forms), remedy, forms)

    stretched = _find_lines(texts, lambda text: _TATWEEL in text)
    if stretched:
        title = (
            f"{format_count(len(stretched), 'line has', 'lines have')} a tatweel (U+0640), which only stretches words"
        )
        remedy = "keep it only if the handwriting is to be transcribed with its stretched strokes"
        yield Finding("tatweel", "note", title, len(stretched), remedy, stretched)


def _find_lines(texts: Texts, is_affected: Callable[[str], bool]) -> list[AffectedLine]:
    return [AffectedLine(split, id) for split, rows in texts.items() for id, text in rows if is_affected(text)]


def _to_direction(character: str) -> str:
    kind = "" if character in MARKS else unicodedata.bidirectional(character)
    return "R" if kind in _RIGHT_TO_LEFT else kind


def _count_clues(texts: Texts) -> tuple[int, int]:
    """Count words that begin with the Arabic article or end with a final letter, and words that do the reverse."""
    forward = backward = 0
    for rows in texts.values():
        for _, text in rows:
            for word in _WORD.findall(text):
                forward += word.startswith(_ARTICLE) + bool(_FINAL_LETTERS.match(word[-1]))
                backward += word.endswith(_ARTICLE[::-1]) + bool(_FINAL_LETTERS.match(word[0]))
    return forward, backward
