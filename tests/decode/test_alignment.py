"""Forced alignment equals what brute force finds, and names every frame once."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.decode.alignment import align
from htr_lightning.decode.greedy import greedy_decode


def best_path(log_probs: torch.Tensor, text: list[int]) -> float:
    """The log-probability of the best of all paths that spell a text."""
    num_frames, num_classes = log_probs.shape
    best = -np.inf
    for path in itertools.product(range(num_classes), repeat=num_frames):
        spelt = [c for c, _ in itertools.groupby(path) if c]
        if spelt == text:
            best = max(best, float(log_probs[range(num_frames), list(path)].sum()))
    return best


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), text=st.lists(st.integers(1, 2), max_size=3))
def test_spans_lie_on_the_best_path(seed: int, text: list[int]) -> None:
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(2, 6, 3, generator=generator).mul(2).log_softmax(2)
    length = 5
    (first, second) = align(log_probs, torch.tensor([length, 6]), [text, [1]])
    for spans, n, line, words in ((first, length, 0, text), (second, 6, 1, [1])):
        path = np.zeros(n, np.int64)
        for character, (start, end) in zip(words, spans, strict=True):
            assert 0 <= start < end <= n and not path[start:end].any()
            path[start:end] = character
        assert [c for c, _ in itertools.groupby(path.tolist()) if c] == words
        score = float(log_probs[line, range(n), path.tolist()].sum())
        assert score == pytest.approx(best_path(log_probs[line, :n], words), abs=1e-4)


def test_greedy_texts_keep_their_frames() -> None:
    log_probs = torch.randn(3, 40, 12, generator=torch.Generator().manual_seed(1)).mul(3).log_softmax(2)
    lengths = torch.tensor([40, 31, 22])
    texts = greedy_decode(log_probs, lengths)
    for line, spans in enumerate(align(log_probs, lengths, texts)):
        best = log_probs[line].argmax(1)
        for character, (start, end) in zip(texts[line], spans, strict=True):
            assert (best[start:end] == character).all()


def test_a_text_too_long_for_its_line_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1: its text needs 3 frames, but there are 2"):
        align(torch.zeros(2, 4, 3), torch.tensor([4, 2]), [[1], [1, 1]])


def test_no_lines() -> None:
    assert align(torch.zeros(0, 4, 3), torch.zeros(0, dtype=torch.int64), []) == []
