"""Text functions: Unicode normalization, unprintable characters, tokens, number formatting."""

import itertools
import unicodedata
from typing import Literal

Normalization = Literal["NFC", "NFD", "NFKC", "NFKD", "none"]
_VISIBLE_FORMAT_CONTROLS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u08e2"  # category Cf, but with a glyph
_INVISIBLE = "\ufffd\u2800\u3164\u115f\u1160\u034f\ufe0e\ufe0f"


def clean_text(text: str) -> str:
    """Remove byte order marks, collapse runs of whitespace, also of no-break spaces, to one space; strip both ends."""
    return " ".join(text.replace("\ufeff", "").split())


def describe_characters(text: str) -> str:
    """Return the Unicode names of the characters of a text: ``'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)``."""
    return ", ".join(f"{c!r} (U+{ord(c):04X} {unicodedata.name(c, 'no name')})" for c in text)


def is_unprintable(character: str) -> bool:
    """Whether a character is a control, invisible, a space other than U+0020, a noncharacter or U+FFFD."""
    if character == " " or character in _VISIBLE_FORMAT_CONTROLS:
        return False
    category, code = unicodedata.category(character), ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return (
        character in _INVISIBLE
        or is_noncharacter
        or character.isspace()
        or category in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")
    )


def escape_unprintable(text: str) -> str:
    """Replace unprintable characters, which could garble a terminal, by their code points: ``<U+200B>``."""
    return "".join(f"<U+{ord(c):04X}>" if is_unprintable(c) else c for c in text)


def normalize(text: str, normalization: Normalization) -> str:
    """Apply a Unicode normalization form; ``"none"`` returns the text unchanged."""
    return text if normalization == "none" else unicodedata.normalize(normalization, text)


def tokenize(text: str) -> list[str]:
    """Split a text into words and punctuation marks.

    A token is a maximal run of letters, digits (`str.isalnum`) and combining marks (category M), or any other single
    character except whitespace.
    """
    tokens = []
    for word in text.split():
        if word.isalnum():
            tokens.append(word)
        else:
            runs = itertools.groupby(word, _is_word_character)
            tokens += [token for is_word, run in runs for token in (["".join(run)] if is_word else run)]
    return tokens


def _is_word_character(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def format_count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, singular or plural: ``1 line``, ``1,024 lines``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
