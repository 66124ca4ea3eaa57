"""Forced alignment: which frames of a line each character of a known text takes, along the most probable CTC path."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK

_NEVER = -1e30


def count_required_frames(text: Sequence[int]) -> int:
    """Return how many frames CTC needs for a text of class ids: one a character, and one between equal neighbors."""
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))


def align(
    log_probs: NDArray[np.float32], frame_lengths: NDArray[np.int64], texts: Sequence[Sequence[int]]
) -> list[NDArray[np.int64]]:
    """Find the frames of each character on the most probable path that spells a text.

    Viterbi's algorithm on the CTC lattice (Graves et al. 2006, section 4.1, with the maximum in the place of the sum),
    over all lines at once: state 2i + 1 is character i, the even ones are the blanks around.

    Args:
        log_probs: ``(N, T, K)``.
        frame_lengths: ``(N,)``: the frames of each line; later ones are padding.
        texts: N texts of class ids, without blanks.

    Returns:
        For each line ``(L, 2)`` int64: the first frame of each character, and the one past its last. Blanks between
        characters belong to none.

    Raises:
        ValueError: a text needs more frames than its line has.
    """
    for number, (text, length) in enumerate(zip(texts, frame_lengths, strict=True)):
        needed = count_required_frames(text)
        if needed > length:
            raise ValueError(f"line {number}: its text needs {needed} frames, but there are {length}")
    if not len(texts):
        return []
    states = _states(texts)
    came_from, best = _search(log_probs, frame_lengths, states)
    return [_spans(came_from[:n, line], best[line], len(texts[line])) for line, n in enumerate(frame_lengths)]


def _states(texts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return the class of each state ``(N, S)``: blanks around the characters, and blanks behind shorter texts."""
    states = np.full((len(texts), 2 * max(map(len, texts)) + 1), BLANK, np.int64)
    for line, text in enumerate(texts):
        states[line, 1 : 2 * len(text) : 2] = text
    return states


def _search(
    values: NDArray[np.float32], lengths: NDArray[np.int64], states: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Find the best path to each state in each frame.

    Returns:
        ``(T, N, S)``: how many states back the path came from, 0 to 2; ``(N, S)``: log-probabilities in the last frame.
    """
    num_lines, num_frames, _ = values.shape
    skips = np.zeros(states.shape, bool)  # a blank between two characters may be left out, unless they are the same
    skips[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    came_from = np.zeros((num_frames, *states.shape), np.uint8)
    lines = np.arange(num_lines)[:, None]
    best = np.full(states.shape, _NEVER, np.float32)
    best[:, :2] = values[:, 0][lines, states[:, :2]]
    candidates = np.full((3, *states.shape), _NEVER, np.float32)
    for t in range(1, num_frames):
        candidates[0] = best
        candidates[1, :, 1:] = best[:, :-1]
        candidates[2, :, 2:] = np.where(skips[:, 2:], best[:, :-2], _NEVER)
        came_from[t] = candidates.argmax(0)
        inside = (t < lengths)[:, None]
        best = np.where(inside, candidates.max(0) + values[:, t][lines, states], best)
    return came_from, best


def _spans(came_from: NDArray[np.uint8], best: NDArray[np.float32], length: int) -> NDArray[np.int64]:
    """Follow a line's best path back from its last frame; of a character's frames, return first and past the last."""
    state = 2 * length if not length or best[2 * length] >= best[2 * length - 1] else 2 * length - 1
    path = np.empty(len(came_from), np.int64)
    for t in range(len(came_from) - 1, -1, -1):
        path[t] = state
        state -= int(came_from[t, state])
    characters = 2 * np.arange(length) + 1
    return np.stack([np.searchsorted(path, characters), np.searchsorted(path, characters, "right")], 1)
