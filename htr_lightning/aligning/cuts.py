"""The text of a page as a sequence of characters, and the cuts where it may be divided into lines."""

import enum
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import MARKS

HYPHENS = "-\u00ac=\u2010\u2e17"
"""Signs that divide a word at the end of a line: ``-``, ``¬``, ``=`` and two more."""
_SOFT_HYPHEN = "\u00ad"
_INVISIBLE = re.compile(f"[\ufeff\u200b\u200c\u200d\u2060\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f{MARKS}]")
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")

_CLOSING_MARK = re.compile("[-\u2012-\u2015=/.,;:!?)\\]\u2026]+(?: |$)")

Ints = NDArray[np.int64]


class CutKind(enum.IntEnum):
    """What is at a place where the text may be divided."""

    BREAK = 0
    """The text has a line break here."""
    SPACE = 1
    """Between two words."""
    HYPHEN = 2
    """After the hyphen of a compound, or of a word that the text divides."""
    WORD = 3
    """Inside a word, which the text does not divide."""


@dataclass(frozen=True, slots=True, eq=False)
class CuttableText:
    """A text with the places where it may be divided into lines.

    Cut ``c`` ends a line before character ``ends[c]`` and begins the next one at character ``starts[c]``; the space
    between them belongs to neither. The first cut is the start of the text, the last one its end.

    Attributes:
        characters: the text, NFC; every run of whitespace is one space.
        ends: ``(C,)`` indices, increasing.
        starts: ``(C,)`` indices, increasing.
        kinds: ``(C,)`` values of `CutKind`.
        is_single_letter: ``(C,)`` whether a cut inside a word parts a single letter from it.
        is_before_closing_mark: ``(C,)`` whether a mark that usually ends a line follows a cut, such as a dash.
        breaks_before_end: ``(C,)`` line breaks of the text before the end of the line that the cut ends.
        breaks_before_start: ``(C,)`` line breaks before the start of the line that it begins.
    """

    characters: str
    ends: Ints
    starts: Ints
    kinds: Ints
    is_single_letter: NDArray[np.bool_]
    is_before_closing_mark: NDArray[np.bool_]
    breaks_before_end: Ints
    breaks_before_start: Ints

    @property
    def num_cuts(self) -> int:
        """C, the number of cuts."""
        return len(self.ends)

    @property
    def num_breaks(self) -> int:
        """The number of line breaks in the text."""
        return int((self.kinds == CutKind.BREAK).sum())

    def get_text(self, start: int, end: int) -> str:
        """Return the text between two cuts."""
        return self.characters[self.starts[start] : self.ends[end]]

    def keep_cuts(self, kept: NDArray[np.bool_]) -> Self:
        """Return the text with some of its cuts only.

        Args:
            kept: ``(C,)``.
        """
        arrays = {name: getattr(self, name)[kept] for name in self.__slots__ if name != "characters"}
        return replace(self, **arrays)

    def reverse(self) -> Self:
        """Return the text backwards, for searching from its end; the kinds of the cuts stay with them."""
        length = len(self.characters)
        total = int(self.breaks_before_start[-1]) if self.num_cuts else 0
        return replace(
            self,
            characters=self.characters[::-1],
            ends=length - self.starts[::-1],
            starts=length - self.ends[::-1],
            kinds=self.kinds[::-1],
            is_single_letter=self.is_single_letter[::-1],
            is_before_closing_mark=self.is_before_closing_mark[::-1],
            breaks_before_end=total - self.breaks_before_start[::-1],
            breaks_before_start=total - self.breaks_before_end[::-1],
        )


def clean_page_text(text: str) -> str:
    """Return a text in NFC with single spaces and line breaks; soft hyphens stay only at line ends, as ``-``."""
    text = _INVISIBLE.sub("", _LINE_END.sub("\n", unicodedata.normalize("NFC", text)))
    text = re.sub(f"{_SOFT_HYPHEN}(?=[^\\S\n]*\n)", "-", text).replace(_SOFT_HYPHEN, "")
    rows = (" ".join(row.split()) for row in text.split("\n"))
    return "\n".join(row for row in rows if row)


def build_cuttable_text(text: str) -> CuttableText:
    """Find the cuts of a text.

    Args:
        text: with or without line breaks; words divided at line ends may be joined or not.
    """
    written = clean_page_text(text)
    characters = written.replace("\n", " ")
    length = len(characters)
    cuts: list[tuple[int, int, CutKind]] = [(0, 0, CutKind.BREAK)]
    for place in range(1, length):
        before, after = written[place - 1], written[place]
        if after in " \n":
            cuts.append((place, place + 1, CutKind.BREAK if after == "\n" else CutKind.SPACE))
        elif before not in " \n" and (kind := _classify_cut(before, after)) is not None:
            cuts.append((place, place, kind))
    if length:
        cuts.append((length, length, CutKind.BREAK))
    ends, starts, kinds = (np.array(column, np.int64) for column in zip(*cuts, strict=True))
    is_inner_break = (kinds == CutKind.BREAK) & (starts > ends)
    before_end = np.cumsum(is_inner_break) - is_inner_break
    return CuttableText(
        characters,
        ends,
        starts,
        kinds,
        *_describe_cuts(characters, ends, starts, kinds),
        before_end,
        before_end + is_inner_break,
    )


def build_whole_text(characters: str) -> CuttableText:
    """Return a text that can be divided nowhere."""
    ends, zeros, never = np.array([0, len(characters)]), np.zeros(2, np.int64), np.zeros(2, bool)
    return CuttableText(characters, ends, ends, zeros, never, never, zeros, zeros)


def _describe_cuts(
    characters: str, ends: Ints, starts: Ints, kinds: Ints
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which cuts part a single letter from its word, and which are before a mark that usually ends a line."""
    padded = f"  {characters}  "
    single = [
        kind == CutKind.WORD and not (padded[end].isalpha() and padded[end + 3].isalpha())
        for end, kind in zip(ends.tolist(), kinds.tolist(), strict=True)
    ]
    marked = [
        kind == CutKind.SPACE and bool(_CLOSING_MARK.match(characters, start))
        for start, kind in zip(starts.tolist(), kinds.tolist(), strict=True)
    ]
    return np.array(single, bool), np.array(marked, bool)


def _classify_cut(before: str, after: str) -> CutKind | None:
    """Return the kind of a cut between two characters of a word; None if no line ends there."""
    if unicodedata.category(after)[0] == "M":
        return None
    if unicodedata.east_asian_width(before) in "WF" or unicodedata.east_asian_width(after) in "WF":
        return CutKind.SPACE  # scripts without spaces
    if before in HYPHENS or unicodedata.category(before) == "Pd":
        return CutKind.HYPHEN if after.isalnum() else None
    if after.isalpha() and (before.isalpha() or before in "'\u2019" or unicodedata.category(before)[0] == "M"):
        return CutKind.WORD
    return None
