"""The probability of a text, summed over all CTC paths that spell it: the forward algorithm, for all lines at once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK
from htr_lightning.decode.alignment import count_required_frames

Floats = NDArray[np.float64]

_LEAST = -640.0  # log-probability below which a sum may have lost what the smallest doubles cannot hold
_Sum = Callable[..., Any]


def text_log_probabilities(
    log_probs: NDArray[np.float32], frame_lengths: NDArray[np.int64], texts: Sequence[Sequence[int]]
) -> Floats:
    """Return ``(N,)`` log P(text), summed over all CTC paths that spell it (Graves et al. 2006, equation 3).

    Args:
        log_probs: ``(N, T, K)``.
        frame_lengths: ``(N,)``: the frames of each line; later ones are padding.
        texts: N texts of class ids; one that does not fit into its frames has -inf.
    """
    found = np.full(len(texts), -np.inf)
    fits = np.array([count_required_frames(text) for text in texts], np.int64) <= frame_lengths
    found[fits & (frame_lengths == 0)] = 0.0  # no frame says nothing
    rows = np.flatnonzero(fits & (frame_lengths > 0))
    # A sum of products of doubles is ten times as fast as one of logarithms. Of a text that is more probable than the
    # smallest double it loses nothing, as every part of a path is at least as probable as the whole.
    for by_logarithms in (False, True):
        if len(rows):
            lattice = _Lattice(log_probs[rows], [texts[row] for row in rows.tolist()], by_logarithms)
            found[rows] = lattice.log_probabilities(frame_lengths[rows])
            rows = rows[~(found[rows] > _LEAST)]
    return found


class _Lattice:
    """All paths that spell N texts; L is the length of the longest.

    Args:
        log_probs: ``(N, T, K)``.
        texts: N texts of class ids.
        by_logarithms: add and multiply by logarithms, instead of probabilities.
    """

    def __init__(self, log_probs: NDArray[np.float32], texts: Sequence[Sequence[int]], by_logarithms: bool) -> None:
        lines = np.arange(len(texts))
        self.lengths = np.array([len(text) for text in texts], np.int64)
        classes = np.full((len(texts), int(self.lengths.max())), BLANK, np.int64)
        for row, text in zip(classes, texts, strict=True):
            row[: len(text)] = text
        self.blanks = log_probs[:, :, BLANK].T.astype(np.float64)[:, :, None]  # (T, N, 1)
        self.characters = log_probs.transpose(1, 0, 2)[:, lines[:, None], classes].astype(np.float64)  # (T, N, L)
        self.zero, self.one = (-np.inf, 0.0) if by_logarithms else (0.0, 1.0)
        self.plus: _Sum = np.logaddexp if by_logarithms else np.add
        self.times: _Sum = np.add if by_logarithms else np.multiply
        if not by_logarithms:
            np.exp(self.blanks, out=self.blanks)
            np.exp(self.characters, out=self.characters)
        # From one character to the next without a blank between, unless they are the same.
        self.may_skip = np.full(classes.shape, self.zero)
        self.may_skip[:, 1:][classes[:, 1:] != classes[:, :-1]] = self.one
        self.shape, self.by_logarithms = classes.shape, by_logarithms

    def log_probabilities(self, frame_lengths: NDArray[np.int64]) -> Floats:
        """Return ``(N,)``, of texts that fit into their frames, which are one or more."""
        plus, times = self.plus, self.times
        num_lines, num_characters = self.shape
        blank = np.full((num_lines, num_characters + 1), self.zero)  # of the paths that end in the blank before i
        character = np.full((num_lines, num_characters + 1), self.zero)  # and in character i - 1
        blank[:, 0] = self.one
        found = np.full(num_lines, self.zero)
        ends: dict[int, list[int]] = {}
        for line, length in enumerate(frame_lengths.tolist()):
            ends.setdefault(length - 1, []).append(line)
        for t in range(int(frame_lengths.max())):
            before = character.copy()
            stays = plus(character[:, 1:], blank[:, :-1])
            moves = plus(stays, times(before[:, :-1], self.may_skip))
            character[:, 1:] = times(moves, self.characters[t])
            blank = times(plus(blank, before), self.blanks[t])
            if t in ends:
                lines = ends[t]
                last = self.lengths[lines]
                found[lines] = plus(blank[lines, last], character[lines, last])
        if self.by_logarithms:
            return found
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(found), np.float64)
