"""What texts are made of: normal forms, characters that cannot be seen, words."""

import itertools
import unicodedata
from typing import Literal

Normalization = Literal["NFC", "NFD", "NFKC", "NFKD", "none"]
_DRAWN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u08e2"  # controls of the format that are drawn all the same
_UNSEEN = "\ufffd\u2800\u3164\u115f\u1160\u034f\ufe0e\ufe0f"


def clean_text(text: str) -> str:
    """Collapse runs of whitespace, also no-break and other Unicode spaces, to one space; strip the ends."""
    return " ".join(text.split())


def describe_characters(text: str) -> str:
    """Name the characters of a text for a message: ``'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)``."""
    return ", ".join(f"{c!r} (U+{ord(c):04X} {unicodedata.name(c, 'no name')})" for c in text)


def is_unprintable(character: str) -> bool:
    """Whether a character has no look: invisible, a control, a space that is no space, or one that was lost."""
    if character == " " or character in _DRAWN:
        return False
    category, code = unicodedata.category(character), ord(character)
    lost = character in _UNSEEN or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return lost or character.isspace() or category in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")


def escape_unprintable(text: str) -> str:
    """Write what is invisible, or would disturb a terminal, as its code point."""
    return "".join(f"<U+{ord(c):04X}>" if is_unprintable(c) else c for c in text)


def normalize(text: str, normalization: Normalization) -> str:
    """Bring a text to a Unicode normalization form; ``"none"`` leaves it as it is."""
    return text if normalization == "none" else unicodedata.normalize(normalization, text)


def tokenize(text: str) -> list[str]:
    """Split a text into words and punctuation marks.

    A token is a run of letters, digits (`str.isalnum`) and combining marks (category M), as long as possible, or any
    other single character that is no whitespace.
    """
    tokens = []
    for word in text.split():
        if word.isalnum():
            tokens.append(word)
        else:
            runs = itertools.groupby(word, _is_of_word)
            tokens += [token for inside, run in runs for token in (["".join(run)] if inside else run)]
    return tokens


def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def format_count(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun: ``1 line``, ``1,024 lines``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
