import itertools

import numpy as np
import pytest
from helpers.frames import random_logits

from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.greedy import greedy_decode


def build_logits(path, num_classes):
    """Logits (T, K) whose best path is the given one."""
    return np.eye(num_classes, dtype=np.float32)[list(path)]


def decode_naively(path):
    return [key for key, _ in itertools.groupby(path) if key != 0]


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ([0, 0, 0], []),
        ([1, 1, 1], [1]),
        ([1, 0, 1], [1, 1]),
        ([0, 1, 1, 0, 0, 1, 2, 2], [1, 1, 2]),
        ([2, 1, 2, 1], [2, 1, 2, 1]),
    ],
)
def test_repetitions_are_collapsed_before_blanks_are_removed(path, ids):
    assert greedy_decode(build_logits(path, 3)[None], np.array([len(path)])) == [ids]


def test_every_path_of_a_batch_agrees_with_the_naive_version():
    paths = list(itertools.product(range(3), repeat=5))
    logits = np.stack([build_logits(path, 3) for path in paths])
    assert greedy_decode(logits, np.full(len(paths), 5)) == [decode_naively(path) for path in paths]


def test_padding_frames_are_ignored():
    path = [1, 2, 2, 3, 1]
    logits = np.repeat(build_logits(path, 4)[None], 6, 0)
    lengths = np.arange(6)
    assert greedy_decode(logits, lengths) == [decode_naively(path[:n]) for n in range(6)]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_logits_and_log_probabilities_of_any_precision_give_the_same_text(dtype):
    logits = (4 * random_logits(1, 3, 20, 7)).astype(dtype)
    lengths = np.array([20, 5, 0])
    assert greedy_decode(logits, lengths) == greedy_decode(log_softmax(logits.astype(np.float32)), lengths)


@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3)])
def test_no_lines_and_no_frames(shape):
    assert greedy_decode(np.zeros(shape), np.zeros(shape[0], np.int64)) == [[]] * shape[0]


def test_the_logits_are_not_modified():
    logits = build_logits([1, 0, 2], 3)[None]
    before = logits.copy()
    assert greedy_decode(logits, np.array([3])) == [[1, 2]]
    assert (logits == before).all()
    assert isinstance(greedy_decode(logits, np.array([3]))[0][0], int)
