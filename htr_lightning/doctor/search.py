"""Search of characters in the texts of a dataset, and how findings name them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from htr_lightning.data.line import Split
from htr_lightning.doctor.finding import AffectedLine
from htr_lightning.text import describe_characters, format_count

_MAX_CHARACTERS = 10  # named in a title
_CONTEXT = 12  # characters shown on both sides of the one in question

Texts = Mapping[Split, list[tuple[str, str]]]
"""Ids and texts of the lines of each split."""


def search(texts: Texts, characters: Iterable[str]) -> Iterator[tuple[Split, str, str]]:
    """Yield split, id and text of the lines that contain any of the characters."""
    search = _compilesearch(characters)
    for split, rows in texts.items():
        for id, text in rows:
            if search(text):
                yield split, id, text


def find_lines(texts: Texts, characters: Iterable[str]) -> list[AffectedLine]:
    """Return the lines that contain any of the characters, each with the context of the first."""
    search = _compilesearch(characters)
    return [
        AffectedLine(split, id, show_context(text, match.start()))
        for split, rows in texts.items()
        for id, text in rows
        if (match := search(text))
    ]


def _compilesearch(characters: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    alternatives = "".join(map(re.escape, characters))
    return re.compile(f"[{alternatives}]" if alternatives else r"(?!)").search


def show_context(text: str, index: int) -> str:
    """Return a character of a text with what is around it."""
    start, end = max(0, index - _CONTEXT), index + 1 + _CONTEXT
    context = f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
    return f"U+{ord(text[index]):04X} in «{context}»"


def list_characters(counts: Counter[str]) -> str:
    """Return the most frequent characters with their names and counts."""
    names = [f"{describe_characters(c)} {format_count(n, 'time')}" for c, n in counts.most_common(_MAX_CHARACTERS)]
    return ", ".join(names) + (f" and {len(counts) - _MAX_CHARACTERS} more" if len(counts) > _MAX_CHARACTERS else "")
