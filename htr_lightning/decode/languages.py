"""Beam search with several language models, of which each line takes the most probable."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from htr_lightning.decode.beam import BeamSearch, Logits
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.lm.ngram import Ints
from htr_lightning.lm.tables import ContextTables


@dataclass(frozen=True)
class LanguageBeams:
    """Decodes each line with the language model under which its greedy text is most probable.

    The choice depends on the line alone, so that its text does not depend on its batch. Where the models disagree
    little, as in a short line, it matters little.

    Args:
        searches: one for each language model, all of one recognizer.
    """

    searches: Sequence[BeamSearch]

    def decode(self, logits: Logits, frame_lengths: Ints) -> list[list[int]]:
        """Return the character ids of each line: logits ``(N, T, K)``, frame lengths ``(N,)``."""
        greedy = greedy_decode(logits, frame_lengths)
        choices = np.array([self._choose(ids) for ids in greedy], np.int64)
        decoded: list[list[int]] = [[] for _ in greedy]
        for number, search in enumerate(self.searches):
            lines = np.flatnonzero(choices == number)
            if len(lines):
                results = search.decode(logits[lines], frame_lengths[lines])
                for line, ids in zip(lines.tolist(), results, strict=True):
                    decoded[line] = ids
        return decoded

    def _choose(self, ids: Sequence[int]) -> int:
        models = [search.lm for search in self.searches if search.lm is not None]
        return int(np.argmax([compute_log_probability(model, ids) for model in models]))


def compute_log_probability(model: ContextTables, ids: Sequence[int]) -> float:
    """Return the natural logarithm of the probability of a line of character ids, its end included."""
    total, node = 0.0, np.array([model.start])
    with model.lock:
        for id in [*ids, 0]:  # class 0 stands for the end
            row = model.find_rows(node)
            total += float(model.log_probability[row, id][0])
            node = model.next_node[row, id]
    return total
