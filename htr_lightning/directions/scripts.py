"""Scripts of characters: Latin, Greek, Arabic, Han."""

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Literal

ColumnDirection = Literal["ttb", "ttb-lr"]
"""Order of vertical lines from top to bottom: the first at the right, or at the left."""

_COLUMNS: dict[str, ColumnDirection] = {
    **dict.fromkeys(("Han", "Hiragana", "Katakana", "Bopomofo", "Hangul"), "ttb"),
    **dict.fromkeys(("Mongolian", "Phags-pa"), "ttb-lr"),
}
_OTHER = "signs and digits"
_NAMES = {"Cjk": "Han", "Ideographic": "Han", "Canadian": "Canadian Aboriginal"}
_FORMS = ("FULLWIDTH ", "HALFWIDTH ", "MODIFIER LETTER ", "COMBINING ")


@cache
def name_script(character: str) -> str:
    """Return the script of a letter, such as ``Greek``, by its Unicode name; of others, ``signs and digits``."""
    if not character.isalpha():
        return _OTHER
    name = unicodedata.name(character, "unknown script")
    for form in _FORMS:
        name = name.removeprefix(form)
    script = name.split()[0].capitalize()
    return _NAMES.get(script, script)


def group_by_script(characters: Iterable[str]) -> dict[str, list[str]]:
    """Return characters by their scripts, the script with most of them first; signs and digits come last."""
    groups: dict[str, list[str]] = {}
    for character in characters:
        groups.setdefault(name_script(character), []).append(character)
    order = sorted(groups, key=lambda script: (script == _OTHER, -len(groups[script]), script))
    return {script: groups[script] for script in order}


def find_scripts(characters: Iterable[str]) -> list[str]:
    """Return the scripts of at least three letters, the one with most letters first."""
    groups = group_by_script(characters)
    return [script for script, members in groups.items() if script != _OTHER and len(members) >= 3]


def find_column_direction(scripts: Iterable[str]) -> ColumnDirection | None:
    """Return how vertical lines follow each other in the first of some scripts; None if it is written in rows only."""
    return _COLUMNS.get(next(iter(scripts), ""))
