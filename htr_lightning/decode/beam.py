"""Prefix beam search: the most probable text, rather than the text of the most probable path.

Optionally with a character n-gram and a lexicon.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.lexicon import Lexicon
from htr_lightning.decode.prefixes import IMPOSSIBLE, BackPointers, PrefixBeams, top_k
from htr_lightning.errors import InputError
from htr_lightning.lm.ngram import Ints
from htr_lightning.lm.tables import ContextTables

Logits = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A possible text of a line.

    Attributes:
        ids: of its characters.
        score: what the search maximizes, see `BeamSearch`; natural logarithm.
    """

    ids: list[int]
    score: float


@dataclass(frozen=True, kw_only=True)
class BeamSearch:
    """CTC prefix beam search (Graves and Jaitly 2014, algorithm 1; Hannun et al. 2014), for a batch at once.

    A text W of L characters, of whose words U are not in the lexicon, has the score
    ``log P_ctc(W) + lm_weight * log P_lm(W) + insertion_bonus * L - unknown_word_cost * U``.

    Args:
        beam_width: number of prefixes kept after each frame.
        lm: character language model over the recognizer's classes; None for none.
        lm_weight: weight of the language model.
        insertion_bonus: added for each character, as a language model favors short texts.
        lexicon: words over the recognizer's classes; None for any words.
        unknown_word_cost: subtracted for each word that is not in the lexicon; None forbids such words. A beam of fewer
            than 4 prefixes cannot always forbid them: the line may end inside a word.
        max_classes: number of the most probable characters of a frame that may extend a prefix.
        min_probability: less probable characters do not extend prefixes. Not applied if unknown words are forbidden:
            then the only character that the lexicon allows can be improbable.
        blank_skip_threshold: of consecutive frames whose blank is more probable than this, only one is decoded; 1
            decodes all frames.

    Raises:
        InputError: a value is out of range; names ``decoder.<key>``.
    """

    beam_width: int = 16
    lm: ContextTables | None = None
    lm_weight: float = 0.5
    insertion_bonus: float = 0.0
    lexicon: Lexicon | None = None
    unknown_word_cost: float | None = None
    max_classes: int = 12
    min_probability: float = 1e-4
    blank_skip_threshold: float = 0.999

    def __post_init__(self) -> None:
        for key in ("beam_width", "max_classes"):
            self._check(key, getattr(self, key) >= 1, "too small", "give 1 or more")
        for key in ("min_probability", "blank_skip_threshold"):
            self._check(key, 0 <= getattr(self, key) <= 1, "not a probability", "give a number from 0 to 1")
        for key in ("lm_weight", "unknown_word_cost"):
            self._check(key, (getattr(self, key) or 0) >= 0, "negative", "give 0 or more")

    def _check(self, key: str, is_valid: bool, problem: str, remedy: str) -> None:
        if not is_valid:
            raise InputError(problem, key=f"decoder.{key}", value=getattr(self, key), remedy=remedy)

    @property
    def forbids_unknown_words(self) -> bool:
        """Whether every word must be in the lexicon."""
        return self.lexicon is not None and self.unknown_word_cost is None

    def decode(self, logits: Logits, frame_lengths: Ints) -> list[list[int]]:
        """Return the character ids of the best hypothesis of each line; see `decode_n_best`."""
        return [hypotheses[0].ids for hypotheses in self.decode_n_best(logits, frame_lengths)]

    def decode_n_best(self, logits: Logits, frame_lengths: Ints, *, n_best: int = 1) -> list[list[Hypothesis]]:
        """Return the best hypotheses of each line.

        Args:
            logits: ``(N, T, K)`` logits or log-probabilities.
            frame_lengths: ``(N,)`` number of frames of each line; later frames are padding.
            n_best: number of hypotheses for each line, at most ``beam_width``.

        Returns:
            The hypotheses of each line, best first; fewer than ``n_best`` if the beam contains fewer.
        """
        if not len(logits):
            return []
        frames = self._skip_frames(log_softmax(logits), frame_lengths)
        values, classes = self._select_characters(frames)
        with self.lm.lock if self.lm is not None else contextlib.nullcontext():
            return self._search(frames, values, classes, n_best)

    def _search(self, frames: Logits, values: Logits, classes: Ints, n_best: int) -> list[list[Hypothesis]]:
        beams = PrefixBeams(
            len(frames),
            self.beam_width,
            lm=self.lm,
            lm_weight=self.lm_weight,
            insertion_bonus=self.insertion_bonus,
            lexicon=self.lexicon,
            unknown_word_cost=self.unknown_word_cost,
        )
        pointers = [beams.step(frames[:, t], values[:, t], classes[:, t]) for t in range(frames.shape[1])]
        scores, best = top_k(beams.final_scores(), min(n_best, self.beam_width))
        return _trace_back(pointers, scores, best)

    def _skip_frames(self, log_probs: Logits, lengths: Ints) -> Logits:
        """Remove frames that change nothing: all but one of consecutive blank frames, and padding.

        Lines with fewer frames than others are padded with certain blanks.
        """
        num_lines, num_frames, num_classes = log_probs.shape
        is_blank = np.exp(log_probs[:, :, BLANK]) > self.blank_skip_threshold
        is_kept = np.arange(num_frames) < lengths[:, None]
        is_kept[:, 1:] &= ~(is_blank[:, 1:] & is_blank[:, :-1])
        new_index = is_kept.cumsum(1) - 1
        compact = np.full((num_lines, max(1, int(is_kept.sum(1).max())), num_classes), IMPOSSIBLE, np.float32)
        compact[:, :, BLANK] = 0.0
        line, frame = is_kept.nonzero()
        compact[line, new_index[line, frame]] = log_probs[line, frame]
        return compact

    def _select_characters(self, frames: Logits) -> tuple[Logits, Ints]:
        """Return the characters that may extend prefixes in each frame: log-probabilities and classes ``(N, T, C)``."""
        characters = frames.copy()
        characters[:, :, BLANK] = IMPOSSIBLE
        values, classes = top_k(characters, min(self.max_classes, frames.shape[2] - 1))
        has_minimum = self.min_probability > 0 and not self.forbids_unknown_words
        values[values < (np.log(self.min_probability) if has_minimum else IMPOSSIBLE)] = IMPOSSIBLE
        return values, classes


def _trace_back(pointers: list[BackPointers], scores: Floats, prefixes: Ints) -> list[list[Hypothesis]]:
    """Follow the back pointers of prefixes ``(N, B)`` from the last frame to the first."""
    lines = np.arange(len(scores))[:, None]
    frames: list[Ints] = []
    for parents, characters in reversed(pointers):
        frames.append(characters[lines, prefixes])
        prefixes = parents[lines, prefixes]
    ids = np.stack(frames[::-1], 2)  # (N, B, T)
    return [
        [
            Hypothesis(row[row != BLANK].tolist(), score)
            for row, score in zip(rows, row_scores, strict=True)
            if score > IMPOSSIBLE / 2
        ]
        for rows, row_scores in zip(ids, scores.tolist(), strict=True)
    ]
