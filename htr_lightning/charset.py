"""The bijection between the characters of a text and the classes of a recognizer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from htr_lightning.errors import InputError
from htr_lightning.text import Normalization, describe_characters, normalize

BLANK = 0
"""The class of the CTC blank; no character ever has it."""


class CharsetError(InputError):
    """A text and a charset that do not fit, or a charset that cannot be; the message names the remedy."""


class Charset:
    """The characters that a recognizer can write, in the order of its classes. Immutable and hashable.

    A character is one Unicode code point of the normalized text. Combining marks are characters of their
    own, so a letter that no normalization form composes (``x̄``) is written as two characters.
    The characters have the ids 1 to n in their order; 0 is the CTC blank.

    Laws, for a charset ``c`` and a text ``t``:

    1. No character occurs twice, and each is left as it is by the charset's normalization.
    2. ``c.decode(c.encode(t)) == c.normalize(t)`` if ``c.find_unknown(t) == ""``; else ``encode`` raises.
    3. ``c.encode(t)`` holds no 0 (blank), and ``len(c.encode(t)) == len(c.normalize(t))``.
    4. ``c.extend(ts)`` gives every character of ``c`` the id it had, and knows every character of ``ts``.

    Args:
        characters: the characters in the order of their ids, which start at 1.
        normalization: the Unicode form that a text is brought to before it is encoded; ``"none"`` for none.

    Raises:
        CharsetError: there is no character, one is not a single code point, occurs twice or could never
            occur in a normalized text, or the normalization is unknown.
    """

    __slots__ = ("_characters", "_ids", "_normalization")

    def __init__(self, characters: Sequence[str], *, normalization: Normalization = "NFC") -> None:
        if normalization not in get_args(Normalization):
            forms = ", ".join(get_args(Normalization))
            raise CharsetError(f"normalization: {normalization!r} is not one of {forms}")
        self._characters = tuple(characters)
        self._normalization: Normalization = normalization
        self._check()
        self._ids = {character: id for id, character in enumerate(self._characters, start=BLANK + 1)}

    def _check(self) -> None:
        if not self._characters:
            raise CharsetError("a charset needs at least one character; are the texts it is made from empty?")
        for character in self._characters:
            if not isinstance(character, str) or len(character) != 1:
                raise CharsetError(f"a character of a charset is a single code point, not {character!r}")
            if self.normalize(character) != character:
                raise CharsetError(
                    f"{describe_characters(character)} never occurs in a text of the form {self._normalization}, "
                    f"which writes {describe_characters(self.normalize(character))}; use that in the charset"
                )
        if len(set(self._characters)) < len(self._characters):
            twice = sorted({c for c in self._characters if self._characters.count(c) > 1})
            raise CharsetError(f"in the charset more than once: {describe_characters(''.join(twice))}")

    @classmethod
    def from_texts(cls, texts: Iterable[str], normalization: Normalization = "NFC") -> "Charset":
        """Make the charset of some texts: their characters, once normalized, ordered by code point.

        Raises:
            CharsetError: the texts have no character at all.
        """
        return cls(sorted(_characters_of(texts, normalization)), normalization=normalization)

    @property
    def characters(self) -> tuple[str, ...]:
        """The characters in the order of their ids: ``characters[i]`` has the id ``i + 1``."""
        return self._characters

    @property
    def normalization(self) -> Normalization:
        """The Unicode form of every text that is encoded."""
        return self._normalization

    @property
    def num_classes(self) -> int:
        """The classes of a recognizer with this charset, K: the characters and the blank."""
        return len(self._characters) + 1

    def __len__(self) -> int:
        return len(self._characters)

    def __contains__(self, character: object) -> bool:
        return character in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Charset):
            return NotImplemented
        return self._characters == other._characters and self._normalization == other._normalization

    def __hash__(self) -> int:
        return hash((self._characters, self._normalization))

    def __repr__(self) -> str:
        return f"Charset({''.join(self._characters)!r}, normalization={self._normalization!r})"

    def normalize(self, text: str) -> str:
        """Bring a text to the form in which this charset encodes it."""
        return normalize(text, self._normalization)

    def encode(self, text: str, *, line_id: str | None = None) -> list[int]:
        """Turn a text into the ids of its characters, after normalizing it.

        Args:
            text: any text; the empty one gives the empty list.
            line_id: the line the text belongs to, named in the message of an error.

        Raises:
            CharsetError: the text has a character that the charset lacks.
        """
        try:
            return [self._ids[character] for character in self.normalize(text)]
        except KeyError:
            place = "the text" if line_id is None else f"the text of line {line_id}"
            raise CharsetError(
                f"{place} has {describe_characters(self.find_unknown(text))}, which the charset lacks; "
                f"extend the charset with this text, or take the character out of it"
            ) from None

    def encode_known(self, text: str) -> list[int]:
        """Turn a text into ids like `encode`, but drop the characters that the charset lacks."""
        ids = self._ids
        return [ids[character] for character in self.normalize(text) if character in ids]

    def find_unknown(self, text: str) -> str:
        """Return the characters of the normalized text that the charset lacks, each once, in their order."""
        return "".join(c for c in dict.fromkeys(self.normalize(text)) if c not in self._ids)

    def count_unknown(self, texts: Iterable[str]) -> Counter[str]:
        """Return how often each character that the charset lacks stands in some texts."""
        return Counter(c for text in texts for c in self.normalize(text) if c not in self._ids)

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids into text, one character for each id, so that positions carry over.

        The ids are those of a decoded text: blanks removed. The result is normalized if the ids come from
        `encode`; a recognizer may also put a combining mark after a letter that would compose with it.

        Raises:
            CharsetError: an id is 0 (blank), negative or beyond the last character.
        """
        ids = list(ids)
        if ids and (min(ids) <= BLANK or max(ids) > len(self._characters)):
            wrong = next(i for i in ids if not BLANK < i <= len(self._characters))
            raise CharsetError(f"{wrong} is not the id of a character; they go from 1 to {len(self)}")
        return "".join([self._characters[i - 1] for i in ids])

    def extend(self, texts: Iterable[str]) -> "Charset":
        """Return a charset that also has the characters of some texts: behind the others, by code point."""
        new = _characters_of(texts, self._normalization).difference(self._ids)
        return Charset((*self._characters, *sorted(new)), normalization=self._normalization)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, which `from_dict` reads back."""
        return {"characters": list(self._characters), "normalization": self._normalization}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Charset":
        """Make the charset that `to_dict` described.

        Raises:
            CharsetError: a key is missing or unknown, or what it holds is no charset.
        """
        if set(state) != {"characters", "normalization"}:
            found = ", ".join(map(str, state)) or "nothing"
            raise CharsetError(f"a stored charset has 'characters' and 'normalization', this one has {found}")
        if not isinstance(state["characters"], list):
            raise CharsetError("the 'characters' of a stored charset are not a list; the file is damaged")
        return cls(state["characters"], normalization=state["normalization"])


def _characters_of(texts: Iterable[str], normalization: Normalization) -> set[str]:
    return set().union(*(normalize(text, normalization) for text in texts))
