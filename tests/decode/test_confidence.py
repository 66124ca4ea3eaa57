"""Probabilities of texts agree with PyTorch's CTC loss; calibration recovers a known temperature."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.frames import random_logits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.decode.alignment import align
from htr_lightning.decode.confidence import (
    CalibrationBatch,
    Calibrator,
    ConfidenceOutcomes,
    character_log_probabilities,
    log_softmax,
)
from htr_lightning.decode.forward import text_log_probabilities

CHARSET = Charset("ab")


def test_the_probabilities_of_all_texts_sum_to_one() -> None:
    log_probs = log_softmax(random_logits(3, 1, 4, 3))
    texts = [list(t) for n in range(5) for t in itertools.product((1, 2), repeat=n)]
    values = text_log_probabilities(np.repeat(log_probs, len(texts), 0), np.full(len(texts), 4), texts)
    assert np.exp(values).sum() == pytest.approx(1, abs=1e-5)
    assert values[texts.index([1, 1, 1])] == -math.inf  # five frames are needed


def compute_with_torch(
    log_probs: NDArray[np.float32], lengths: NDArray[np.int64], texts: list[list[int]]
) -> NDArray[np.float64]:
    """Return the log-probabilities of texts from the CTC loss of PyTorch."""
    targets = torch.tensor([id for text in texts for id in text], dtype=torch.int64)
    frames = torch.from_numpy(log_probs).double().transpose(0, 1)
    target_lengths = torch.tensor([len(text) for text in texts])
    losses = F.ctc_loss(frames, targets, torch.from_numpy(lengths), target_lengths, reduction="none")
    return np.asarray(-losses.numpy(), np.float64)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    num_frames=st.integers(1, 40),
    sharpness=st.sampled_from([1, 5, 100]),
    texts=st.lists(st.lists(st.integers(1, 5), max_size=12), min_size=1, max_size=5),
)
def test_the_probability_of_a_text_agrees_with_the_ctc_loss(
    seed: int, num_frames: int, sharpness: int, texts: list[list[int]]
) -> None:
    log_probs = log_softmax(random_logits(seed, len(texts), num_frames, 6) * sharpness)
    lengths = np.random.default_rng(seed).integers(1, num_frames + 1, len(texts))
    expected = compute_with_torch(log_probs, lengths, texts)
    assert text_log_probabilities(log_probs, lengths, texts) == pytest.approx(expected, rel=1e-6, abs=1e-4)


def test_probabilities_below_the_smallest_double_do_not_underflow() -> None:
    log_probs = log_softmax(random_logits(1, 3, 300, 50) * 30)
    texts = [[1 + i % 49 for i in range(n)] for n in (120, 0, 299)]
    result = text_log_probabilities(log_probs, np.array([300, 300, 290]), texts)
    assert result[:2] == pytest.approx(compute_with_torch(log_probs, np.array([300, 300, 290]), texts)[:2], rel=1e-6)
    assert result.max() < -2000 and result[2] == -math.inf


def test_no_texts_and_no_frames() -> None:
    assert not len(text_log_probabilities(np.zeros((0, 4, 3), np.float32), np.zeros(0, np.int64), []))
    result = text_log_probabilities(np.zeros((2, 4, 3), np.float32), np.zeros(2, np.int64), [[], [1]])
    assert result.tolist() == [0, -math.inf]


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_probabilities_at_a_temperature(temperature: float) -> None:
    logits = random_logits(2, 3, 4, 5) * 40
    before = logits.copy()
    expected = (torch.from_numpy(logits) / temperature).log_softmax(2).numpy()
    assert log_softmax(logits, temperature) == pytest.approx(expected, abs=1e-4)
    assert (logits == before).all()


def test_the_confidence_of_a_character_is_that_of_its_most_confident_frame() -> None:
    probabilities = [[[0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05], [0.3, 0.3, 0.4]]]
    log_probs = np.log(np.array(probabilities, np.float32))
    spans = align(log_probs, np.array([4]), [[1, 2]])
    assert spans[0].tolist() == [[0, 2], [3, 4]]
    (result,) = character_log_probabilities(log_probs, spans, [[1, 2]])
    assert np.exp(result) == pytest.approx([0.7, 0.4])


def draw_uncalibrated_batch(temperature: float, num_lines: int = 3000) -> CalibrationBatch:
    """Draw one-letter lines from the softmax of logits; return them with the logits times a temperature."""
    logits = random_logits(0, num_lines, 1, 3) * 1.5
    logits[:, :, 0] = -9
    cumulative = np.exp(log_softmax(logits[:, 0])).cumsum(1)
    drawn = (np.random.default_rng(0).random((num_lines, 1)) > cumulative[:, :2]).sum(1)
    return CalibrationBatch(
        logits * np.float32(temperature), np.ones(num_lines, np.int64), [" ab"[i] for i in drawn.tolist()]
    )


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_calibration_recovers_a_known_temperature(temperature: float) -> None:
    calibrator = Calibrator([draw_uncalibrated_batch(temperature)], CHARSET)
    assert calibrator.fit_temperature() == pytest.approx(temperature, rel=0.12)
    outcomes = calibrator.evaluate(temperature)
    for confidences, correct in (
        (outcomes.characters, outcomes.correct_characters),
        (outcomes.lines, outcomes.correct_lines),
    ):
        assert confidences.mean() == pytest.approx(correct.mean(), abs=0.02)


@pytest.mark.parametrize("temperature", [0.26, 0.45, 1.3, 3.5, 4.5])
def test_the_search_finds_the_temperature_with_the_lowest_likelihood(temperature: float) -> None:
    calibrator = Calibrator([draw_uncalibrated_batch(temperature, 150)], CHARSET)
    best = min(np.geomspace(0.3, 5, 100), key=lambda value: calibrator.evaluate(float(value)).nll())
    assert calibrator.fit_temperature() == pytest.approx(float(best), rel=0.04)


def test_the_likelihood_of_outcomes_by_hand() -> None:
    characters, lines = np.array([0.8, 0.4]), np.array([0.5])
    outcomes = ConfidenceOutcomes(characters, np.array([True, False]), lines, np.array([True]))
    assert outcomes.nll() == pytest.approx((-math.log(0.8) - math.log(0.6)) / 2 - math.log(0.5))
    certain = ConfidenceOutcomes(np.array([1.0]), np.array([False]), np.zeros(0), np.zeros(0, bool))
    assert certain.nll() == pytest.approx(-math.log(1e-6)), "a certain error costs much, but not infinitely much"


def test_insertions_and_substitutions_are_incorrect() -> None:
    logits = np.full((1, 3, 3), -9.0, np.float32)
    for frame, id in enumerate((1, 2, 1)):
        logits[0, frame, id] = 9.0
    for text, correct in (("ab", [True, True, False]), ("aba", [True, True, True]), ("bba", [False, True, True])):
        outcomes = Calibrator([CalibrationBatch(logits, np.array([3]), [text])], CHARSET).evaluate(1.0)
        assert outcomes.correct_characters.tolist() == correct and outcomes.correct_lines.tolist() == [all(correct)]


def test_the_temperature_is_1_without_predicted_characters() -> None:
    blank = np.zeros((1, 3, 3), np.float32)
    blank[:, :, 0] = 9
    assert Calibrator([CalibrationBatch(blank, np.array([3]), [""])], CHARSET).fit_temperature() == 1.0
    assert Calibrator([], CHARSET).fit_temperature() == 1.0
