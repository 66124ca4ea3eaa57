"""Languages and scripts as layout files name them, and the direction in which they are written."""

from htr_lightning.directions.bidi import StatedDirection

# ISO 15924 codes of scripts from right to left.
_SCRIPTS = "Adlm Arab Aran Armi Hebr Mand Mani Nbat Nkoo Phnx Rohg Samr Sogd Syrc Syre Syrj Syrn Thaa"
# ISO 639-1, 639-2 and 639-3 codes. Languages in scripts of both directions, such as Kurdish, are left out.
_LANGUAGES = """
    ar ara arb ary arz apc fa fas per prs pes he heb iw hbo yi yid ji ur urd ps pus pbt sd snd ug uig dv div ckb arc syc
    syr aii nqo azb pnb ota sam jrb jpr
"""
_NAMES = frozenset(
    ["arabic", "aramaic", "divehi", "hebrew", "pashto", "persian", "sindhi", "syriac", "uighur", "urdu", "yiddish"]
)
"""Languages from right to left by name, as in PAGE."""
_PAGE_NAMES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "he": "Hebrew",
    "hu": "Hungarian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "la": "Latin",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nl": "Dutch",
    "no": "Norwegian",
    "oc": "Occitan",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovene",
    "sr": "Serbian",
    "sv": "Swedish",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "yi": "Yiddish",
}
"""Names of languages in the schema of PAGE, by their ISO 639-1 codes."""


def parse_direction(written: str | None, language: str | None) -> StatedDirection:
    """Return the base direction that a file states; empty if it states none, or a vertical one.

    Args:
        written: the direction, as in PAGE or, like ``rtl``, as in ALTO; None if there is none.
        language: its language or script, which counts if there is no direction: a tag such as ``ar``, ``ara`` or
            ``tr-Arab`` (BCP 47), or a name as in PAGE: ``Arabic``, ``Arab - Arabic``. A language from left to right
            says nothing: files often have one by default.
    """
    names: dict[str, StatedDirection] = {"ltr": "ltr", "rtl": "rtl", "left-to-right": "ltr", "right-to-left": "rtl"}
    if written:
        return names.get(written.strip(), "")
    return "rtl" if language and _is_right_to_left(language) else ""


def _is_right_to_left(language: str) -> bool:
    parts = language.partition(" - ")[0].replace("_", "-").strip().split("-")
    script = next((part.capitalize() for part in parts if len(part) == 4 and part.isalpha()), "")
    if script in _SCRIPTS.split():
        return True
    if script and len(parts) > 1:  # a language in another script than its own
        return False
    return parts[0].lower() in _LANGUAGES.split() or language.strip().lower() in _NAMES


def get_page_name(language: str) -> str:
    """Return the name of a language in the schema of PAGE; empty if it is not known.

    Args:
        language: its ISO 639-1 code.
    """
    return _PAGE_NAMES.get(language, "")
