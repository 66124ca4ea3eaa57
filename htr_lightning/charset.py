"""The charset: a bijection between the characters of a text and the classes of a recognizer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from htr_lightning.directions.bidi import (
    BaseDirection,
    Direction,
    StatedDirection,
    find_base_direction,
    is_right_to_left,
    remove_marks,
    to_visual,
)
from htr_lightning.directions.characters import mirror
from htr_lightning.directions.inverse import order_logically
from htr_lightning.directions.scripts import ColumnDirection, find_column_direction, find_scripts
from htr_lightning.errors import InputError
from htr_lightning.text import Normalization, describe_characters, normalize

BLANK = 0
"""The class of the CTC blank, which no character has."""


class CharsetError(InputError):
    """An invalid charset, or a text with characters that the charset lacks."""


class Charset:
    """The characters that a recognizer can predict, in the order of its classes. Immutable and hashable.

    A character is one Unicode code point of the normalized text. A combining mark is a character of its own,
    so a letter that no normalization form composes (``x̄``) is two characters.
    The characters have the ids 1 to n in their order; 0 is the CTC blank. Texts are in logical order, ids in the order
    in which a line is read, from left to right; both agree unless the charset has letters from right to left.

    Laws, for a charset ``c`` and a text ``t``:

    1. No character occurs twice, and the charset's normalization changes none of them.
    2. ``c.decode(c.encode(t)) == c.normalize(t)`` if ``c.find_unknown(t) == ""``; else ``encode`` raises. Where two
       directions meet, several texts may look alike: then both do (`htr_lightning.directions.inverse.order_logically`).
    3. ``c.encode(t)`` contains no 0 (blank), and ``len(c.encode(t)) == len(c.normalize(t))``.
    4. ``c.extend(ts)`` keeps the id of every character of ``c``, and contains every character of ``ts``.

    Args:
        characters: the characters in the order of their ids, which start at 1.
        normalization: Unicode normalization form applied to a text before it is encoded; ``"none"`` for none.
        direction: base direction of the lines; ``"auto"`` for that of most letters of each line, None if all texts
            are written from left to right: their order is not touched.

    Raises:
        CharsetError: there is no character; one is not a single code point, occurs twice or never occurs in a
            normalized text; or the normalization or the direction is unknown.
    """

    __slots__ = ("_characters", "_direction", "_ids", "_normalization")

    def __init__(
        self,
        characters: Sequence[str],
        *,
        normalization: Normalization = "NFC",
        direction: BaseDirection | None = None,
    ) -> None:
        if normalization not in get_args(Normalization):
            forms = ", ".join(get_args(Normalization))
            raise CharsetError(
                "unknown Unicode normalization form",
                key="normalization",
                value=normalization,
                remedy=f"choose from {forms}",
            )
        if direction not in (None, *get_args(BaseDirection)):
            remedy = f"choose from {', '.join(get_args(BaseDirection))}"
            raise CharsetError("unknown direction of writing", key="direction", value=direction, remedy=remedy)
        self._characters = tuple(characters)
        self._normalization: Normalization = normalization
        self._direction: BaseDirection | None = direction
        self._check()
        self._ids = {character: id for id, character in enumerate(self._characters, start=BLANK + 1)}

    def _check(self) -> None:
        if not self._characters:
            raise CharsetError("the charset has no characters", remedy="check that the texts are not empty")
        for character in self._characters:
            if not isinstance(character, str) or len(character) != 1:
                raise CharsetError(f"each character of a charset must be a single code point, not {character!r}")
            if self.normalize(character) != character:
                raise CharsetError(
                    f"{describe_characters(character)} never occurs in a text normalized to {self._normalization}",
                    remedy=f"use {describe_characters(self.normalize(character))} in the charset",
                )
        if len(set(self._characters)) < len(self._characters):
            duplicates = sorted({c for c in self._characters if self._characters.count(c) > 1})
            raise CharsetError(f"in the charset more than once: {describe_characters(''.join(duplicates))}")

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        normalization: Normalization = "NFC",
        direction: BaseDirection | None = None,
    ) -> "Charset":
        """Build the charset of some texts: the characters of the normalized texts, sorted by code point.

        Raises:
            CharsetError: the texts contain no characters.
        """
        characters = sorted(_collect_characters(texts, normalization, direction))
        return cls(characters, normalization=normalization, direction=direction)

    @property
    def characters(self) -> tuple[str, ...]:
        """The characters in the order of their ids: ``characters[i]`` has the id ``i + 1``."""
        return self._characters

    @property
    def normalization(self) -> Normalization:
        """The Unicode normalization form of every encoded text."""
        return self._normalization

    @property
    def direction(self) -> BaseDirection | None:
        """The base direction of the lines; None if all texts are written from left to right."""
        return self._direction

    @property
    def page_direction(self) -> Direction:
        """The direction in which pages are read: from right to left if most letters of the charset are."""
        if self._direction in ("ltr", "rtl"):
            return self._direction
        letters = {character.lower() for character in self._characters if character.isalpha()}
        return "rtl" if self._direction and find_base_direction("".join(letters)) == "rtl" else "ltr"

    @property
    def column_direction(self) -> ColumnDirection | None:
        """How vertical lines follow each other if most letters are of a script that has such lines; else None."""
        return find_column_direction(self.scripts)

    @property
    def scripts(self) -> list[str]:
        """The scripts of its letters, such as ``Latin``, the one with most of them first; those of few are left out."""
        return find_scripts(self._characters)

    @property
    def num_classes(self) -> int:
        """K, the number of classes of a recognizer with this charset: its characters and the blank."""
        return len(self._characters) + 1

    def __len__(self) -> int:
        return len(self._characters)

    def __contains__(self, character: object) -> bool:
        return character in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Charset):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[tuple[str, ...], str, str | None]:
        return self._characters, self._normalization, self._direction

    def __repr__(self) -> str:
        direction = f", direction={self._direction!r}" if self._direction else ""
        return f"Charset({''.join(self._characters)!r}, normalization={self._normalization!r}{direction})"

    def normalize(self, text: str) -> str:
        """Normalize a text to the Unicode form of this charset; invisible marks of direction are removed."""
        return normalize(remove_marks(text), self._normalization)

    def to_visual(self, text: str, stated: StatedDirection = "") -> str:
        """Normalize a text, and put it into the order in which it is read from left to right; see `encode`."""
        text = self.normalize(text)
        return to_visual(text, find_base_direction(text, self._direction, stated)) if self._direction else text

    def encode(self, text: str, stated: StatedDirection = "", *, line_id: str | None = None) -> list[int]:
        """Normalize a text and return the ids of its characters.

        Args:
            text: any text; an empty one gives an empty list.
            stated: base direction that the file of the line states (`directions.bidi.find_base_direction`).
            line_id: id of the line that the text belongs to; used in error messages.

        Raises:
            CharsetError: the text has a character that the charset lacks.
        """
        try:
            return [self._ids[character] for character in self.to_visual(text, stated)]
        except KeyError:
            raise CharsetError(
                f"the text has {describe_characters(self.find_unknown(text))}, which the charset lacks",
                line_id=line_id or "",
                remedy="extend the charset with this text, or remove the character from it",
            ) from None

    def encode_known(self, text: str, stated: StatedDirection = "") -> list[int]:
        """Return the ids of a text like `encode`, but skip the characters that the charset lacks."""
        ids = self._ids
        return [ids[character] for character in self.to_visual(text, stated) if character in ids]

    def find_unknown(self, text: str) -> str:
        """Return the characters of the normalized text that the charset lacks: each once, in order of appearance."""
        return "".join(c for c in dict.fromkeys(self.to_visual(text)) if c not in self._ids)

    def count_unknown(self, texts: Iterable[str]) -> Counter[str]:
        """Count the occurrences of each character that the charset lacks."""
        known = frozenset(self._ids)
        return Counter(
            c
            for text in texts
            if not known.issuperset(_order_if_mirrored(self.normalize(text), self._direction))
            for c in self.to_visual(text)
            if c not in known
        )

    def decode(self, ids: Iterable[int], stated: StatedDirection = "") -> str:
        """Turn ids into a text in logical order; see `encode`.

        Raises:
            CharsetError: see `decode_visual`.
        """
        return self.order_logically(self.decode_visual(ids), stated)[0]

    def order_logically(self, visual: str, stated: StatedDirection = "") -> tuple[str, list[int]]:
        """Return a text in logical order, and the place of each of its characters in the visual order."""
        if self._direction is None:
            return visual, list(range(len(visual)))
        return order_logically(visual, find_base_direction(visual, self._direction, stated))

    def decode_visual(self, ids: Iterable[int]) -> str:
        """Turn ids into text in visual order, one character for each id, so that positions in both agree.

        The ids must not contain blanks. The result is normalized if the ids come from `encode`; a recognizer may
        also predict a combining mark after a letter that composes with it.

        Raises:
            CharsetError: an id is 0 (blank), negative or beyond the last character.
        """
        ids = list(ids)
        if ids and (min(ids) <= BLANK or max(ids) > len(self._characters)):
            invalid = next(i for i in ids if not BLANK < i <= len(self._characters))
            raise CharsetError(f"{invalid} is not the id of a character; ids range from 1 to {len(self)}")
        return "".join([self._characters[i - 1] for i in ids])

    def extend(self, texts: Iterable[str]) -> "Charset":
        """Return a charset with the characters of some texts appended, sorted by code point."""
        new = _collect_characters(texts, self._normalization, self._direction).difference(self._ids)
        characters = (*self._characters, *sorted(new))
        return Charset(characters, normalization=self._normalization, direction=self._direction)

    def with_direction(self, direction: BaseDirection | None) -> "Charset":
        """Return this charset for lines of a base direction."""
        return Charset(self._characters, normalization=self._normalization, direction=direction)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types that `from_dict` reads."""
        state = {"characters": list(self._characters), "normalization": self._normalization}
        return state | ({"direction": self._direction} if self._direction else {})

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Charset":
        """Build a charset from the result of `to_dict`.

        Raises:
            CharsetError: a key is missing or unknown, or its value is invalid.
        """
        if set(state) - {"direction"} != {"characters", "normalization"}:
            keys = ", ".join(map(str, state)) or "none"
            raise CharsetError(
                f"a stored charset has the keys 'characters' and 'normalization', but this one has {keys}",
                kind="damaged",
            )
        if not isinstance(state["characters"], list):
            raise CharsetError("the 'characters' of a stored charset are not a list: damaged file", kind="damaged")
        direction = state.get("direction")
        return cls(state["characters"], normalization=state["normalization"], direction=direction)


def find_direction(texts: Iterable[str], direction: BaseDirection = "auto") -> BaseDirection | None:
    """Return the direction of the charset of some texts: None if none of them has a letter from right to left."""
    characters: set[str] = set()
    for text in texts:
        characters.update(text)
    return direction if any(map(is_right_to_left, characters)) else None


def _collect_characters(
    texts: Iterable[str], normalization: Normalization, direction: BaseDirection | None
) -> set[str]:
    characters: set[str] = set()
    for text in texts:
        characters.update(_order_if_mirrored(normalize(remove_marks(text), normalization), direction))
    return characters


def _order_if_mirrored(text: str, direction: BaseDirection | None) -> str:
    """Return a text in visual order if that may exchange characters, such as brackets; ordering takes long."""
    if direction is None or all(mirror(character) == character for character in text):
        return text
    return to_visual(text, direction)
