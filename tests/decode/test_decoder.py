"""Builders of decoders."""

import logging
from pathlib import Path

import numpy as np
import pytest

from htr_lightning.charset import Charset
from htr_lightning.decode.decoder import build_beam_decoder, build_greedy_decoder
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


def test_a_language_model_that_lacks_characters_is_logged(lm: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        build_beam_decoder(CHARSET, lm=str(lm))
    assert "lacks 1 of 4 characters of the recognizer: c" in caplog.text


def test_a_language_model_of_another_script_is_refused(tmp_path: Path) -> None:
    write_arpa(train_ngram(["αβγ αβγ"], 3), tmp_path / "greek.arpa")
    with pytest.raises(
        LanguageModelError, match=r"greek\.arpa: \d+% of its characters, by unigram probability, are unknown"
    ):
        build_beam_decoder(CHARSET, lm=str(tmp_path / "greek.arpa"))


def test_a_language_model_that_is_too_large_is_refused(lm: Path) -> None:
    with pytest.raises(LanguageModelError, match="more than the 3 allowed"):
        build_beam_decoder(CHARSET, lm=str(lm), max_ngrams=3)
