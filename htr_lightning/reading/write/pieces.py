"""The text of a line in pieces: words with their places where they are known, the whole text where they are not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from htr_lightning.decode.positions import Character, Outline
from htr_lightning.reading.page import PredictedLine

# What XML 1.0 has no way to write: control characters, halves of surrogate pairs, U+FFFE and U+FFFF.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands between two spaces, or a whole text.

    Attributes:
        text: empty beside a space that has no word there: at the ends of a line, between two spaces.
        confidence: 0..1; None where it is not known.
        outline: as that of `htr_lightning.decode.positions.Word`; None where it is not known.
        characters: those of the text; empty where they are not known.
        space: outline of the space after it; None where there is none, or it is not known.
    """

    text: str
    confidence: float | None = None
    outline: Outline | None = None
    characters: tuple[Character, ...] = ()
    space: Outline | None = None


def legal(text: str) -> str:
    """Put U+FFFD in the place of each character that XML cannot hold, so that every format says the same."""
    return _ILLEGAL.sub("\ufffd", text)


def pieces(line: PredictedLine) -> list[Piece]:
    """Take a line apart.

    Returns:
        Its words; joined by single spaces, the pieces are the text. A line without words, or with those of another
        text, is one piece with the line's confidence; one without text has none.
    """
    text = legal(line.text)
    if not text:
        return []
    parts = text.split(" ")
    if [legal(word.text) for word in line.words] != [part for part in parts if part]:
        return [Piece(text, line.confidence)]
    known = line.characters if "".join(c.text for c in line.characters) == line.text else ()
    return list(_pieces(parts, line, known))


def words(line: PredictedLine) -> list[Piece]:
    """Return a piece for each word of a text, with no more than its text where that is all that is known."""
    found = pieces(line)
    if len(found) == 1 and found[0].outline is None:
        return [Piece(part) for part in found[0].text.split(" ") if part]
    return [piece for piece in found if piece.text]


def _pieces(parts: list[str], line: PredictedLine, known: tuple[Character, ...]) -> Iterator[Piece]:
    rest, start = iter(line.words), 0
    for part in parts:
        end = start + len(part)
        space = known[end].outline if end < len(known) else None
        if part:
            word = next(rest)
            yield Piece(part, word.confidence, word.outline, known[start:end], space)
        else:
            yield Piece("", space=space)
        start = end + 1
