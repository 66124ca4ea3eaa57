"""Forced alignment agrees with brute force."""

import itertools

import numpy as np
import pytest
from helpers.frames import random_logits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htr_lightning.decode.alignment import align
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.greedy import greedy_decode


def find_best_path_log_probability(log_probs: NDArray[np.float32], text: list[int]) -> float:
    """Return the log-probability of the most probable of all paths that spell a text."""
    num_frames, num_classes = log_probs.shape
    best = -np.inf
    for path in itertools.product(range(num_classes), repeat=num_frames):
        spelled = [c for c, _ in itertools.groupby(path) if c]
        if spelled == text:
            best = max(best, float(log_probs[range(num_frames), list(path)].sum()))
    return best


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), text=st.lists(st.integers(1, 2), max_size=3))
def test_spans_are_those_of_the_most_probable_path(seed: int, text: list[int]) -> None:
    log_probs = log_softmax(2 * random_logits(seed, 2, 6, 3))
    length = 5
    (first, second) = align(log_probs, np.array([length, 6]), [text, [1]])
    for spans, n, line, ids in ((first, length, 0, text), (second, 6, 1, [1])):
        path = np.zeros(n, np.int64)
        for character, (start, end) in zip(ids, spans, strict=True):
            assert 0 <= start < end <= n and not path[start:end].any()
            path[start:end] = character
        assert [c for c, _ in itertools.groupby(path.tolist()) if c] == ids
        log_probability = float(log_probs[line, range(n), path.tolist()].sum())
        assert log_probability == pytest.approx(find_best_path_log_probability(log_probs[line, :n], ids), abs=1e-4)


def test_spans_of_greedy_predictions_contain_their_classes() -> None:
    log_probs = log_softmax(3 * random_logits(1, 3, 40, 12))
    lengths = np.array([40, 31, 22])
    texts = greedy_decode(log_probs, lengths)
    for line, spans in enumerate(align(log_probs, lengths, texts)):
        best = log_probs[line].argmax(1)
        for character, (start, end) in zip(texts[line], spans, strict=True):
            assert (best[start:end] == character).all()


def test_a_text_too_long_for_its_line_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1: its text needs 3 frames, but the line has 2"):
        align(np.zeros((2, 4, 3), np.float32), np.array([4, 2]), [[1], [1, 1]])


def test_no_lines() -> None:
    assert align(np.zeros((0, 4, 3), np.float32), np.zeros(0, np.int64), []) == []
