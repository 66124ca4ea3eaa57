"""The prefixes of a prefix beam search, and how they grow from frame to frame."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK
from htr_lightning.decode.lexicon import ROOT, Lexicon
from htr_lightning.lm.ngram import Ints
from htr_lightning.lm.tables import ContextTables

Logits = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]

IMPOSSIBLE = -1e30
"""Log-probability of what cannot occur; finite, so that differences of it are numbers."""
_FORBIDDEN_COST = 1e4  # cost of an unknown word where none is allowed: more than the rest of a line can outweigh
_COMPLETE_FRACTION = 0.25  # fraction of the beam that is then reserved for prefixes whose last word is complete
_MULTIPLIER, _INCREMENT = 6364136223846793005, 1442695040888963407  # for the hash of a prefix (Knuth's MMIX)


class BackPointers(NamedTuple):
    """Where the prefixes after a frame come from, each ``(N, B)``.

    Attributes:
        parents: index of the prefix before the frame.
        characters: class of the character that was appended; 0 for none.
    """

    parents: Ints
    characters: Ints


def top_k(values: NDArray[Any], k: int) -> tuple[NDArray[Any], Ints]:
    """Return the k largest values along the last axis, in descending order, and their indices.

    Of equal values, the one with the lower index comes first.
    """
    if k == 1:
        indices = values.argmax(-1, keepdims=True)
    else:
        num_others = values.shape[-1] - k
        candidates = np.argpartition(values, num_others, axis=-1)[..., num_others:]
        candidates.sort(axis=-1)
        order = np.argsort(-np.take_along_axis(values, candidates, -1), axis=-1, kind="stable")
        indices = np.take_along_axis(candidates, order, -1)
    return np.take_along_axis(values, indices, -1), indices


class PrefixBeams:
    """The beams of N lines, of B prefixes each. Empty slots have the log-probability `IMPOSSIBLE`.

    Args:
        num_lines: N.
        beam_width: B.
        lm: see `htr_lightning.decode.beam.BeamSearch`, as the others.
        lm_weight: weight of the language model.
        insertion_bonus: added for each character.
        lexicon: words over the recognizer's classes.
        unknown_word_cost: subtracted for each unknown word; None forbids them.
    """

    def __init__(
        self,
        num_lines: int,
        beam_width: int,
        *,
        lm: ContextTables | None,
        lm_weight: float,
        insertion_bonus: float,
        lexicon: Lexicon | None,
        unknown_word_cost: float | None,
    ) -> None:
        self.lm, self.lm_weight, self.insertion_bonus, self.lexicon = lm, lm_weight, insertion_bonus, lexicon
        self.forbids_unknown_words = lexicon is not None and unknown_word_cost is None
        self.unknown_word_cost = (
            _FORBIDDEN_COST if unknown_word_cost is None else min(unknown_word_cost, _FORBIDDEN_COST)
        )
        shape = (num_lines, beam_width)
        # Log-probabilities of the paths of each prefix that end in a blank, and that end in its last character.
        self.ends_in_blank = np.full(shape, IMPOSSIBLE, np.float32)
        self.ends_in_character = np.full(shape, IMPOSSIBLE, np.float32)
        self.ends_in_blank[:, 0] = 0.0
        self.bonus: Floats = np.zeros(shape, np.float32)  # of language model, insertions and lexicon
        self.last = np.zeros(shape, np.int64)  # last character; 0 for the empty prefix
        self.empty_hash = np.broadcast_to(-2 - np.arange(beam_width, dtype=np.int64), shape)  # hash of an empty slot
        self.hash = self.empty_hash.copy()  # of the prefix
        self.hash[:, 0] = 0
        self.parent_hash = np.full(shape, -1, np.int64)  # of the prefix without its last character
        self.lm_node = np.full(shape, 0 if lm is None else lm.start, np.int64)
        self.word_node = np.full(shape, ROOT, np.int64)  # of the lexicon

    def step(self, frame: Logits, values: Logits, classes: Ints) -> BackPointers:
        """Extend the prefixes by a frame, and keep the best ones.

        Args:
            frame: ``(N, K)`` log-probabilities.
            values: ``(N, C)`` log-probabilities of the characters that may extend a prefix.
            classes: ``(N, C)`` classes of these characters.
        """
        num_lines, beam_width = self.last.shape
        either = np.logaddexp(self.ends_in_blank, self.ends_in_character)
        unchanged_blank = either + frame[:, BLANK, None]
        unchanged_character, extended = self._extend(frame, values, classes, either)
        bonus, word_nodes = self._compute_bonus(classes)
        unchanged = np.logaddexp(unchanged_blank, unchanged_character) + self.bonus
        scores = np.concatenate((unchanged, (extended + bonus).reshape(num_lines, -1)), 1)
        _, chosen = top_k(self._prefer_complete_words(scores, word_nodes), beam_width)
        bonus = np.broadcast_to(bonus, extended.shape)
        pointers = self._select(chosen, classes, unchanged_blank, unchanged_character, extended, bonus, word_nodes)
        is_filled = np.take_along_axis(scores, chosen, 1) > IMPOSSIBLE / 2
        self.hash = np.where(is_filled, self.hash, self.empty_hash)
        self.parent_hash[~is_filled] = -1
        return pointers

    def _extend(self, frame: Logits, values: Logits, classes: Ints, either: Logits) -> tuple[Logits, Logits]:
        """Compute the log-probabilities of the paths that end in a character.

        Returns:
            ``(N, B)``: of the unchanged prefixes; ``(N, B, C)``: of the prefixes with each character appended.
        """
        last_log_probs = np.take_along_axis(frame, self.last, 1)
        unchanged = self.ends_in_character + last_log_probs
        # A character can follow itself only after a blank.
        is_last = classes[:, None, :] == self.last[:, :, None]
        extended = np.where(is_last, self.ends_in_blank[:, :, None], either[:, :, None]) + values[:, None, :]
        # An extended prefix can be in the beam already: its paths are then added to those of that prefix.
        is_parent = self.hash[:, None, :] == self.parent_hash[:, :, None]  # (N, child, parent)
        has_parent, parent = is_parent.any(2), is_parent.argmax(2)
        parent_last, parent_blank, parent_either = (
            np.take_along_axis(v, parent, 1) for v in (self.last, self.ends_in_blank, either)
        )
        from_parent = np.where(parent_last == self.last, parent_blank, parent_either) + last_log_probs
        unchanged = np.logaddexp(unchanged, np.where(has_parent, from_parent, np.float32(IMPOSSIBLE)))
        line, child, column = (is_last & has_parent[:, :, None]).nonzero()
        extended[line, parent[line, child], column] = IMPOSSIBLE
        return unchanged, extended

    def _compute_bonus(self, classes: Ints) -> tuple[Floats, Ints | None]:
        """Return the bonus, and the node of the lexicon, of each prefix with each character appended: ``(N, B, C)``."""
        bonus = self.bonus[:, :, None]
        if self.lm is not None and self.lm_weight:
            rows = self.lm.find_rows(self.lm_node)[:, :, None]
            bonus = bonus + self.lm.log_probability[rows, classes[:, None, :]] * self.lm_weight
        bonus = bonus + self.insertion_bonus
        if self.lexicon is None:
            return bonus, None
        word_nodes, is_unknown = self.lexicon.advance(self.word_node, classes)
        return bonus - is_unknown * np.float32(self.unknown_word_cost), word_nodes

    def _prefer_complete_words(self, scores: Floats, word_nodes: Ints | None) -> Floats:
        """If unknown words are forbidden, rank the best candidates whose last word is complete before all others.

        Otherwise beginnings of words that nothing completes could fill the beam. As one prefix without an unknown word
        is always kept (the empty prefix is the first), every line has such a hypothesis.
        """
        num_preferred = int(self.last.shape[1] * _COMPLETE_FRACTION)
        if self.lexicon is None or word_nodes is None or not self.forbids_unknown_words or not num_preferred:
            return scores
        nodes = np.concatenate((self.word_node, word_nodes.reshape(len(word_nodes), -1)), 1)
        values, indices = top_k(np.where(self.lexicon.is_final[nodes], scores, IMPOSSIBLE), num_preferred)
        raised = np.where(values > IMPOSSIBLE / 2, np.inf, np.take_along_axis(scores, indices, 1))
        preferred = scores.copy()
        np.put_along_axis(preferred, indices, raised, 1)
        return preferred

    def _select(
        self,
        chosen: Ints,
        classes: Ints,
        unchanged_blank: Logits,
        unchanged_character: Logits,
        extended: Logits,
        bonus: Floats,
        word_nodes: Ints | None,
    ) -> BackPointers:
        """Make the chosen candidates the new beam: the first B are unchanged prefixes, the others extended ones."""
        num_lines, beam_width = self.last.shape
        is_extended = chosen >= beam_width
        flat = (chosen - beam_width).clip(min=0)  # index into the extended prefixes
        parents = np.where(is_extended, flat // classes.shape[1], chosen)
        characters = np.where(is_extended, np.take_along_axis(classes, flat % classes.shape[1], 1), 0)

        def take_old(values: NDArray[Any]) -> NDArray[Any]:
            return np.take_along_axis(values, parents, 1)

        def take_extended(values: NDArray[Any]) -> NDArray[Any]:
            return np.take_along_axis(values.reshape(num_lines, -1), flat, 1)

        if self.lm is not None:
            node = take_old(self.lm_node)
            self.lm_node = np.where(is_extended, self.lm.next_node[self.lm.find_rows(node), characters], node)
        if word_nodes is not None:
            self.word_node = np.where(is_extended, take_extended(word_nodes), take_old(self.word_node))
        self.ends_in_blank = np.where(is_extended, np.float32(IMPOSSIBLE), take_old(unchanged_blank))
        self.ends_in_character = np.where(is_extended, take_extended(extended), take_old(unchanged_character))
        self.bonus = np.where(is_extended, take_extended(bonus), take_old(self.bonus))
        old_hash = take_old(self.hash)
        self.parent_hash = np.where(is_extended, old_hash, take_old(self.parent_hash))
        self.hash = np.where(is_extended, old_hash * _MULTIPLIER + characters * _INCREMENT + 1, old_hash)  # modulo 2^64
        self.last = np.where(is_extended, characters, take_old(self.last))
        return BackPointers(parents, characters)

    def final_scores(self) -> Floats:
        """Return the scores ``(N, B)`` of the prefixes as whole lines: the line and its last word end here."""
        scores: Floats = np.logaddexp(self.ends_in_blank, self.ends_in_character) + self.bonus
        if self.lm is not None and self.lm_weight:
            scores = scores + self.lm.log_probability[self.lm.find_rows(self.lm_node), BLANK] * self.lm_weight
        if self.lexicon is not None:
            scores = scores - ~self.lexicon.is_final[self.word_node] * np.float32(self.unknown_word_cost)
        return scores
