from collections import Counter

import pytest
from helpers.made_up import facts, keys, only, sentences
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.data.line import SPLITS
from htr_lightning.doctor import characters
from htr_lightning.doctor.lookalikes import FAMILIES, LATIN_TWINS, find_alphabet, get_plain_form
from htr_lightning.doctor.scripts import find_script_problems
from htr_lightning.doctor.search import Texts
from htr_lightning.text import Normalization, is_unprintable


def texts_of(*texts: str) -> Texts:
    return {"train": [(str(row), text) for row, text in enumerate(texts)], "val": [], "test": []}


def outside(train: str, val: str, normalization: Normalization = "NFC") -> list[str]:
    made = facts([train], [val])
    texts = {split: list(zip(made[split].ids, made[split].texts, strict=True)) for split in SPLITS}
    counts = {split: characters.count_characters(made[split].texts, normalization) for split in SPLITS}
    return [
        finding.title for finding in characters.find_unknown_characters(texts, counts, counts["train"], normalization)
    ]


def test_characters_that_train_lacks_are_named() -> None:
    (title,) = outside("abc", "ñañ")
    assert title.startswith("val has characters that train lacks")
    assert "'ñ' (U+00F1 LATIN SMALL LETTER N WITH TILDE) 2 times" in title


def test_characters_are_compared_once_normalized() -> None:
    assert not outside("é", "e\u0301")
    assert len(outside("é", "e\u0301", "none")) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mаison", "U+0430 CYRILLIC SMALL LETTER A) 1 time in «mаison»"),
        ("une Ρorte ouverte", "U+03A1 GREEK CAPITAL LETTER RHO"),
        ("п0 сор", "U+0441 CYRILLIC SMALL LETTER ES"),
    ],
)
def test_letters_from_another_alphabet_are_found(text: str, named: str) -> None:
    findings = characters.find_lookalikes(texts_of(*sentences(40), text))
    finding = only(findings, "stray_letters")
    assert finding.severity == "warning" and finding.remedy == "write the Latin letters that they look like"
    assert [line.id for line in finding.lines] == ["40"] and named in finding.lines[0].reason


@pytest.mark.parametrize(
    "text", ["il a lu οἶνος chez Homère", "он сказал: bonjour", "l'α et l'ω", "日本語 and English", "5 µm, 3 Ω"]
)
def test_words_of_another_alphabet_are_left_alone(text: str) -> None:
    assert "stray_letters" not in keys(characters.find_lookalikes(texts_of(*sentences(40), text)))


@pytest.mark.parametrize(
    ("one", "other"), [("l'ami", "l’ami"), ("a-b", "a‑b"), ('"oui"', "“oui”"), ("n°", "nº"), ("țară", "ţara")]
)
def test_characters_that_no_hand_tells_apart_are_found(one: str, other: str) -> None:
    findings = characters.find_lookalikes(texts_of(one, one, other))
    finding = only(findings, "lookalikes")
    assert [line.id for line in finding.lines] == ["2"] and finding.remedy.startswith("write ")
    assert not characters.find_lookalikes(texts_of(one, one))


def test_fonts_tell_them_apart() -> None:
    (finding,) = characters.find_lookalikes(texts_of("l'ami", "l’ami"), fonts=True)
    assert finding.severity == "note" and "handwriting does not distinguish them" in finding.remedy


def test_opening_and_closing_quotes_are_no_confusion() -> None:
    assert not characters.find_lookalikes(texts_of("“oui”, «non»"))


def test_ligatures_ellipses_and_dashes() -> None:
    findings = characters.find_lookalikes(texts_of("la ﬁn … enfin... 1–2 – a-b"))
    assert only(findings, "letter_forms").severity == "warning"
    assert "U+FB01 LATIN SMALL LIGATURE FI" in only(findings, "letter_forms").title
    assert only(findings, "ellipses").severity == "warning"
    assert only(findings, "dashes").severity == "note"
    assert not characters.find_lookalikes(texts_of("x² … ½ œuvre n° ſo"))


@pytest.mark.parametrize("character", ["\u00ad", "\u200b", "\ufeff", "\ufffd", "\x07", "\u00a0", "\u2060", "\ud800"])
def test_what_has_no_look_is_found(character: str) -> None:
    finding = only(characters.find_unprintable_characters(texts_of("bon", f"b{character}on")), "invisible_characters")
    assert finding.severity == "warning" and finding.count == 1
    assert [line.id for line in finding.lines] == ["1"] and f"U+{ord(character):04X}" in finding.title


def test_marks_of_direction_are_noted_and_nothing_else_is_said_of_them() -> None:
    (finding,) = characters.find_unprintable_characters(texts_of("bon", "b\u200eon", "\u2067on\u2069"))
    assert (finding.key, finding.severity, finding.count) == ("direction_marks", "note", 3)
    assert "U+200E LEFT-TO-RIGHT MARK" in finding.title and [line.id for line in finding.lines] == ["1", "2"]
    assert outside("abc", "a\u200ebc") == []
    assert not find_script_problems(texts_of("bon", "b\u200fon"))


def test_joiners_belong_to_the_scripts_that_need_them() -> None:
    assert not characters.find_unprintable_characters(texts_of("می\u200cروم", "क्\u200dष"))
    assert only(characters.find_unprintable_characters(texts_of("a\u200cb")), "invisible_characters").count == 1


def test_private_use_is_noted() -> None:
    finding = only(characters.find_unprintable_characters(texts_of("\ue8bf")), "private_use")
    assert finding.severity == "note" and "MUFI" in finding.remedy


def test_texts_that_are_find_uncomposed_texts() -> None:
    texts = texts_of("crème", "cre\u0300me")
    (finding,) = characters.find_uncomposed_texts(texts, "NFC")
    assert finding.severity == "note" and [line.id for line in finding.lines] == ["1"]
    (finding,) = characters.find_uncomposed_texts(texts, "none")
    assert finding.severity == "warning"
    assert not characters.find_uncomposed_texts(texts_of("crème"), "none")


def test_rare_characters_are_noted() -> None:
    counts = {"train": Counter("aaaab"), "val": Counter("c"), "test": Counter[str]()}
    (finding,) = characters.find_rare_characters(counts)  # type: ignore[arg-type]
    assert finding.title == "1 character occurs fewer than 3 times in train: b"


def test_tables_are_sound() -> None:
    assert all(len(twin) == 1 and twin != foreign for foreign, twin in LATIN_TWINS.items())
    assert all(
        find_alphabet(twin) in ("LATIN", "") and find_alphabet(foreign) != "LATIN"
        for foreign, twin in LATIN_TWINS.items()
    )
    members = [character for family in FAMILIES for member in family for character in member]
    assert len(members) == len(set(members))


@given(st.characters())
def test_every_character_is_of_one_kind(character: str) -> None:
    assert not (is_unprintable(character) and get_plain_form(character))
    assert get_plain_form(character) != character


@given(st.lists(st.text(), max_size=4))
def test_any_texts_can_be_looked_at(texts: list[str]) -> None:
    rows = texts_of(*texts)
    for finding in [
        *characters.find_lookalikes(rows),
        *characters.find_unprintable_characters(rows),
        *characters.find_uncomposed_texts(rows, "NFC"),
    ]:
        assert finding.count > 0 and finding.title
