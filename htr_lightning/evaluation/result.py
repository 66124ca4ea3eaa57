"""The evaluation of a model on a data set, as one record; as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from htr_lightning.evaluation.collection import Collection
from htr_lightning.evaluation.confusion import Confusions, ranked_pairs
from htr_lightning.evaluation.counts import count_groups
from htr_lightning.evaluation.intervals import NUM_SAMPLES
from htr_lightning.evaluation.lines import KINDS
from htr_lightning.evaluation.reliability import Reliability
from htr_lightning.evaluation.scores import GroupRate, LengthRate, by_group, by_length, scores_of

HEADLINE = ("cer", "wer", "wer_tokens", "accuracy", "precision", "recall", "f1")
_PAIRS = 200  # of confused characters, in the JSON


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a model reads a data set.

    Attributes:
        model: its name, as it was typed.
        data: the same of the data.
        scores: each score, and its interval as ``NAME_low`` and ``NAME_high``; shares, so that 0.05 is 5 %.
        lines: how many were measured.
        problems: of those that could not be, a sentence each.
        groups: how many the intervals drew from.
        are_lines: whether these were single lines, since no line has a group.
        characters: how many the references have.
        edits: by kind.
        by_group: error rates, the worst first; empty where no line has a group.
        by_length: error rates.
        confusions: of characters.
        reliabilities: of confidences: ``character``, if there are any, and ``line``.
        unknown: characters of the references that the model cannot write.
        reading: options that were not left at their defaults, such as the language model.
    """

    model: str
    data: str
    scores: Mapping[str, float]
    lines: int
    problems: Sequence[str]
    groups: int
    are_lines: bool
    characters: int
    edits: Mapping[str, int]
    by_group: Sequence[GroupRate]
    by_length: Sequence[LengthRate]
    confusions: Confusions
    reliabilities: Mapping[str, Reliability]
    unknown: Counter[str]
    reading: Mapping[str, Any]

    def flat(self) -> dict[str, float | int]:
        """Return all that is a single number."""
        edits = {f"{kind}s": self.edits[kind] for kind in KINDS}
        errors = {f"{name}_calibration_error": found.error for name, found in self.reliabilities.items()}
        numbers = {"lines": self.lines, "skipped": len(self.problems), "groups": self.groups}
        return {**self.scores, **errors, **edits, "characters": self.characters, **numbers}

    def summary(self) -> dict[str, float | int]:
        """Return the numbers to print: the best known scores, intervals of the error rates, and the counts."""
        intervals = {f"{name}_{side}" for name in ("cer", "wer", "wer_tokens") for side in ("low", "high")}
        wanted = {*HEADLINE, *intervals, *(f"{name}_macro" for name in ("precision", "recall", "f1"))}
        return {name: value for name, value in self.flat().items() if name in wanted or name not in self.scores}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        pairs = ranked_pairs(self.confusions)[:_PAIRS]
        return {
            **self.flat(),
            "model": self.model,
            "data": self.data,
            "reading": dict(self.reading),
            "bootstrap": {"level": 0.95, "samples": NUM_SAMPLES, "drawn": "lines" if self.are_lines else "groups"},
            "by_group": [asdict(row) for row in self.by_group],
            "by_length": [asdict(row) for row in self.by_length],
            "substitutions_by_pair": [{"written": a, "read": b, "count": count} for (a, b), count in pairs],
            "deletions_by_character": dict(self.confusions.deletions.most_common()),
            "insertions_by_character": dict(self.confusions.insertions.most_common()),
            "unknown_characters": dict(self.unknown.most_common()),
            "reliability": {
                name: {
                    "counts": found.counts.tolist(),
                    "confidences": found.confidences.tolist(),
                    "accuracies": found.accuracies.tolist(),
                }
                for name, found in self.reliabilities.items()
            },
            "problems": list(self.problems),
        }


def evaluate_lines(
    collection: Collection, model: str, data: str, reading: Mapping[str, Any] | None = None
) -> Evaluation:
    """Draw the sum of what was collected; at least one line is needed."""
    lines, charset = collection.lines, collection.charset
    counts = count_groups(lines, charset.characters)
    return Evaluation(
        model=model,
        data=data,
        scores=scores_of(counts),
        lines=len(lines),
        problems=collection.problems,
        groups=len(counts.names),
        are_lines=not any(counts.names),
        characters=int(counts.rates["cer"][:, 1].sum()),
        edits={kind: sum(line.count(kind) for line in lines) for kind in KINDS},
        by_group=by_group(counts),
        by_length=by_length(lines),
        confusions=collection.confusions,
        reliabilities=collection.reliabilities(),
        unknown=charset.count_unknown(line.reference for line in lines),
        reading=reading or {},
    )
