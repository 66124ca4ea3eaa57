"""Findings about scripts that this program does not read."""

import unicodedata
from collections import Counter

from htr_lightning.doctor.characters import Texts
from htr_lightning.doctor.finding import AffectedLine, Finding
from htr_lightning.text import format_count

_RIGHT_TO_LEFT = ("R", "AL")  # bidirectional classes: Hebrew and others, Arabic and others


def find_right_to_left(texts: Texts) -> list[Finding]:
    """Find letters that are written from right to left, which models, who read from left to right, cannot learn.

    Args:
        texts: of all lines.
    """
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    letters = {c for c in counts if unicodedata.bidirectional(c) in _RIGHT_TO_LEFT}
    if not letters:
        return []
    lines = [
        AffectedLine(split, id) for split, rows in texts.items() for id, text in rows if not letters.isdisjoint(text)
    ]
    scripts: Counter[str] = Counter()
    for letter in letters:
        scripts[_name_script(letter)] += counts[letter]
    named = ", ".join(f"{name} {format_count(count, 'letter')}" for name, count in scripts.most_common())
    number = format_count(len(lines), "line has text", "lines have text")
    title = f"{number} that is written from right to left ({named}), which this program does not read"
    remedy = "leave these lines out: training and prediction go from left to right (README, Limits)"
    return [Finding("right_to_left", "warning", title, len(lines), remedy, lines)]


def _name_script(letter: str) -> str:
    return unicodedata.name(letter, "unknown script").split()[0].capitalize()
