"""Two directions in one line: texts in logical order, as they are stored, and in visual order, as they are written.

A network reads a line from left to right, so it learns texts in visual order. `to_visual` follows the Unicode
Bidirectional Algorithm (UAX 9, revision 48) without its explicit directional marks, which no handwriting shows;
`htr_lightning.directions.inverse` goes back.
"""

from typing import Literal

from htr_lightning.directions.characters import get_class, mirror
from htr_lightning.directions.rules import find_levels, reorder

Direction = Literal["ltr", "rtl"]
BaseDirection = Literal["auto", "ltr", "rtl"]
"""Direction of a line: given, or that of most of its letters."""
StatedDirection = Literal["", "ltr", "rtl"]
"""Base direction that the file of a line states; empty if it states none."""

MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Invisible characters that set directions."""
_MARKS = frozenset(MARKS)
_WITHOUT_MARKS = str.maketrans("", "", MARKS)


def remove_marks(text: str) -> str:
    """Remove the invisible characters that set directions."""
    return text if _MARKS.isdisjoint(text) else text.translate(_WITHOUT_MARKS)


def is_right_to_left(character: str) -> bool:
    """Whether a character is a letter or digit that is written from right to left, such as Hebrew and Arabic ones."""
    return get_class(character) in ("R", "AL", "AN") and character not in MARKS


def find_base_direction(text: str, direction: BaseDirection = "auto", stated: StatedDirection = "") -> Direction:
    """Return the base direction of a line: as given, or that of its letters, whatever their order.

    Args:
        text: of the line.
        direction: as given.
        stated: by its file. It counts if the text has letters of both directions, or none; else that of most letters
            does, as files state the usual direction of a language, or the one that a program presets.
    """
    if direction != "auto":
        return direction
    if stated and len({_to_strong(get_class(character)) for character in text} - {""}) != 1:
        return stated
    return find_letter_direction(text) or "ltr"


def _to_strong(kind: str) -> str:
    return {"L": "L", "R": "R", "AL": "R"}.get(kind, "")


def find_letter_direction(text: str) -> Direction | None:
    """Return the direction of most letters of a text, whatever their order; None if it has no letters."""
    classes = [get_class(character) for character in text]
    to_left, to_right = sum(c in ("R", "AL") for c in classes), classes.count("L")
    if not to_left and not to_right:
        return None
    return "rtl" if to_left > to_right else "ltr"


def to_visual(text: str, direction: BaseDirection = "auto") -> str:
    """Return a text in visual order, from left to right, with the glyphs of its brackets; without directional marks.

    Args:
        text: in logical order.
        direction: base direction of the line.
    """
    text = remove_marks(text)
    return "".join(character for character, _ in order_visually(text, direction))


def order_visually(text: str, direction: BaseDirection = "auto") -> list[tuple[str, int]]:
    """Return the characters of a text in visual order, brackets mirrored where needed, each with its place in the text.

    Args:
        text: in logical order, without directional marks.
        direction: base direction of the line.
    """
    base = find_base_direction(text, direction)
    if base == "ltr" and not any(map(is_right_to_left, text)):
        return [(character, place) for place, character in enumerate(text)]
    levels = find_levels(text, int(base == "rtl"))
    return [(mirror(text[i]) if levels[i] % 2 else text[i], i) for i in reorder(text, levels)]
