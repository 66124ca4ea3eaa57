"""Pages in another script are named, by what the model read on them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from htr_lightning.charset import Charset
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


def test_too_little_text_and_rows_of_numbers_say_nothing(check: ScriptCheck) -> None:
    assert check.measure(NONSENSE[:1]) is None
    assert check.measure(20 * ["12 340 5 678 a", "99"]) is None


def test_a_model_of_unknown_languages_cannot_be_checked() -> None:
    charset = Charset.from_texts(["abcdefghijklmnopqrstuvwxyz ,.0123456789Z"])
    for languages in ([], ["xx"]):
        model = cast(Any, SimpleNamespace(charset=charset, info=SimpleNamespace(languages=languages)))
        assert ScriptCheck(model).describe(5 * NONSENSE, 0.3) == ""
