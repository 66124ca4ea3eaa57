"""Characters that look alike in handwriting, or not like anything at all.

The tables are short on purpose: what is confused in practice, by keyboards, OCR programs and conversions between
encodings. Of the alphabets that share letter shapes, Unicode's own character names tell which one a letter is of.
"""

import functools
import unicodedata
from collections.abc import Collection, Iterator

ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE")
"""Those that have letters of the same shape, as the first words of Unicode's names have it."""

_TWINS = {
    # capitals
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙӀ", "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν",
    "O": "ОΟՕ", "P": "РΡ", "Q": "Ԛ", "S": "ЅՏ", "T": "ТΤ", "W": "Ԝ", "X": "ХΧ", "Y": "ҮΥ", "Z": "Ζ",
    "Ï": "ЇΪ", "Ö": "Ӧ", "Ÿ": "Ϋ", "È": "Ѐ", "Ë": "Ё", "Ä": "Ӓ",
    # small letters
    "a": "а", "c": "сϲ", "d": "ԁ", "e": "е", "g": "ց", "h": "һհ", "i": "і", "j": "јϳ", "l": "ӏ", "n": "ո", "o": "оοօ",
    "p": "рρ", "q": "ԛզ", "s": "ѕ", "u": "սυ", "v": "ѵν", "w": "ԝ", "x": "хχ", "y": "уү",
    "ï": "їϊ", "ö": "ӧ", "è": "ѐ", "ë": "ё", "ä": "ӓ", "é": "έ", "ó": "ό", "á": "ά", "í": "ί",
    "ß": "β", "æ": "ӕ", "Æ": "Ӕ", "ə": "ә", "µ": "μ",
}  # fmt: skip

TWIN_OF = {foreign: latin for latin, others in _TWINS.items() for foreign in others}
"""Cyrillic, Greek and Armenian letters -> the Latin letter that they look like."""

FAMILIES = (
    ("'", "’", "ʼ", "′", "´", "`", "＇", "‛"),
    ('"', "“”„‟", "″", "＂", "ˮ"),
    ("-", "‐", "‑", "−", "⁃", "˗", "﹣", "－"),
    ("–", "‒"),
    ("—", "―", "─"),
    ("°", "º", "˚"),
    ("·", "•", "∙", "⋅", "‧", "・"),
    (".", "․"),
    (",", "‚", "٫"),
    (":", "∶", "ː", "꞉"),
    ("/", "⁄", "∕"),
    ("|", "ǀ", "∣"),
    ("*", "∗", "⁎"),
    ("~", "∼", "˜"),
    ("«", "≪", "《"),
    ("»", "≫", "》"),
    ("ş", "ș"), ("Ş", "Ș"), ("ţ", "ț"), ("Ţ", "Ț"),
    ("Đ", "Ð", "Ɖ"), ("ə", "ǝ"), ("µ", "μ"),
    ("ك", "ک"), ("ي", "ی"),
    *zip("٠١٢٣٧٨٩", "۰۱۲۳۷۸۹", strict=True),
)  # fmt: skip
"""Characters that a hand writes alike; what stands in one string (opening and closing quotes) is not told apart from
each other by shape but by place, and may stand side by side."""

DASHES = "-–—"
"""Told apart by nothing but their length."""

_LIGATURE_TAGS = ("<font>", "<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>")
_LIGATURES = frozenset("ﬀﬁﬂﬃﬄﬅﬆǄǅǆǇǈǉǊǋǌǱǲǳŉ")


@functools.cache
def alphabet(character: str) -> str:
    """Return which of `ALPHABETS` a letter is of; the empty string for everything else."""
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").partition(" ")[0]
    return first if first in ALPHABETS else ""


def plain_form(character: str) -> str:
    """Return what a ligature, a full-width or a mathematical letter stands for; the empty string for all others.

    Superscripts, fractions and letters of their own right (``ĳ``, ``ſ``) are others.
    """
    tag = unicodedata.decomposition(character).partition(" ")[0]
    if character not in _LIGATURES and tag not in _LIGATURE_TAGS:
        return ""
    return unicodedata.normalize("NFKC", character)


def families_in(characters: Collection[str]) -> Iterator[list[str]]:
    """Yield the members of each family that stand side by side in a charset, where there are several."""
    for family in FAMILIES:
        present = [[c for c in member if c in characters] for member in family]
        if sum(map(bool, present)) > 1:
            yield [c for member in present for c in member]
