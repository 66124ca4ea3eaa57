"""Tables of characters that look alike in handwriting.

The tables are short on purpose: they have the characters that keyboards, OCR software and encoding conversions confuse
in practice. The alphabet of a letter is taken from its Unicode name.
"""

import functools
import unicodedata
from collections.abc import Collection, Iterator

ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE")
"""The alphabets with letters of the same shape, as the first words of their Unicode names."""

_CAPITALS = """
    AАΑ BВΒ CСϹ EЕΕ HНΗ IІΙӀ JЈ KКΚ MМΜ NΝ OОΟՕ PРΡ QԚ SЅՏ TТΤ WԜ XХΧ YҮΥ ZΖ
    ÏЇΪ ÖӦ ŸΫ ÈЀ ËЁ ÄӒ ÆӔ
"""
_SMALL_LETTERS = """
    aа cсϲ dԁ eе gց hһհ iі jјϳ lӏ nո oоοօ pрρ qԛզ sѕ uսυ vѵν wԝ xхχ yуү
    ïїϊ öӧ èѐ ëё äӓ éέ óό áά íί ßβ æӕ əә µμ
"""

LATIN_TWINS = {twin: group[0] for group in f"{_CAPITALS} {_SMALL_LETTERS}".split() for twin in group[1:]}
"""Cyrillic, Greek and Armenian letters -> the Latin letter of the same shape."""

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
    *("şș", "ŞȘ", "ţț", "ŢȚ", "ĐÐƉ", "əǝ", "µμ", "كک", "يی"),
    *zip("٠١٢٣٧٨٩", "۰۱۲۳۷۸۹", strict=True),
)
"""Characters that look alike in handwriting. The characters of one string within a tuple, such as opening and closing
quotes, differ by their position and may occur together."""

DASHES = "-–—"
"""Characters that differ only in their length."""

_PRESENTATION_TAGS = ("<font>", "<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>", "<vertical>")
_LIGATURES = frozenset("ﬀﬁﬂﬃﬄﬅﬆǄǅǆǇǈǉǊǋǌǱǲǳŉ")


@functools.cache
def find_alphabet(character: str) -> str:
    """Return which of `ALPHABETS` a letter belongs to; the empty string for every other character."""
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").partition(" ")[0]
    return first if first in ALPHABETS else ""


def get_plain_form(character: str) -> str:
    """Return the plain letters of a ligature, a full-width or a mathematical letter; empty for every other character.

    Superscripts, fractions and independent letters (``ĳ``, ``ſ``) have no plain form.
    """
    tag = unicodedata.decomposition(character).partition(" ")[0]
    if character not in _LIGATURES and tag not in _PRESENTATION_TAGS:
        return ""
    return unicodedata.normalize("NFKC", character)


def find_families(characters: Collection[str]) -> Iterator[list[str]]:
    """Yield the characters of each family in `FAMILIES` of which a charset has several members."""
    for family in FAMILIES:
        present = [[c for c in member if c in characters] for member in family]
        if sum(map(bool, present)) > 1:
            yield [c for member in present for c in member]
