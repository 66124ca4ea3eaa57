"""ARPA files: round trip, files of other tools, damaged files."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from htr_lightning.lm.arpa import read_arpa, write_arpa
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, LanguageModelError

TEXTS = ["le chat dort", "la chatte dort là", "où est le chat ?", "\\data\\", "«à»"]

FOREIGN = """\

\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-99\t<s>\t-0.30103
-0.60206\t</s>
-0.60206\ta\t-0.1
-0.60206\t▁\t-0.2
-0.60206\t<unk>

\\2-grams:
-0.1\t<s> a
-0.2\ta ▁
-0.3\t▁ </s>

\\end\\
"""


@pytest.mark.parametrize("name", ["m.arpa", "m.arpa.gz"])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_round_trip(tmp_path: Path, name: str, order: int) -> None:
    model = train_ngram(TEXTS, order)
    write_arpa(model, tmp_path / name)
    read = read_arpa(tmp_path / name)
    assert read.symbols == model.symbols and len(read) == len(model)
    for one, other in zip(model.levels, read.levels, strict=True):
        assert np.array_equal(one.context, other.context) and np.array_equal(one.symbol, other.symbol)
    for text in (*TEXTS, "le chien", "xyz"):
        assert read.log_probability(text) == pytest.approx(model.log_probability(text), abs=1e-4)
    assert not list(tmp_path.glob("*.partial"))


def test_files_of_other_tools(tmp_path: Path) -> None:
    path = tmp_path / "other.arpa"
    path.write_text(FOREIGN, encoding="utf-8")
    model = read_arpa(path)
    assert set(model.symbols) == {BEGIN, END, "a", " ", UNKNOWN}
    assert model.log_probability("a ") == pytest.approx(-0.6 * math.log(10))
    # "  ": the second space is not listed after the first, which weighs 10^-0.2.
    assert model.log_probability("a  ") == pytest.approx((-0.1 - 0.2 - 0.2 - 0.60206 - 0.3) * math.log(10))
    path.write_text(FOREIGN.replace("-0.60206\t<unk>\n", "").replace("1=5", "1=4"), encoding="utf-8")
    assert read_arpa(path).log_probability("b") < -200


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\\data\\", "data", "does not begin with"),
        ("ngram 1=5", "ngram 1=x", "does not give the number of n-grams"),
        ("ngram 1=5", "ngram 1=6", "truncated"),
        ("\n\\end\\", "", "expected \\end\\"),
        ("-0.3\t▁ </s>\n\n\\end\\\n", "", "ends before its 3 2-grams do"),
        ("-0.2\ta ▁", "-0.2x\ta ▁", "could not convert"),
        ("-0.2\ta ▁", "-0.2\ta b", "'b' is part of an n-gram, but not listed"),
        ("-0.60206\ta\t", "-0.60206\tword\t", "not single characters, such as 'word'"),
        ("-0.60206\t</s>", "-0.60206\tb", "has no <s> and </s>"),
        ("-0.60206\ta\t", "-0.60206\t<space>\t", "the symbol ' ' is listed more than once"),
    ],
)
def test_damaged_files(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "bad.arpa"
    path.write_text(FOREIGN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LanguageModelError) as caught:
        read_arpa(path)
    assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LanguageModelError, match=r"none\.arpa: cannot be read"):
        read_arpa(tmp_path / "none.arpa")
    (tmp_path / "binary.arpa").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LanguageModelError, match="not UTF-8 text"):
        read_arpa(tmp_path / "binary.arpa")
    write_arpa(train_ngram(TEXTS, 3), tmp_path / "cut.arpa.gz")
    (tmp_path / "cut.arpa.gz").write_bytes((tmp_path / "cut.arpa.gz").read_bytes()[:200])
    with pytest.raises(LanguageModelError, match="cannot be read"):
        read_arpa(tmp_path / "cut.arpa.gz")


def test_a_model_larger_than_allowed_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_arpa(train_ngram(TEXTS, 4), tmp_path / "m.arpa")
    with pytest.raises(LanguageModelError, match=r"n-grams are more than the 10 allowed"):
        read_arpa(tmp_path / "m.arpa", max_ngrams=10)


@pytest.mark.parametrize("count", ["999999999999", "9" * 25, "9" * 5000])
@pytest.mark.parametrize("name", ["m.arpa", "m.arpa.gz"])
def test_counts_beyond_the_size_of_the_file_are_refused(tmp_path: Path, name: str, count: str) -> None:
    content = FOREIGN.replace("ngram 1=5", f"ngram 1={count}").encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(LanguageModelError, match=r"m\.arpa.*its header") as caught:
        read_arpa(path)
    assert caught.value.kind == "damaged"


def test_a_compressed_file_with_a_byte_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.arpa.gz"
    write_arpa(train_ngram(TEXTS, 4), path)
    good = path.read_bytes()
    for position in range(60, len(good), 97):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :])
        with pytest.raises(LanguageModelError):
            read_arpa(path)


@pytest.mark.parametrize(("text", "words"), [("\n" * 5_000_000, "are blank"), ("x" * 5_000_000, "longer than")])
def test_small_compressed_files_without_end_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "m.arpa.gz"
    path.write_bytes(gzip.compress(f"\\data\\\nngram 1=5\n{text}".encode()))
    assert path.stat().st_size < 10_000
    with pytest.raises(LanguageModelError, match=words):
        read_arpa(path)


def test_probabilities_must_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "m.arpa"
    for value in ("nan", "inf"):
        path.write_text(FOREIGN.replace("-0.60206\ta", f"{value}\ta"))
        with pytest.raises(LanguageModelError, match="invalid number in its 1-grams"):
            read_arpa(path)
    path.write_text(FOREIGN.replace("-0.60206\ta", "-inf\ta"))  # SRILM writes it for what never occurs
    assert np.isfinite(read_arpa(path).levels[0].log_probability).all()


@pytest.mark.parametrize("number", ["nan", "inf", "1e300", "100"])
@pytest.mark.parametrize("field", ["-0.60206\ta\t{}", "{}\ta\t-0.1"])
def test_numbers_that_are_no_logarithms(field: str, number: str, tmp_path: Path) -> None:
    path = tmp_path / "m.arpa"
    path.write_text(FOREIGN.replace("-0.60206\ta\t-0.1", field.format(number)), encoding="utf-8")
    with pytest.raises(LanguageModelError, match=f"invalid number in its 1-grams: '{number}'") as error:
        read_arpa(path)
    assert (error.value.kind, error.value.file) == ("damaged", path)


@pytest.mark.parametrize("number", ["-inf", "-1e300", "-99"])
def test_what_is_impossible_stays_finite(number: str, tmp_path: Path) -> None:
    path = tmp_path / "m.arpa"
    path.write_text(FOREIGN.replace("-0.60206\ta\t-0.1", f"{number}\ta\t{number}"), encoding="utf-8")
    level = read_arpa(path).levels[0]
    assert np.isfinite(level.log_probability).all() and np.isfinite(level.log_backoff).all()
