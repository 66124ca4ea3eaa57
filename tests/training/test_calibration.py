"""What a model file takes from validation lines: whether a language model helps."""

from dataclasses import replace

import numpy as np
import pytest

from htr_lightning.charset import Charset
from htr_lightning.decode.confidence import CalibrationBatch
from htr_lightning.model.info import find_zoo_model, read_info
from htr_lightning.training.calibration import MIN_LINES, choose_lm

INFO = replace(read_info(find_zoo_model("latin")), languages=["fr"], lm="auto")
CHARSET = Charset.from_dict(INFO.charset)
FRENCH = ["le chat est dans la maison", "nous avons une grande table", "il y a trois enfants", "je ne sais pas encore"]


def write_lines(texts: list[str], *, confused: tuple[str, str], margin: float = 0.3) -> CalibrationBatch:
    """Return frames that spell texts, in which one character is a little less probable than another, or more."""
    frames = 2 * max(map(len, texts)) + 1
    logits = np.full((len(texts), frames, CHARSET.num_classes), -9.0, np.float32)
    logits[:, :, 0] = 6.0
    for line, text in enumerate(texts):
        for place, id in enumerate(CHARSET.encode(text)):
            logits[line, 2 * place + 1, 0] = -9.0
            logits[line, 2 * place + 1, id] = 4.0
            if text[place] == confused[0]:
                logits[line, 2 * place + 1, CHARSET.encode(confused[1])[0]] = 4.0 + margin
    return CalibrationBatch(logits, np.array([2 * len(text) + 1 for text in texts]), texts)


def test_a_language_model_that_corrects_errors_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert choose_lm([write_lines(3 * FRENCH, confused=("a", "q"))], CHARSET, INFO) == "auto"
    assert "CER 0.00 % instead of" in caplog.text and "will use it" in caplog.text


def test_texts_of_another_language_do_without_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    texts = ["qqjz kqqz jq", "zqq jqqk", "kqz qzqj qq"]
    assert choose_lm(4 * [write_lines(texts, confused=("q", "e"), margin=-0.3)], CHARSET, INFO) == ""
    assert "will not use it" in caplog.text


def test_few_lines_change_nothing() -> None:
    few = write_lines((MIN_LINES - 1) * FRENCH[:1], confused=("a", "e"), margin=-0.3)
    assert choose_lm([few], CHARSET, INFO) == "auto" and choose_lm([], CHARSET, INFO) == "auto"
    many = write_lines(3 * FRENCH, confused=("a", "q"))
    assert choose_lm([many], CHARSET, replace(INFO, lm="")) == ""


def test_a_language_model_that_does_not_fit_any_more_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    info = replace(INFO, languages=["xx"])
    assert choose_lm([write_lines(3 * FRENCH, confused=("a", "q"))], CHARSET, info) == ""
    assert "no language model fits" in caplog.text
