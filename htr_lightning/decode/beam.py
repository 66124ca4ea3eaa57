"""Prefix beam search: the most probable text rather than the most probable path.

With a character n-gram and a lexicon, if wanted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.lexicon import ROOT, Lexicon
from htr_lightning.lm.ngram import Ints
from htr_lightning.lm.tables import ContextTables

_NEVER = -1e30  # a log-probability: finite, so that differences stay numbers
_FORBIDDEN = 1e4  # cost of an unknown word where none is wanted: more than any line can make up for
_WHOLE = 0.25  # share of the beam that is then kept for prefixes whose last word is whole
_MULTIPLIER, _ADDEND = 6364136223846793005, 1442695040888963407  # of the prefixes' hash (Knuth's MMIX)

Logits = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]
_Step = tuple[Ints, Ints]  # where the prefixes kept after a frame come from, and their new characters


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A reading of a line.

    Attributes:
        ids: of its characters.
        score: natural logarithm of what the search goes by: the recognizer's probability of the text, summed over
            paths, and the shares of language model and lexicon in it.
    """

    ids: list[int]
    score: float


@dataclass(frozen=True, kw_only=True)
class BeamSearch:
    """Prefix beam search over CTC frames (Graves and Jaitly 2014, algorithm 1; Hannun et al. 2014), a batch at once.

    A text W of L characters, U of its words unknown to the lexicon, scores
    ``log P_ctc(W) + lm_weight * log P_lm(W) + insertion_bonus * L - unknown_word_cost * U``.

    Args:
        beam_width: prefixes kept after each frame.
        lm: the language model over the recognizer's classes; None for none.
        lm_weight: how much it counts.
        insertion_bonus: for each character, against the language model's liking for short texts.
        lexicon: words over the recognizer's classes; None for none.
        unknown_word_cost: of each word that is not in the lexicon; None forbids them, in a beam of a width of 4 or
            more (a narrower one can find itself inside a word where the line ends).
        max_classes: so many of a frame's most probable classes can go on a prefix.
        min_probability: classes below are not tried, unless unknown words are forbidden: where the lexicon says what
            must follow, that can be improbable.
        blank_skip_threshold: of a row of frames that are blank with more than this, one is looked at; 1 looks at all.

    Raises:
        ValueError: a value is out of its range; names ``decoder.<key>``.
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
            if getattr(self, key) < 1:
                raise ValueError(f"decoder.{key}: {getattr(self, key)} is too small; give 1 or more")
        for key in ("min_probability", "blank_skip_threshold"):
            if not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"decoder.{key}: {getattr(self, key)} is no probability; give a number from 0 to 1")
        for key in ("lm_weight", "unknown_word_cost"):
            if (getattr(self, key) or 0) < 0:
                raise ValueError(f"decoder.{key}: {getattr(self, key)} is negative; give 0 or more")

    def decode(self, logits: Logits, frame_lengths: Ints) -> list[list[int]]:
        """Return the ids of the best reading of each line; see `decode_n_best`."""
        return [hypotheses[0].ids for hypotheses in self.decode_n_best(logits, frame_lengths)]

    @property
    def is_closed(self) -> bool:
        """Whether no word may be read that is not in the lexicon."""
        return self.lexicon is not None and self.unknown_word_cost is None

    def decode_n_best(self, logits: Logits, frame_lengths: Ints, *, n_best: int = 1) -> list[list[Hypothesis]]:
        """Read lines.

        Args:
            logits: ``(N, T, K)`` logits or log-probabilities.
            frame_lengths: ``(N,)``: the frames of each line; later ones are padding.
            n_best: how many readings of each line, at most ``beam_width``.

        Returns:
            The readings of each line, best first; fewer than ``n_best`` where the beam holds no more.
        """
        if not len(logits):
            return []
        frames = self._compact(log_softmax(logits), frame_lengths)
        beams = _Beams(len(frames), self)
        values, classes = self._likely(frames)
        steps: list[_Step] = []
        for t in range(frames.shape[1]):
            steps.append(beams.step(frames[:, t], values[:, t], classes[:, t]))
        return beams.trace_back(steps, min(n_best, self.beam_width))

    def _compact(self, log_probs: Logits, lengths: Ints) -> Logits:
        """Leave out what changes nothing: of blank frames in a row all but one, and padding, which becomes blank."""
        num_lines, num_frames, num_classes = log_probs.shape
        blank = np.exp(log_probs[:, :, BLANK]) > self.blank_skip_threshold
        kept = np.arange(num_frames) < lengths[:, None]
        kept[:, 1:] &= ~(blank[:, 1:] & blank[:, :-1])
        place = kept.cumsum(1) - 1
        compact = np.full((num_lines, max(1, int(kept.sum(1).max())), num_classes), _NEVER, np.float32)
        compact[:, :, BLANK] = 0.0
        line, frame = kept.nonzero()
        compact[line, place[line, frame]] = log_probs[line, frame]
        return compact

    def _likely(self, frames: Logits) -> tuple[Logits, Ints]:
        """Return the characters that may follow in each frame: log-probabilities and classes, ``(N, T, C)``."""
        characters = frames.copy()
        characters[:, :, BLANK] = _NEVER
        values, classes = _largest(characters, min(self.max_classes, frames.shape[2] - 1))
        least = np.log(self.min_probability) if self.min_probability > 0 and not self.is_closed else _NEVER
        values[values < least] = _NEVER
        return values, classes


def _largest(values: NDArray[Any], number: int) -> tuple[NDArray[Any], Ints]:
    """Return the largest of the last axis, in order, and their places."""
    if number == 1:
        places = values.argmax(-1, keepdims=True)
    else:
        rest = values.shape[-1] - number
        some = np.argpartition(values, rest, axis=-1)[..., rest:]
        some.sort(axis=-1)  # of equal values the first comes first
        order = np.argsort(-np.take_along_axis(values, some, -1), axis=-1, kind="stable")
        places = np.take_along_axis(some, order, -1)
    return np.take_along_axis(values, places, -1), places


class _Beams:
    """The prefixes of N lines, ``(N, B)`` each attribute; what a prefix that is not there scores is `_NEVER`."""

    def __init__(self, num_lines: int, search: BeamSearch) -> None:
        shape = (num_lines, search.beam_width)
        self.lm, self.lm_weight, self.insertion_bonus = search.lm, search.lm_weight, search.insertion_bonus
        self.lexicon, self.is_closed = search.lexicon, search.is_closed
        cost = search.unknown_word_cost
        self.unknown_word_cost = _FORBIDDEN if cost is None else min(cost, _FORBIDDEN)
        self.ends_blank = np.full(shape, _NEVER, np.float32)  # log-probability of the paths that end in a blank
        self.ends_character = np.full(shape, _NEVER, np.float32)  # and of those that end in the last character
        self.ends_blank[:, 0] = 0.0
        self.bonus: Floats = np.zeros(shape, np.float32)  # of language model, insertions and lexicon
        self.last = np.zeros(shape, np.int64)  # the last character; 0 of the empty prefix
        # In place of the hash of a prefix that is not there.
        self.none = np.broadcast_to(-2 - np.arange(search.beam_width, dtype=np.int64), shape)
        self.hash = self.none.copy()  # of the prefix
        self.hash[:, 0] = 0
        self.parent_hash = np.full(shape, -1, np.int64)  # of the prefix without its last character
        self.node = np.full(shape, 0 if self.lm is None else self.lm.start, np.int64)  # of the language model
        self.word = np.full(shape, ROOT, np.int64)  # node of the lexicon

    def step(self, frame: Logits, values: Logits, classes: Ints) -> _Step:
        """Take a frame in.

        Args:
            frame: ``(N, K)`` log-probabilities.
            values: ``(N, C)`` those of the characters that may follow.
            classes: ``(N, C)`` these characters.

        Returns:
            ``(N, B)`` for each prefix kept, the place of the prefix it comes from and its new character, or 0.
        """
        num_lines, width = self.last.shape
        either = np.logaddexp(self.ends_blank, self.ends_character)
        stays_blank = either + frame[:, BLANK, None]
        own = np.take_along_axis(frame, self.last, 1)
        stays_character = self.ends_character + own
        # A character goes on a prefix; the same one again only after a blank.
        again = classes[:, None, :] == self.last[:, :, None]
        extended = np.where(again, self.ends_blank[:, :, None], either[:, :, None]) + values[:, None, :]
        # An extended prefix may be in the beam already: its paths join those of that prefix.
        is_parent = self.hash[:, None, :] == self.parent_hash[:, :, None]  # (N, child, parent)
        has_parent, parent = is_parent.any(2), is_parent.argmax(2)
        of_last, of_blank, of_either = (np.take_along_axis(v, parent, 1) for v in (self.last, self.ends_blank, either))
        joined = np.where(of_last == self.last, of_blank, of_either) + own
        stays_character = np.logaddexp(stays_character, np.where(has_parent, joined, np.float32(_NEVER)))
        line, child, place = (again & has_parent[:, :, None]).nonzero()
        extended[line, parent[line, child], place] = _NEVER
        bonus, words = self._with_characters(classes)
        stays = np.logaddexp(stays_blank, stays_character) + self.bonus
        scores = np.concatenate((stays, (extended + bonus).reshape(num_lines, -1)), 1)
        _, chosen = _largest(self._preferred(scores, words), width)
        bonus = np.broadcast_to(bonus, extended.shape)
        kept = self._keep(chosen, classes, stays_blank, stays_character, extended, bonus, words)
        there = np.take_along_axis(scores, chosen, 1) > _NEVER / 2
        self.hash = np.where(there, self.hash, self.none)
        self.parent_hash[~there] = -1
        return kept

    def _with_characters(self, classes: Ints) -> tuple[Floats, Ints | None]:
        """Return the bonus of each prefix with each character on it, and its node of the lexicon, ``(N, B, C)``."""
        bonus = self.bonus[:, :, None]
        if self.lm is not None and self.lm_weight:
            rows = self.lm.rows(self.node)[:, :, None]
            bonus = bonus + self.lm.log_probability[rows, classes[:, None, :]] * self.lm_weight
        bonus = bonus + self.insertion_bonus
        if self.lexicon is None:
            return bonus, None
        words, unknown = self.lexicon.after(self.word, classes)
        return bonus - unknown * np.float32(self.unknown_word_cost), words

    def _preferred(self, scores: Floats, words: Ints | None) -> Floats:
        """Put the best candidates whose last word is whole before all others, where unknown words are forbidden.

        Else beginnings of words could crowd the beam, none of which comes to an end. As one prefix without an unknown
        word is always kept, that of no character being the first, every line has such a reading.
        """
        number = int(self.last.shape[1] * _WHOLE)
        if self.lexicon is None or words is None or not self.is_closed or not number:
            return scores
        nodes = np.concatenate((self.word, words.reshape(len(words), -1)), 1)
        values, places = _largest(np.where(self.lexicon.is_end[nodes], scores, _NEVER), number)
        first = np.where(values > _NEVER / 2, np.inf, np.take_along_axis(scores, places, 1))
        preferred = scores.copy()
        np.put_along_axis(preferred, places, first, 1)
        return preferred

    def _keep(
        self,
        chosen: Ints,
        classes: Ints,
        stays_blank: Logits,
        stays_character: Logits,
        extended: Logits,
        bonus: Floats,
        words: Ints | None,
    ) -> _Step:
        """Make the chosen candidates the new beam: the first B are prefixes that stay, the others new ones."""
        num_lines, width = self.last.shape
        grows = chosen >= width
        rest = (chosen - width).clip(min=0)
        source = np.where(grows, rest // classes.shape[1], chosen)
        character = np.where(grows, np.take_along_axis(classes, rest % classes.shape[1], 1), 0)

        def kept(values: NDArray[Any]) -> NDArray[Any]:
            return np.take_along_axis(values, source, 1)

        def new(values: NDArray[Any]) -> NDArray[Any]:
            return np.take_along_axis(values.reshape(num_lines, -1), rest, 1)

        if self.lm is not None:
            node = kept(self.node)
            self.node = np.where(grows, self.lm.following[self.lm.rows(node), character], node)
        if words is not None:
            self.word = np.where(grows, new(words), kept(self.word))
        self.ends_blank = np.where(grows, np.float32(_NEVER), kept(stays_blank))
        self.ends_character = np.where(grows, new(extended), kept(stays_character))
        self.bonus = np.where(grows, new(bonus), kept(self.bonus))
        old = kept(self.hash)
        self.parent_hash = np.where(grows, old, kept(self.parent_hash))
        self.hash = np.where(grows, old * _MULTIPLIER + character * _ADDEND + 1, old)  # modulo 2^64
        self.last = np.where(grows, character, kept(self.last))
        return source, character

    def trace_back(self, steps: list[_Step], n_best: int) -> list[list[Hypothesis]]:
        """Follow the best prefixes back to their first characters."""
        scores: Floats = np.logaddexp(self.ends_blank, self.ends_character) + self.bonus
        if self.lm is not None and self.lm_weight:  # the line ends here
            scores = scores + self.lm.log_probability[self.lm.rows(self.node), BLANK] * self.lm_weight
        if self.lexicon is not None:  # and so does its last word
            scores = scores - ~self.lexicon.is_end[self.word] * np.float32(self.unknown_word_cost)
        values, places = _largest(scores, n_best)
        lines = np.arange(len(scores))[:, None]
        characters: list[Ints] = []
        for source, character in reversed(steps):
            characters.append(character[lines, places])
            places = source[lines, places]
        written = np.stack(characters[::-1], 2) if characters else np.zeros((*places.shape, 0), np.int64)
        return [
            [
                Hypothesis(ids[ids != BLANK].tolist(), score)
                for ids, score in zip(of_line, of_scores, strict=True)
                if score > _NEVER / 2
            ]
            for of_line, of_scores in zip(written, values.tolist(), strict=True)
        ]
