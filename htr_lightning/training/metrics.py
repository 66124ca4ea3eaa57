"""Scores accumulated over batches and devices; `htr_lightning.metrics` defines and computes them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor
from torchmetrics import Metric

from htr_lightning.charset import BLANK, Charset
from htr_lightning.metrics import CHARACTER_SCORES, compute_scores, count_word_edits, normalize_pairs

SCORE_NAMES = ("cer", "wer", "accuracy", *CHARACTER_SCORES)
"""What `RecognitionMetrics.compute` returns."""


class RecognitionMetrics(Metric):
    """Accumulates error rates, accuracy, precision, recall and F1 over batches and devices.

    Micro averages count all characters alike; macro averages count all classes alike that occur in a
    reference or in a hypothesis. The characters of each line are aligned only once.

    Args:
        charset: its characters are the classes, and its normalization is applied to both sides; all
            characters outside of it share one more class, though each matches only itself.
    """

    is_differentiable = False
    higher_is_better = None  # of its results, the error rates are best low and the others are best high
    full_state_update = False

    edits: Tensor
    word_edits: Tensor
    words: Tensor
    correct: Tensor
    lines: Tensor
    matches: Tensor
    in_references: Tensor
    in_hypotheses: Tensor

    def __init__(self, charset: Charset) -> None:
        super().__init__()
        self.charset = charset
        _add_counts(self, "edits", "word_edits", "words", "correct", "lines")
        _add_counts(self, "matches", "in_references", "in_hypotheses", num=charset.num_classes)

    def update(self, references: Sequence[str], hypotheses: Sequence[str]) -> None:
        """Count the errors of lines."""
        pairs = normalize_pairs(references, hypotheses, self.charset.normalization)
        counts = _align(pairs, self.charset)
        word_edits, words = count_word_edits(pairs)
        self.edits += counts.edits
        self.word_edits += word_edits
        self.words += words
        self.correct += sum(reference == hypothesis for reference, hypothesis in pairs)
        self.lines += len(pairs)
        self.matches += counts.matches.to(self.matches.device)
        self.in_references += counts.in_references.to(self.in_references.device)
        self.in_hypotheses += counts.in_hypotheses.to(self.in_hypotheses.device)

    def compute(self) -> dict[str, Tensor]:
        """Return ``cer``, ``wer``, ``accuracy`` of lines, ``precision``, ``recall`` and ``f1`` of characters.

        The last three are micro averages; ``precision_macro`` and so on are macro averages.
        """
        counts = {name: getattr(self, name).cpu().numpy() for name in self.metric_state}
        scores = compute_scores(
            {
                "cer": (counts.pop("edits"), counts["in_references"].sum()),
                "wer": (counts.pop("word_edits"), counts.pop("words")),
            },
            **counts,
        )
        device = self.edits.device
        return {name: torch.tensor(float(score), device=device) for name, score in scores.items()}


@dataclass(frozen=True, slots=True)
class _Alignment:
    """Counts over aligned lines; by class, they are int64 ``(K,)``, 0 being all that the charset lacks."""

    edits: int
    matches: Tensor
    in_references: Tensor
    in_hypotheses: Tensor


def _align(pairs: list[tuple[str, str]], charset: Charset) -> _Alignment:
    in_references: Counter[str] = Counter()
    in_hypotheses: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    edits = 0
    for reference, hypothesis in pairs:
        in_references.update(reference)
        in_hypotheses.update(hypothesis)
        if reference != hypothesis:
            operations = Levenshtein.editops(reference, hypothesis)
            edits += len(operations)
            missed.update(reference[op.src_pos] for op in operations if op.tag != "insert")
    matches = in_references.copy()
    matches.subtract(missed)
    return _Alignment(edits, *(_by_class(counts, charset) for counts in (matches, in_references, in_hypotheses)))


def _by_class(counts: Counter[str], charset: Charset) -> Tensor:
    totals = [0] * charset.num_classes
    ids = {character: id for id, character in enumerate(charset.characters, start=1)}
    for character, count in counts.items():
        totals[ids.get(character, BLANK)] += count
    return torch.tensor(totals, dtype=torch.int64)


def _add_counts(metric: Metric, *names: str, num: int | None = None) -> None:
    """Give a metric integer states that are summed over devices: scalars, or ``(num,)``."""
    for name in names:
        zeros = torch.zeros(() if num is None else num, dtype=torch.int64)
        metric.add_state(name, default=zeros, dist_reduce_fx="sum")
