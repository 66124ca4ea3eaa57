"""The evaluation of a model on a dataset, as one record and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from htr_lightning.evaluation.collector import ScoreCollector
from htr_lightning.evaluation.confusion import Confusions, rank_pairs
from htr_lightning.evaluation.counts import count_groups
from htr_lightning.evaluation.intervals import describe_bootstrap, explain_missing_intervals
from htr_lightning.evaluation.lines import EDIT_KINDS
from htr_lightning.evaluation.reliability import Reliability
from htr_lightning.evaluation.scores import (
    GroupRate,
    LengthRate,
    compute_group_rates,
    compute_length_rates,
    compute_scores_with_intervals,
)

HEADLINE_SCORES = ("cer", "wer", "wer_tokens", "accuracy", "precision", "recall", "f1")
_MAX_PAIRS = 200  # of confused characters, in the JSON


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of a model on a dataset.

    Attributes:
        model: as given on the command line.
        data: as given on the command line.
        scores: each score, and its interval as ``NAME_low`` and ``NAME_high``; fractions, so 0.05 is 5 %. A single
            group has no intervals.
        lines: number of evaluated lines.
        problems: of the lines that could not be evaluated, a sentence each.
        groups: number of groups that the bootstrap resampled.
        has_groups: False if no line has a group, so that single lines were resampled.
        characters: number of characters in the references.
        edits: by kind.
        by_group: error rates, the worst first; empty if no line has a group.
        by_length: error rates.
        confusions: of characters.
        reliabilities: of confidences: ``line``, and ``character`` if characters have confidences.
        unknown_characters: of the references, that are not in the model's charset.
        options: of the prediction that differ from the defaults, such as the language model.
    """

    model: str
    data: str
    scores: Mapping[str, float]
    lines: int
    problems: Sequence[str]
    groups: int
    has_groups: bool
    characters: int
    edits: Mapping[str, int]
    by_group: Sequence[GroupRate]
    by_length: Sequence[LengthRate]
    confusions: Confusions
    reliabilities: Mapping[str, Reliability]
    unknown_characters: Counter[str]
    options: Mapping[str, Any]

    @property
    def missing_intervals(self) -> str:
        """Why the scores have no intervals; empty if they have."""
        return explain_missing_intervals(self.groups, self.has_groups)

    def flatten(self) -> dict[str, float | int]:
        """Return everything that is a single number."""
        edits = {f"{kind}s": self.edits[kind] for kind in EDIT_KINDS}
        errors = {
            f"{name}_calibration_error": reliability.expected_calibration_error
            for name, reliability in self.reliabilities.items()
        }
        numbers = {"lines": self.lines, "skipped": len(self.problems), "groups": self.groups}
        return {**self.scores, **errors, **edits, "characters": self.characters, **numbers}

    def summarize(self) -> dict[str, float | int]:
        """Return the numbers to print: the headline scores, intervals of the error rates, and the counts."""
        intervals = {f"{name}_{side}" for name in ("cer", "wer", "wer_tokens") for side in ("low", "high")}
        printed = {*HEADLINE_SCORES, *intervals, *(f"{name}_macro" for name in ("precision", "recall", "f1"))}
        return {name: value for name, value in self.flatten().items() if name in printed or name not in self.scores}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        pairs = rank_pairs(self.confusions)[:_MAX_PAIRS]
        return {
            **self.flatten(),
            "model": self.model,
            "data": self.data,
            "options": dict(self.options),
            "bootstrap": describe_bootstrap(self.groups, self.has_groups),
            "by_group": [asdict(row) for row in self.by_group],
            "by_length": [asdict(row) for row in self.by_length],
            "substitutions_by_pair": [{"reference": a, "hypothesis": b, "count": count} for (a, b), count in pairs],
            "deletions_by_character": dict(self.confusions.deletions.most_common()),
            "insertions_by_character": dict(self.confusions.insertions.most_common()),
            "unknown_characters": dict(self.unknown_characters.most_common()),
            "reliability": {
                name: {
                    "counts": reliability.counts.tolist(),
                    "confidences": reliability.confidences.tolist(),
                    "accuracies": reliability.accuracies.tolist(),
                }
                for name, reliability in self.reliabilities.items()
            },
            "problems": list(self.problems),
        }


def build_evaluation(
    collector: ScoreCollector, model: str, data: str, options: Mapping[str, Any] | None = None
) -> Evaluation:
    """Compute all scores of the collected lines, of which there is at least one."""
    lines, charset = collector.lines, collector.charset
    counts = count_groups(lines, charset.characters)
    return Evaluation(
        model=model,
        data=data,
        scores=compute_scores_with_intervals(counts),
        lines=len(lines),
        problems=collector.problems,
        groups=len(counts.names),
        has_groups=any(counts.names),
        characters=int(counts.errors["cer"][:, 1].sum()),
        edits={kind: sum(line.count_edits(kind) for line in lines) for kind in EDIT_KINDS},
        by_group=compute_group_rates(counts),
        by_length=compute_length_rates(lines),
        confusions=collector.confusions,
        reliabilities=collector.measure_reliabilities(),
        unknown_characters=charset.count_unknown(line.reference for line in lines),
        options=options or {},
    )
