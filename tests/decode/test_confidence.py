"""Probabilities of texts equal brute force; the temperature found is the one that was planted."""

import itertools
import math

import numpy as np
import pytest
import torch

from htr_lightning.charset import Charset
from htr_lightning.decode.alignment import align
from htr_lightning.decode.confidence import (
    Calibrator,
    Observed,
    character_log_probabilities,
    text_log_probabilities,
)

CHARSET = Charset("ab")


def test_the_probabilities_of_all_texts_sum_to_one() -> None:
    log_probs = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(3)).log_softmax(2)
    texts = [list(t) for n in range(5) for t in itertools.product((1, 2), repeat=n)]
    values = text_log_probabilities(
        log_probs.expand(len(texts), 4, 3), torch.full((len(texts),), 4, dtype=torch.int64), texts
    )
    assert np.exp(values).sum() == pytest.approx(1, abs=1e-5)
    assert values[texts.index([1, 1, 1])] == -math.inf  # five frames are needed


def test_a_character_is_as_sure_as_its_surest_frame() -> None:
    probabilities = torch.tensor([[[0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05], [0.3, 0.3, 0.4]]])
    log_probs = probabilities.log()
    spans = align(log_probs, torch.tensor([4]), [[1, 2]])
    assert spans[0].tolist() == [[0, 2], [3, 4]]
    (found,) = character_log_probabilities(log_probs, spans, [[1, 2]])
    assert np.exp(found) == pytest.approx([0.7, 0.4])


def sharpened(temperature: float, num_lines: int = 3000) -> Observed:
    """One-letter lines whose letter was drawn from the softmax of scores; what is handed over are these, too sharp."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(num_lines, 1, 3, generator=generator) * 1.5
    scores[:, :, 0] = -9
    drawn = torch.multinomial(scores[:, 0].softmax(1), 1, generator=generator)[:, 0]
    return Observed(scores * temperature, torch.ones(num_lines, dtype=torch.int64), [" ab"[i] for i in drawn.tolist()])


@pytest.mark.parametrize("planted", [0.6, 1.0, 2.5])
def test_a_planted_temperature_is_found(planted: float) -> None:
    calibrator = Calibrator([sharpened(planted)], CHARSET)
    assert calibrator.temperature() == pytest.approx(planted, rel=0.12)
    judged = calibrator.judged(planted)
    for confidences, right in ((judged.characters, judged.right), (judged.lines, judged.right_lines)):
        assert confidences.mean() == pytest.approx(right.mean(), abs=0.02)


def test_put_in_and_exchanged_characters_are_wrong() -> None:
    scores = torch.full((1, 3, 3), -9.0)
    for frame, id in enumerate((1, 2, 1)):
        scores[0, frame, id] = 9.0
    for text, right in (("ab", [True, True, False]), ("aba", [True, True, True]), ("bba", [False, True, True])):
        judged = Calibrator([Observed(scores, torch.tensor([3]), [text])], CHARSET).judged(1.0)
        assert judged.right.tolist() == right and judged.right_lines.tolist() == [all(right)]


def test_nothing_read_gives_no_temperature() -> None:
    blank = torch.zeros(1, 3, 3)
    blank[:, :, 0] = 9
    assert Calibrator([Observed(blank, torch.tensor([3]), [""])], CHARSET).temperature() == 1.0
    assert Calibrator([], CHARSET).temperature() == 1.0
