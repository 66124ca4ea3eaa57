"""Prefix beam search: the most probable text rather than the most probable path.

With a character n-gram and a lexicon, if wanted.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from htr_lightning.charset import BLANK
from htr_lightning.decode.lexicon import ROOT, Lexicon
from htr_lightning.lm.ngram import Ints
from htr_lightning.lm.tables import ContextTables

_NEVER = -1e30  # a log-probability: finite, so that differences stay numbers
_FORBIDDEN = 1e4  # cost of an unknown word where none is wanted: more than any line can make up for
_WHOLE = 0.25  # share of the beam that is then kept for prefixes whose last word is whole
_MULTIPLIER, _ADDEND = 6364136223846793005, 1442695040888963407  # of the prefixes' hash (Knuth's MMIX)

_Step = tuple[Ints, Ints]  # where the prefixes kept after a frame come from, and their new characters


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A reading of a line.

    Attributes:
        ids: of its characters.
        score: natural logarithm of what the search goes by: the recogniser's probability of the text, summed over
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
        width: prefixes kept after each frame.
        lm: the language model over the recogniser's classes; None for none.
        lm_weight: how much it counts.
        insertion_bonus: for each character, against the language model's liking for short texts.
        lexicon: words over the recogniser's classes; None for none.
        unknown_word_cost: of each word that is not in the lexicon; None forbids them, in a beam of a width of 4 or
            more (a narrower one can find itself inside a word where the line ends).
        max_classes: so many of a frame's most probable classes can go on a prefix.
        min_probability: classes below are not tried, unless unknown words are forbidden: where the lexicon says what
            must follow, that can be improbable.
        blank_probability: of a row of frames that are blank with more than this, one is looked at; 1 looks at all.

    Raises:
        ValueError: a value is out of its range; names ``decoder.<key>``.
    """

    width: int = 16
    lm: ContextTables | None = None
    lm_weight: float = 0.5
    insertion_bonus: float = 0.0
    lexicon: Lexicon | None = None
    unknown_word_cost: float | None = None
    max_classes: int = 12
    min_probability: float = 1e-4
    blank_probability: float = 0.999

    def __post_init__(self) -> None:
        for key in ("width", "max_classes"):
            if getattr(self, key) < 1:
                raise ValueError(f"decoder.{key}: {getattr(self, key)} is too small; give 1 or more")
        for key in ("min_probability", "blank_probability"):
            if not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"decoder.{key}: {getattr(self, key)} is no probability; give a number from 0 to 1")
        for key in ("lm_weight", "unknown_word_cost"):
            if (getattr(self, key) or 0) < 0:
                raise ValueError(f"decoder.{key}: {getattr(self, key)} is negative; give 0 or more")

    def best(self, scores: Tensor, frame_lengths: Tensor) -> list[list[int]]:
        """Return the ids of the best reading of each line; see `readings`."""
        return [hypotheses[0].ids for hypotheses in self.readings(scores, frame_lengths)]

    @property
    def is_closed(self) -> bool:
        """Whether no word may be read that is not in the lexicon."""
        return self.lexicon is not None and self.unknown_word_cost is None

    @torch.no_grad()
    def readings(self, scores: Tensor, frame_lengths: Tensor, *, num_best: int = 1) -> list[list[Hypothesis]]:
        """Read lines.

        Args:
            scores: ``(N, T, K)`` logits or log-probabilities, on any device; the search runs on the CPU.
            frame_lengths: ``(N,)`` int64: the frames of each line; later ones are padding.
            num_best: how many readings of each line, at most ``width``.

        Returns:
            The readings of each line, best first; fewer than ``num_best`` where the beam holds no more.
        """
        if not len(scores):
            return []
        frames = self._compact(scores.float().log_softmax(2).cpu(), frame_lengths.cpu())
        beams = _Beams(len(frames), self)
        values, classes = self._likely(frames)
        steps: list[_Step] = []
        for t in range(frames.shape[1]):
            steps.append(beams.step(frames[:, t], values[:, t], classes[:, t]))
        return beams.readings(steps, min(num_best, self.width))

    def _compact(self, log_probs: Tensor, lengths: Tensor) -> Tensor:
        """Leave out what changes nothing: of blank frames in a row all but one, and padding, which becomes blank."""
        num_lines, num_frames, _ = log_probs.shape
        inside = torch.arange(num_frames) < lengths[:, None]
        blank = log_probs[:, :, BLANK].exp() > self.blank_probability
        repeated = torch.zeros_like(blank)
        repeated[:, 1:] = blank[:, 1:] & blank[:, :-1]
        kept = inside & ~repeated
        counts = kept.sum(1)
        place = kept.cumsum(1) - 1
        compact = torch.full((num_lines, max(1, int(counts.max())), log_probs.shape[2]), _NEVER)
        compact[:, :, BLANK] = 0.0
        line, frame = kept.nonzero(as_tuple=True)
        compact[line, place[line, frame]] = log_probs[line, frame]
        return compact

    def _likely(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the characters that may follow in each frame: log-probabilities and classes, ``(N, T, C)``."""
        characters = frames.clone()
        characters[:, :, BLANK] = _NEVER
        values, classes = characters.topk(min(self.max_classes, frames.shape[2] - 1), dim=2)
        least = np.log(self.min_probability) if self.min_probability > 0 and not self.is_closed else _NEVER
        return values.masked_fill(values < least, _NEVER), classes


class _Beams:
    """The prefixes of N lines, ``(N, B)`` each attribute; what a prefix that is not there scores is `_NEVER`."""

    def __init__(self, num_lines: int, search: BeamSearch) -> None:
        shape = (num_lines, search.width)
        self.lm, self.lm_weight, self.insertion_bonus = search.lm, search.lm_weight, search.insertion_bonus
        self.lexicon, self.is_closed = search.lexicon, search.is_closed
        cost = search.unknown_word_cost
        self.unknown_word_cost = _FORBIDDEN if cost is None else min(cost, _FORBIDDEN)
        self.ends_blank = torch.full(shape, _NEVER)  # log-probability of the paths that end in a blank
        self.ends_character = torch.full(shape, _NEVER)  # and of those that end in the last character
        self.ends_blank[:, 0] = 0.0
        self.bonus = torch.zeros(shape)  # of language model, insertions and lexicon
        self.last = torch.zeros(shape, dtype=torch.int64)  # the last character; 0 of the empty prefix
        self.none = -2 - torch.arange(search.width).expand(shape)  # in place of the hash of a prefix that is not there
        self.hash = self.none.clone()  # of the prefix
        self.hash[:, 0] = 0
        self.parent_hash = torch.full(shape, -1, dtype=torch.int64)  # of the prefix without its last character
        self.node = np.full(shape, 0 if self.lm is None else self.lm.start, np.int64)  # of the language model
        self.word = np.full(shape, ROOT, np.int64)  # node of the lexicon

    def step(self, frame: Tensor, values: Tensor, classes: Tensor) -> _Step:
        """Take a frame in.

        Args:
            frame: ``(N, K)`` log-probabilities.
            values: ``(N, C)`` those of the characters that may follow.
            classes: ``(N, C)`` these characters.

        Returns:
            ``(N, B)`` for each prefix kept, the place of the prefix it comes from and its new character, or 0.
        """
        num_lines, width = self.last.shape
        num_classes = classes.shape[1]
        either = torch.logaddexp(self.ends_blank, self.ends_character)
        stays_blank = either + frame[:, BLANK, None]
        own = frame.gather(1, self.last)
        stays_character = self.ends_character + own
        # A character goes on a prefix; the same one again only after a blank.
        again = classes[:, None, :] == self.last[:, :, None]
        extended = torch.where(again, self.ends_blank[:, :, None], either[:, :, None]) + values[:, None, :]
        # An extended prefix may be in the beam already: its paths join those of that prefix.
        is_parent = self.hash[:, None, :] == self.parent_hash[:, :, None]  # (N, child, parent)
        has_parent, parent = is_parent.any(2), is_parent.to(torch.uint8).argmax(2)
        repeats = self.last.gather(1, parent) == self.last
        before = torch.where(repeats, self.ends_blank.gather(1, parent), either.gather(1, parent))
        joined = torch.where(has_parent, before + own, torch.full_like(own, _NEVER))
        stays_character = torch.logaddexp(stays_character, joined)
        line, child, place = ((classes[:, None, :] == self.last[:, :, None]) & has_parent[:, :, None]).nonzero(
            as_tuple=True
        )
        extended[line, parent[line, child], place] = _NEVER
        bonus, words = self._with_characters(classes)
        bonus = bonus.expand_as(extended)
        scores = torch.cat(
            (
                torch.logaddexp(stays_blank, stays_character) + self.bonus,
                (extended + bonus).reshape(num_lines, width * num_classes),
            ),
            1,
        )
        chosen = self._preferred(scores, words).topk(width, dim=1).indices
        best = scores.gather(1, chosen)
        kept = self._keep(chosen, classes, stays_blank, stays_character, extended, bonus, words)
        there = best > _NEVER / 2
        self.hash = torch.where(there, self.hash, self.none)
        self.parent_hash = self.parent_hash.masked_fill(~there, -1)
        return kept

    def _with_characters(self, classes: Tensor) -> tuple[Tensor, Ints | None]:
        """Return the bonus of each prefix with each character on it, and its node of the lexicon, ``(N, B, C)``."""
        bonus = self.bonus[:, :, None]
        if self.lm is not None and self.lm_weight:
            rows = self.lm.rows(self.node)[:, :, None]
            of_lm = self.lm.log_probability[rows, classes.numpy()[:, None, :]]
            bonus = bonus + torch.from_numpy(of_lm) * self.lm_weight
        bonus = bonus + self.insertion_bonus
        if self.lexicon is None:
            return bonus, None
        words, unknown = self.lexicon.after(self.word, classes.numpy())
        return bonus - torch.from_numpy(unknown) * self.unknown_word_cost, words

    def _preferred(self, scores: Tensor, words: Ints | None) -> Tensor:
        """Put the best candidates whose last word is whole before all others, where unknown words are forbidden.

        Else beginnings of words could crowd the beam, none of which comes to an end. As one prefix without an unknown
        word is always kept, that of no character being the first, every line has such a reading.
        """
        if self.lexicon is None or words is None or not self.is_closed:
            return scores
        nodes = np.concatenate((self.word, words.reshape(len(words), -1)), 1)
        whole = scores.masked_fill(torch.from_numpy(~self.lexicon.is_end[nodes]), _NEVER)
        best = whole.topk(int(self.last.shape[1] * _WHOLE), dim=1)
        there = best.values > _NEVER / 2
        return scores.scatter(1, best.indices, torch.where(there, torch.inf, scores.gather(1, best.indices)))

    def _keep(
        self,
        chosen: Tensor,
        classes: Tensor,
        stays_blank: Tensor,
        stays_character: Tensor,
        extended: Tensor,
        bonus: Tensor,
        words: Ints | None,
    ) -> _Step:
        """Make the chosen candidates the new beam: the first B are prefixes that stay, the others new ones."""
        num_lines, width = self.last.shape
        grows = chosen >= width
        rest = (chosen - width).clamp(min=0)
        source = torch.where(grows, rest // classes.shape[1], chosen.clamp(max=width - 1))
        character = torch.where(grows, classes.gather(1, rest % classes.shape[1]), torch.zeros_like(chosen))
        if self.lm is not None:
            rows = self.lm.rows(np.take_along_axis(self.node, source.numpy(), 1))
            after = self.lm.following[rows, character.numpy()]
            self.node = np.where(grows.numpy(), after, np.take_along_axis(self.node, source.numpy(), 1))
        if words is not None:
            after = np.take_along_axis(words.reshape(num_lines, -1), rest.numpy(), 1)
            self.word = np.where(grows.numpy(), after, np.take_along_axis(self.word, source.numpy(), 1))
        flat = extended.reshape(num_lines, -1).gather(1, rest)
        self.ends_blank = stays_blank.gather(1, source).masked_fill(grows, _NEVER)
        self.ends_character = torch.where(grows, flat, stays_character.gather(1, source))
        kept_bonus = self.bonus.gather(1, source)
        self.bonus = torch.where(grows, bonus.reshape(num_lines, -1).gather(1, rest), kept_bonus)
        old = self.hash.gather(1, source)
        self.parent_hash = torch.where(grows, old, self.parent_hash.gather(1, source))
        self.hash = torch.where(grows, old * _MULTIPLIER + character * _ADDEND + 1, old)
        self.last = torch.where(grows, character, self.last.gather(1, source))
        return source.numpy(), character.numpy()

    def readings(self, steps: list[_Step], num_best: int) -> list[list[Hypothesis]]:
        """Follow the best prefixes back to their first characters."""
        scores = torch.logaddexp(self.ends_blank, self.ends_character) + self.bonus
        if self.lm is not None and self.lm_weight:  # the line ends here
            scores += torch.from_numpy(self.lm.log_probability[self.lm.rows(self.node), BLANK]) * self.lm_weight
        if self.lexicon is not None:  # and so does its last word
            scores -= torch.from_numpy(~self.lexicon.is_end[self.word]) * self.unknown_word_cost
        best = scores.topk(num_best, dim=1)
        places, lines = best.indices.numpy(), np.arange(len(scores))[:, None]
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
            for of_line, of_scores in zip(written, best.values.tolist(), strict=True)
        ]
