"""Several language models: each line takes the one under which it is most probable."""

import numpy as np
import pytest

from htr_lightning.charset import Charset
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.decoder import build_beam_decoder
from htr_lightning.decode.languages import LanguageBeams, compute_log_probability
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.ngram import LanguageModelError
from htr_lightning.lm.tables import ContextTables
from htr_lightning.lm.zoo import find_language_models, list_language_models
from htr_lightning.model.info import find_zoo_model, read_info

CHARSET = Charset.from_texts(["aeht quil"])
FIRST, SECOND = train_ngram(["the the tale"] * 9, 3), train_ngram(["que qui qua"] * 9, 3)


def build_logits(text: str, doubtful: int, other: str) -> np.ndarray:
    """Frames that spell a text with blanks between, one character of which might as well be another."""
    logits = np.full((2 * len(text) + 1, CHARSET.num_classes), -9.0, np.float32)
    logits[::2, 0] = 6.0
    for place, id in enumerate(CHARSET.encode(text)):
        logits[2 * place + 1, id] = 4.0
    logits[2 * doubtful + 1, CHARSET.encode(other)[0]] = 4.3
    return logits


def test_each_line_is_decoded_with_its_own_language() -> None:
    lines = [("the the", 4, "q"), ("que que", 5, "h")]
    logits = np.stack([build_logits(*line) for line in lines])
    lengths = np.full(2, logits.shape[1])
    searches = [BeamSearch(lm=ContextTables(model, CHARSET), lm_weight=0.6) for model in (FIRST, SECOND)]
    beams = LanguageBeams(searches)
    assert [CHARSET.decode(ids) for ids in beams.decode(logits, lengths)] == ["the the", "que que"]
    for number in range(2):  # a line does not depend on its batch
        alone = beams.decode(logits[number : number + 1], lengths[:1])[0]
        assert CHARSET.decode(alone) == lines[number][0]
    swapped = LanguageBeams(searches[::-1]).decode(logits, lengths)
    assert swapped == beams.decode(logits, lengths)
    assert LanguageBeams(searches).decode(logits[:0], lengths[:0]) == []


def test_the_probability_is_that_of_the_model() -> None:
    tables = ContextTables(FIRST, CHARSET)
    for text in ("the", "tale the", ""):
        expected = FIRST.log_probability(text)
        assert compute_log_probability(tables, CHARSET.encode(text)) == pytest.approx(expected, abs=1e-4)


def test_language_models_ship_for_three_languages_and_are_small() -> None:
    shipped = list_language_models()
    assert set(shipped) == {"lm-de", "lm-en", "lm-fr"}
    assert all(path.stat().st_size < 3_000_000 for path in shipped.values())
    assert find_language_models("zoo:lm-fr") == [shipped["lm-fr"]]
    assert find_language_models("auto", ["fr", "xx", "de"]) == [shipped["lm-fr"], shipped["lm-de"]]


@pytest.mark.parametrize(
    ("name", "languages", "words"),
    [
        ("zoo:lm-xx", [], "choose from zoo:lm-de, zoo:lm-en, zoo:lm-fr"),
        ("auto", [], "does not say its languages.*zoo:lm-de"),
        ("auto", ["xx"], "the languages of the recognizer are xx"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_those_that_do(name: str, languages: list[str], words: str) -> None:
    with pytest.raises(LanguageModelError, match=words) as error:
        find_language_models(name, languages)
    assert error.value.key == "decoder.lm" and error.value.value == name


def test_they_decode_with_the_shipped_charset() -> None:
    charset = Charset.from_dict(read_info(find_zoo_model("latin")).charset)
    text = "le chat"
    logits = np.full((1, 2 * len(text) + 1, charset.num_classes), -9.0, np.float32)
    logits[0, ::2, 0] = 6.0
    for place, id in enumerate(charset.encode(text)):
        logits[0, 2 * place + 1, id] = 6.0
    decode = build_beam_decoder(charset, lm="auto", languages=["fr", "en"])
    assert [charset.decode(ids) for ids in decode(logits, np.array([logits.shape[1]]))] == [text]
