"""Scripts of characters, and of charsets."""

import pytest

from htr_lightning.charset import Charset
from htr_lightning.directions.scripts import find_column_direction, find_scripts, group_by_script, name_script


@pytest.mark.parametrize(
    ("characters", "script"),
    [
        ("aÉß", "Latin"),
        ("ﬁ", "Latin"),
        ("Ａ", "Latin"),
        ("αΏ", "Greek"),
        ("жЁ", "Cyrillic"),
        ("אׇ"[:1], "Hebrew"),
        ("بﷲ", "Arabic"),
        ("漢々", "Han"),
        ("ひ", "Hiragana"),
        ("カ", "Katakana"),
        ("한", "Hangul"),
        ("क", "Devanagari"),
        ("1.(", "signs and digits"),
        ("\u0301\u064b", "signs and digits"),
    ],
)
def test_names(characters: str, script: str) -> None:
    assert {name_script(character) for character in characters} == {script}


def test_characters_by_script() -> None:
    groups = group_by_script("a1漢字語βγδε.")
    assert list(groups) == ["Greek", "Han", "Latin", "signs and digits"]
    assert groups["Han"] == ["漢", "字", "語"] and groups["signs and digits"] == ["1", "."]
    assert find_scripts("a1漢字語βγδε.") == ["Greek", "Han"]  # one Latin letter is a sign of a note, not of a script


def test_a_charset_says_its_scripts() -> None:
    assert Charset.from_texts(["abcdef", "אבג 12"]).scripts == ["Latin", "Hebrew"]
    assert Charset.from_texts(["12"]).scripts == []


@pytest.mark.parametrize(
    ("characters", "direction"),
    [("漢字語a", "ttb"), ("かなしカナ漢", "ttb"), ("ᠠᠡᠢ", "ttb-lr"), ("abcd漢字語", None), ("אבג", None), ("12", None)],
)
def test_scripts_that_are_written_in_columns(characters: str, direction: str | None) -> None:
    assert find_column_direction(find_scripts(characters)) == direction
    assert Charset(characters).column_direction == direction
