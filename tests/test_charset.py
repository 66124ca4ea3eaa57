import copy
import json
import pickle
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.charset import Charset, CharsetError, find_direction
from htr_lightning.directions.bidi import remove_marks
from htr_lightning.text import describe_characters, normalize

FORMS = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD", "none"])
# Letters that compose, marks that compose with them, one that does not, a ligature, a letter beyond 16 bits.
TEXTS = st.text(alphabet="aexz éÅ\u0301\u0304\u0323ﬁ²𝔸\u212b", max_size=12) | st.text(max_size=12)


def test_marks_of_direction_are_removed_from_all_texts() -> None:
    charset = Charset.from_texts(["a\u200eb", "\u2067c\u2069"])
    assert charset.characters == tuple("abc") and charset.direction is None
    assert charset.encode("\u202aa\u202c") == [1] and charset.normalize("a\u061cb") == "ab"
    assert find_direction(["a\u200fb"]) is None


@given(st.lists(TEXTS, min_size=1).filter(lambda texts: any(map(remove_marks, texts))), FORMS)
def test_round_trip_of_texts(texts, form):
    charset = Charset.from_texts(texts, form)
    for text in texts:
        ids = charset.encode(text)
        assert charset.decode(ids) == charset.normalize(text) == normalize(remove_marks(text), form)
        assert len(ids) == len(charset.normalize(text))
        assert all(1 <= i < charset.num_classes for i in ids)
        assert charset.find_unknown(text) == "" and charset.encode_known(text) == ids


@given(st.lists(TEXTS, min_size=1).filter(lambda texts: any(map(remove_marks, texts))), st.lists(TEXTS), FORMS)
def test_extending_keeps_every_id(old, new, form):
    charset = Charset.from_texts(old, form)
    extended = charset.extend(new)
    assert extended.characters[: len(charset)] == charset.characters
    assert list(extended.characters[len(charset) :]) == sorted(extended.characters[len(charset) :])
    for text in old:
        assert extended.encode(text) == charset.encode(text)
    for text in new:
        assert extended.decode(extended.encode(text)) == extended.normalize(text)
    assert extended.extend(new) == extended


@given(st.lists(TEXTS, min_size=1).filter(lambda texts: any(map(remove_marks, texts))), TEXTS, FORMS)
def test_encode_raises_exactly_where_a_character_is_unknown(known, text, form):
    charset = Charset.from_texts(known, form)
    unknown = charset.find_unknown(text)
    assert set(unknown) == set(charset.normalize(text)) - set(charset.characters)
    kept = "".join(c for c in charset.normalize(text) if c not in unknown)
    assert charset.decode(charset.encode_known(text)) == kept
    if unknown:
        with pytest.raises(CharsetError):
            charset.encode(text)
    else:
        charset.encode(text)


def test_ids_start_after_the_blank_in_the_given_order():
    charset = Charset(["b", " ", "a"])
    assert charset.encode("a b") == [3, 2, 1]
    assert (len(charset), charset.num_classes, charset.characters) == (3, 4, ("b", " ", "a"))
    assert "a" in charset and "c" not in charset and "" not in charset


def test_from_texts_sorts_by_code_point_whatever_the_order_of_texts():
    assert Charset.from_texts(["zé", "aZ "]).characters == (" ", "Z", "a", "z", "é")
    assert Charset.from_texts(["zé", "aZ "]) == Charset.from_texts(["aZ ", "e\u0301z"])


def test_a_letter_without_a_composed_form_is_two_characters():
    charset = Charset.from_texts(["x\u0304"])
    assert charset.characters == ("x", "\u0304")
    assert charset.decode(charset.encode("x\u0304x")) == "x\u0304x"


def test_composed_and_decomposed_letters_have_the_same_id():
    charset = Charset(["é"])
    assert charset.encode("e\u0301") == charset.encode("\u00e9") == [1]


def test_the_error_gives_character_line_and_remedy():
    with pytest.raises(CharsetError) as error:
        Charset(["a"]).encode("a€", line_id="a01-003")
    message = str(error.value)
    assert "'€' (U+20AC EURO SIGN)" in message and "extend the charset" in message
    assert error.value.line_id == "a01-003" and message.startswith("a01-003: ")


@pytest.mark.parametrize(
    ("characters", "form", "words"),
    [
        ([], "NFC", "no characters"),
        (["a", "b", "a"], "NFC", "more than once: 'a'"),
        (["ab"], "NFC", "'ab'"),
        ([""], "NFC", "single code point, not ''"),
        (["\u212b"], "NFC", "ANGSTROM SIGN"),
        (["é"], "NFD", "COMBINING ACUTE"),
        (["a"], "nfc", "normalization=nfc: .*choose from NFC, "),
    ],
)
def test_invalid_charsets_are_refused(characters, form, words):
    with pytest.raises(CharsetError, match=words.replace("(", r"\(")):
        Charset(characters, normalization=form)


def test_the_errors_of_a_charset_have_fields():
    with pytest.raises(CharsetError) as error:
        Charset(["a"], normalization="nfc")
    assert (error.value.key, error.value.value) == ("normalization", "nfc")
    with pytest.raises(CharsetError) as error:
        Charset(["a"]).encode("b")
    assert error.value.line_id == ""


def test_all_duplicates_are_named_in_the_order_of_code_points():
    with pytest.raises(CharsetError, match=r"'a' .*'b' .*'c' .*'d' "):
        Charset(list("dcbaabcde"))


def test_the_representation_gives_the_charset():
    charset = Charset(["b", "'", "é"], normalization="NFKC")
    assert eval(repr(charset)) == charset


@pytest.mark.parametrize("ids", [[0], [1, 0], [-1], [3], [1, 99]])
def test_invalid_ids_are_refused(ids):
    with pytest.raises(CharsetError, match="from 1 to 2"):
        Charset(["a", "b"]).decode(ids)


def test_decode_takes_any_iterable():
    assert Charset(["a", "b"]).decode(i for i in (2, 1)) == "ba"


def test_equal_charsets_hash_alike_and_the_form_counts():
    assert len({Charset("ab"), Charset(["a", "b"]), Charset("ba"), Charset("ab", normalization="none")}) == 3
    assert Charset("ab") != "ab"


def test_round_trip_of_json_pickle_and_copy():
    charset = Charset(["é", "x", "\u0304", " "], normalization="NFKC")
    assert Charset.from_dict(json.loads(json.dumps(charset.to_dict()))) == charset
    assert pickle.loads(pickle.dumps(charset)) == copy.deepcopy(charset) == charset


def test_cannot_be_changed():
    with pytest.raises(AttributeError):
        Charset("ab").characters = ("c",)


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ({}, "has none$"),
        ({"characters": ["a"]}, "has characters$"),
        ({"x": 1, "y": 2}, "has x, y$"),
        ({"characters": "ab", "normalization": "NFC"}, "not a list"),
    ],
)
def test_a_damaged_state_is_refused(state, found):
    with pytest.raises(CharsetError, match=found) as error:
        Charset.from_dict(state)
    assert error.value.kind == "damaged"


def test_describe_characters_without_a_name():
    assert describe_characters("é\x00") == f"'é' (U+00E9 {unicodedata.name('é')}), '\\x00' (U+0000 no name)"


def test_importing_needs_no_torch():
    code = "import sys, htr_lightning.charset; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
