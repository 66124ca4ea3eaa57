"""Tokens of a line's text: its words with their positions, or the whole text if the positions are unknown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from htr_lightning.decode.positions import Character, Outline
from htr_lightning.reading.page import PredictedLine

# What XML 1.0 cannot represent: control characters, lone surrogates, U+FFFE and U+FFFF.
_INVALID_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Token:
    """The text between two spaces, or a whole text.

    Attributes:
        text: empty next to a space without a word: at the ends of a line and between two spaces.
        confidence: 0..1; None if unknown.
        outline: as in `htr_lightning.decode.positions.Word`; None if unknown.
        characters: those of the text; empty if unknown.
        space: outline of the space after the token; None if there is no space or its outline is unknown.
    """

    text: str
    confidence: float | None = None
    outline: Outline | None = None
    characters: tuple[Character, ...] = ()
    space: Outline | None = None


def sanitize(text: str) -> str:
    """Replace each character that XML cannot represent by U+FFFD; every format does, so that all hold the same text."""
    return _INVALID_XML.sub("\ufffd", text)


def split_tokens(line: PredictedLine) -> list[Token]:
    """Split the text of a line at its spaces.

    Returns:
        The tokens, whose texts joined by single spaces are the text of the line. If the line has no words, or words
        that do not match its text, one token with the whole text and the line's confidence. Empty if the line has no
        text.
    """
    text = sanitize(line.text)
    if not text:
        return []
    parts = text.split(" ")
    if [sanitize(word.text) for word in line.words] != [part for part in parts if part]:
        return [Token(text, line.confidence)]
    characters = line.characters if "".join(c.text for c in line.characters) == line.text else ()
    return list(_build_tokens(parts, line, characters))


def split_words(line: PredictedLine) -> list[Token]:
    """Return a token for each word of a line; it holds nothing but its text if the positions of words are unknown."""
    tokens = split_tokens(line)
    if len(tokens) == 1 and tokens[0].outline is None:
        return [Token(part) for part in tokens[0].text.split(" ") if part]
    return [token for token in tokens if token.text]


def _build_tokens(parts: list[str], line: PredictedLine, characters: tuple[Character, ...]) -> Iterator[Token]:
    words, start = iter(line.words), 0
    for part in parts:
        end = start + len(part)
        space = characters[end].outline if end < len(characters) else None
        if part:
            word = next(words)
            yield Token(part, word.confidence, word.outline, characters[start:end], space)
        else:
            yield Token("", space=space)
        start = end + 1
