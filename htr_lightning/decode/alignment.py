"""Forced alignment: the frames of each character of a known text, along the most probable CTC path."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK

_IMPOSSIBLE = -1e30


def count_required_frames(text: Sequence[int]) -> int:
    """Return the number of frames that CTC needs for a text: one a character, and a blank between equal neighbors."""
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))


def align(
    log_probs: NDArray[np.float32], frame_lengths: NDArray[np.int64], texts: Sequence[Sequence[int]]
) -> list[NDArray[np.int64]]:
    """Align each text with its frames along the most probable CTC path.

    The Viterbi algorithm on the CTC lattice (Graves et al. 2006, section 4.1, with the maximum instead of the sum),
    for all lines at once: state 2i + 1 is character i, even states are the blanks around it.

    Args:
        log_probs: ``(N, T, K)``.
        frame_lengths: ``(N,)`` number of frames of each line; later frames are padding.
        texts: N texts of class ids, without blanks.

    Returns:
        For each line ``(L, 2)`` int64: the first frame of each character, and the frame after its last. Blank frames
        belong to no character.

    Raises:
        ValueError: a text needs more frames than its line has.
    """
    for number, (text, length) in enumerate(zip(texts, frame_lengths, strict=True)):
        needed = count_required_frames(text)
        if needed > length:
            raise ValueError(f"line {number}: its text needs {needed} frames, but the line has {length}")
    if not len(texts):
        return []
    states = _build_states(texts)
    steps, best = _search(log_probs, frame_lengths, states)
    return [_trace_back(steps[:n, line], best[line], len(texts[line])) for line, n in enumerate(frame_lengths)]


def _build_states(texts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return the class of each state ``(N, S)``: blanks around the characters, and as padding after shorter texts."""
    states = np.full((len(texts), 2 * max(map(len, texts)) + 1), BLANK, np.int64)
    for line, text in enumerate(texts):
        states[line, 1 : 2 * len(text) : 2] = text
    return states


def _search(
    values: NDArray[np.float32], lengths: NDArray[np.int64], states: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Find the most probable path to each state in each frame.

    Returns:
        ``(T, N, S)``: the number of states that the path advanced by, 0 to 2; ``(N, S)``: the log-probabilities in the
        last frame of each line.
    """
    num_lines, num_frames, _ = values.shape
    emissions = np.ascontiguousarray(values.transpose(1, 0, 2)[:, np.arange(num_lines)[:, None], states])  # (T, N, S)
    skip = np.full(states.shape, _IMPOSSIBLE, np.float32)  # added to paths that leave out a blank
    skip[:, 2:][(states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])] = 0  # between different characters
    steps = np.zeros((num_frames, *states.shape), np.uint8)
    best = np.full(states.shape, _IMPOSSIBLE, np.float32)
    best[:, :2] = emissions[0, :, :2]
    result, last_frames = best.copy(), set(lengths.tolist())
    for t in range(1, num_frames):
        one, two = best[:, :-1], best[:, :-2] + skip[:, 2:]
        advanced = best.copy()
        steps[t, :, 1:] = one > best[:, 1:]
        np.maximum(best[:, 1:], one, out=advanced[:, 1:])
        steps[t, :, 2:][two > advanced[:, 2:]] = 2
        np.maximum(advanced[:, 2:], two, out=advanced[:, 2:])
        best = np.add(advanced, emissions[t], out=advanced)
        if t + 1 in last_frames:
            result[lengths == t + 1] = best[lengths == t + 1]
    return steps, result


def _trace_back(steps: NDArray[np.uint8], best: NDArray[np.float32], length: int) -> NDArray[np.int64]:
    """Follow the best path of a line back from its last frame; return the spans of its characters."""
    state = 2 * length if not length or best[2 * length] >= best[2 * length - 1] else 2 * length - 1
    path = np.empty(len(steps), np.int64)
    for t in range(len(steps) - 1, -1, -1):
        path[t] = state
        state -= int(steps[t, state])
    characters = 2 * np.arange(length) + 1
    return np.stack([np.searchsorted(path, characters), np.searchsorted(path, characters, "right")], 1)
