"""Pages in another script are named, by what the model read on them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from helpers.drawn_pages import small_page

from htr_lightning import load
from htr_lightning.charset import Charset
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.model.load import load_recognizer
from htr_lightning.reading.script_check import ScriptCheck

ENGLISH = [
    "My dear friend, I received your letter",
    "of the third of this month and was glad",
    "to hear that you are well",
]
# What a Latin model reads on Greek, Arabic and Chinese pages.
NONSENSE = ["vnv Siaoknon ryg Kuvav xai zou", "jiuiu dslyll 9 ubl Usl wibll", "Ztik4 7zxh Fkx tbXl ZhEX kll"]


@pytest.fixture(scope="module", name="check")
def build_check() -> ScriptCheck:
    charset = Charset.from_texts(["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789 ,.;"])
    return ScriptCheck(cast(Any, SimpleNamespace(charset=charset, info=SimpleNamespace(languages=["en"]))))


def test_text_in_a_language_of_the_model_is_not_reported(check: ScriptCheck) -> None:
    assert check.describe(2 * ENGLISH, 0.6) == ""


def test_text_like_no_language_is_reported_in_one_sentence(check: ScriptCheck) -> None:
    doubt = check.describe(2 * NONSENSE, 0.6)
    assert "another script than Latin" in doubt and "(en; confidence 60%)" in doubt and "\n" not in doubt
    assert check.describe(2 * NONSENSE, 0.95) == ""  # read with confidence: a list of names


def test_a_language_model_does_not_hide_the_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def describe(check: ScriptCheck, texts: list[str], confidence: float) -> str:
        seen.extend(texts)
        return "doubt"

    monkeypatch.setattr(ScriptCheck, "describe", describe)
    charset = load_recognizer("zoo:latin").charset
    reader = load("zoo:latin", decoder=lambda logits, lengths: [charset.encode("invented") for _ in logits])
    page = reader.read(small_page(lines=2).pixels)
    greedy = load("zoo:latin", decoder=greedy_decode).read(small_page(lines=2).pixels)
    assert {line.text for line in page.lines} == {"invented"} and page.notes == ("doubt",)
    assert seen[: len(seen) // 2] == [line.text for line in greedy.lines] != []


def test_too_little_text_and_rows_of_numbers_say_nothing(check: ScriptCheck) -> None:
    assert check.measure(NONSENSE[:1]) is None
    assert check.measure(20 * ["12 340 5 678 a", "99"]) is None


def test_a_model_of_unknown_languages_cannot_be_checked() -> None:
    charset = Charset.from_texts(["abcdefghijklmnopqrstuvwxyz ,.0123456789Z"])
    for languages in ([], ["xx"]):
        model = cast(Any, SimpleNamespace(charset=charset, info=SimpleNamespace(languages=languages)))
        assert ScriptCheck(model).describe(5 * NONSENSE, 0.3) == ""
