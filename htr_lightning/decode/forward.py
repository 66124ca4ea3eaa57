"""The CTC forward algorithm: the probability of a text, summed over all paths that spell it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK
from htr_lightning.decode.alignment import count_required_frames

Floats = NDArray[np.float64]

_MIN_LOG_PROBABILITY = -640.0  # below it, sums of probabilities may have underflowed
_Operation = Callable[..., Any]


def text_log_probabilities(
    log_probs: NDArray[np.float32], frame_lengths: NDArray[np.int64], texts: Sequence[Sequence[int]]
) -> Floats:
    """Return ``(N,)`` log P(text), summed over all CTC paths that spell it (Graves et al. 2006, equation 3).

    Args:
        log_probs: ``(N, T, K)``.
        frame_lengths: ``(N,)`` number of frames of each line; later frames are padding.
        texts: N texts of class ids; a text that needs more frames than its line has gets -inf.
    """
    result = np.full(len(texts), -np.inf)
    fits = np.array([count_required_frames(text) for text in texts], np.int64) <= frame_lengths
    result[fits & (frame_lengths == 0)] = 0.0  # without frames, the empty text is certain
    rows = np.flatnonzero(fits & (frame_lengths > 0))
    # Probabilities are ten times as fast as log-probabilities. They lose nothing for a text more probable than the
    # smallest double, as every part of a path is at least as probable as the whole path.
    for in_log_space in (False, True):
        if len(rows):
            lattice = _Lattice(log_probs[rows], [texts[row] for row in rows.tolist()], in_log_space)
            result[rows] = lattice.compute(frame_lengths[rows])
            rows = rows[~(result[rows] > _MIN_LOG_PROBABILITY)]
    return result


class _Lattice:
    """All CTC paths that spell N texts; L is the length of the longest text.

    Args:
        log_probs: ``(N, T, K)``.
        texts: N texts of class ids.
        in_log_space: compute with log-probabilities instead of probabilities.
    """

    def __init__(self, log_probs: NDArray[np.float32], texts: Sequence[Sequence[int]], in_log_space: bool) -> None:
        lines = np.arange(len(texts))
        self.lengths = np.array([len(text) for text in texts], np.int64)
        classes = np.full((len(texts), int(self.lengths.max())), BLANK, np.int64)
        for row, text in zip(classes, texts, strict=True):
            row[: len(text)] = text
        self.blanks = log_probs[:, :, BLANK].T.astype(np.float64)[:, :, None]  # (T, N, 1)
        self.characters = log_probs.transpose(1, 0, 2)[:, lines[:, None], classes].astype(np.float64)  # (T, N, L)
        self.zero, self.one = (-np.inf, 0.0) if in_log_space else (0.0, 1.0)
        self.plus: _Operation = np.logaddexp if in_log_space else np.add
        self.times: _Operation = np.add if in_log_space else np.multiply
        if not in_log_space:
            np.exp(self.blanks, out=self.blanks)
            np.exp(self.characters, out=self.characters)
        # A path can go from one character to the next without a blank if they differ.
        self.can_skip = np.full(classes.shape, self.zero)
        self.can_skip[:, 1:][classes[:, 1:] != classes[:, :-1]] = self.one
        self.shape, self.in_log_space = classes.shape, in_log_space

    def compute(self, frame_lengths: NDArray[np.int64]) -> Floats:
        """Return the log-probabilities ``(N,)`` of the texts; lines must have enough frames, and at least one."""
        plus, times = self.plus, self.times
        num_lines, num_characters = self.shape
        blank = np.full((num_lines, num_characters + 1), self.zero)  # paths that end in the blank before character i
        character = np.full((num_lines, num_characters + 1), self.zero)  # paths that end in character i - 1
        blank[:, 0] = self.one
        result = np.full(num_lines, self.zero)
        lines_by_end: dict[int, list[int]] = {}
        for line, length in enumerate(frame_lengths.tolist()):
            lines_by_end.setdefault(length - 1, []).append(line)
        for t in range(int(frame_lengths.max())):
            before = character.copy()
            from_neighbors = plus(character[:, 1:], blank[:, :-1])
            total = plus(from_neighbors, times(before[:, :-1], self.can_skip))
            character[:, 1:] = times(total, self.characters[t])
            blank = times(plus(blank, before), self.blanks[t])
            if t in lines_by_end:
                lines = lines_by_end[t]
                last = self.lengths[lines]
                result[lines] = plus(blank[lines, last], character[lines, last])
        if self.in_log_space:
            return result
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(result), np.float64)
