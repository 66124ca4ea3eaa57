"""Builders of decoders."""

import inspect
import logging
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from htr_lightning.charset import Charset
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.decoder import build_beam_decoder, build_greedy_decoder, load_language_model
from htr_lightning.lm.arpa import write_arpa
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.ngram import LanguageModelError

CHARSET = Charset("abc ")


@pytest.fixture
def lm(tmp_path: Path) -> Path:
    write_arpa(train_ngram(["ab ab", "abb", "a"], 3), tmp_path / "m.arpa")
    return tmp_path / "m.arpa"


def test_all_decoders_agree_on_certain_logits(lm: Path) -> None:
    logits = np.full((1, 4, 5), -9.0, np.float32)
    for frame, class_id in enumerate((1, 0, 2, 2)):
        logits[0, frame, class_id] = 9
    for decoder in (
        build_greedy_decoder(CHARSET),
        build_beam_decoder(CHARSET),
        build_beam_decoder(CHARSET, lm=str(lm)),
    ):
        assert decoder(logits, np.array([4])) == [[1, 2]]


def test_arguments_reach_the_search(lm: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("ab\n")
    arguments = {
        "lm_weight": 0.3,
        "insertion_bonus": 0.4,
        "unknown_word_cost": 2.5,
        "beam_width": 5,
        "max_classes": 3,
        "min_probability": 0.01,
        "blank_skip_threshold": 0.9,
    }
    decoder = build_beam_decoder(CHARSET, lm=str(lm), lexicon=str(tmp_path / "words.txt"), **arguments)
    search = decoder.__self__  # type: ignore[attr-defined]
    assert {name: getattr(search, name) for name in arguments} == arguments
    assert search.lm is not None and search.lexicon.num_words == 1
    plain = build_beam_decoder(CHARSET, insertion_bonus=0.4).__self__  # type: ignore[attr-defined]
    assert (plain.lm, plain.lexicon, plain.insertion_bonus) == (None, None, 0.0), "the bonus is for a language model"


def test_defaults_are_those_of_the_search() -> None:
    defaults = {name: p.default for name, p in inspect.signature(build_beam_decoder).parameters.items()}
    assert defaults["insertion_bonus"] == 1.25
    names = [field.name for field in fields(BeamSearch) if field.name != "insertion_bonus"]
    assert {name: defaults[name] for name in names} == {name: getattr(BeamSearch(), name) for name in names}


def test_a_language_model_that_lacks_characters_is_logged(lm: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        build_beam_decoder(CHARSET, lm=str(lm))
    assert "lacks 1 of 4 characters of the recognizer: c" in caplog.text


def test_a_language_model_of_another_script_is_refused(tmp_path: Path) -> None:
    write_arpa(train_ngram(["αβγ αβγ"], 3), tmp_path / "greek.arpa")
    with pytest.raises(
        LanguageModelError, match=r"greek\.arpa: \d+% of its characters, by unigram probability, are unknown"
    ) as error:
        build_beam_decoder(CHARSET, lm=str(tmp_path / "greek.arpa"))
    assert error.value.kind == "unknown_characters" and Path(error.value.file or "") == tmp_path / "greek.arpa"


@pytest.mark.parametrize(("num_foreign", "is_refused"), [(1, False), (2, True)])
def test_a_fifth_of_unknown_characters_is_too_much(num_foreign: int, is_refused: bool, tmp_path: Path) -> None:
    foreign = "ωψχφυτ"
    texts = ["ab" * 20] * 10 + [foreign[:6] * num_foreign + "ωψω"] * 10
    path = tmp_path / "mixed.arpa"
    write_arpa(train_ngram(texts, 1), path)
    if not is_refused:
        assert load_language_model(path, CHARSET)
        return
    with pytest.raises(LanguageModelError) as error:
        load_language_model(path, CHARSET)
    named = [c for c in str(error.value) if c in foreign]
    assert len(named) == 5 and named[:2] == ["ω", "ψ"], "the five most frequent ones, the most frequent first"


def test_a_language_model_that_is_too_large_is_refused(lm: Path) -> None:
    with pytest.raises(LanguageModelError, match="more than the 3 allowed"):
        build_beam_decoder(CHARSET, lm=str(lm), max_ngrams=3)
