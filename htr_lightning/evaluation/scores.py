"""Scores and their intervals, from counts by group."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from htr_lightning.evaluation.counts import GroupCounts
from htr_lightning.evaluation.intervals import NUM_SAMPLES, Floats, bootstrap, bounds, number_groups
from htr_lightning.evaluation.lines import ScoredLine
from htr_lightning.metrics import compute_scores

MAX_BINS = 10  # of lengths


@dataclass(frozen=True, slots=True)
class GroupRate:
    """The error rate of one group's lines."""

    group: str
    lines: int
    characters: int
    edits: int
    cer: float


@dataclass(frozen=True, slots=True)
class LengthRate:
    """The error rate of all lines whose references have ``first`` to ``last`` characters, with its interval."""

    first: int
    last: int
    lines: int
    characters: int
    edits: int
    cer: float
    cer_low: float
    cer_high: float


def measure(counts: GroupCounts, weights: Floats) -> dict[str, Floats]:
    """Return every score of samples of groups.

    Args:
        counts: of each group.
        weights: how often each group is in each sample, ``(S, G)``.

    Returns:
        Scores ``(S,)``: see `htr_lightning.metrics.compute_scores`.
    """
    return compute_scores(
        {name: ((weights @ sides)[:, 0], (weights @ sides)[:, 1]) for name, sides in counts.rates.items()},
        correct=weights @ counts.correct,
        lines=weights @ counts.lines,
        matches=weights @ counts.matches,
        in_references=weights @ counts.in_references,
        in_hypotheses=weights @ counts.in_hypotheses,
    )


def scores_of(counts: GroupCounts, *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> dict[str, float]:
    """Return every score, and the bounds of its 95 % interval as ``NAME_low`` and ``NAME_high``."""
    number = len(counts.names)
    points = measure(counts, np.ones((1, number)))
    samples = bootstrap(lambda weights: measure(counts, weights), number, num_samples=num_samples, seed=seed)
    scores: dict[str, float] = {}
    for name, (point,) in points.items():
        low, high = bounds(samples[name])
        scores |= {name: float(point), f"{name}_low": low, f"{name}_high": high}
    return scores


def by_group(counts: GroupCounts) -> list[GroupRate]:
    """Return the error rate of each group that has a name, the worst first."""
    rows = []
    for name, lines, (edits, characters) in zip(counts.names, counts.lines, counts.rates["cer"], strict=True):
        if name:
            rows.append(GroupRate(name, int(lines), int(characters), int(edits), float(edits / max(1, characters))))
    return sorted(rows, key=lambda row: (-row.cer, row.group))


def by_length(lines: Sequence[ScoredLine], *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> list[LengthRate]:
    """Return the error rate of lines by the length of their reference, in bins that hold something each."""
    lengths = np.array([len(line.reference) for line in lines])
    edges = length_edges(lengths)
    names, group = number_groups([line.group for line in lines])
    bins = np.searchsorted(edges, lengths, "right") - 1
    cells, shape = group * len(edges) + bins, (len(names), len(edges))
    edits = np.bincount(cells, [len(line.edits) for line in lines], shape[0] * shape[1]).reshape(shape)
    characters = np.bincount(cells, lengths, shape[0] * shape[1]).reshape(shape)
    used = [number for number in range(len(edges)) if characters[:, number].any()]

    def rates(weights: Floats) -> Mapping[str, Floats]:
        sums = weights @ characters
        values = np.where(sums > 0, weights @ edits / np.maximum(sums, 1), np.nan)
        return {str(number): values[:, number] for number in used}

    samples = bootstrap(rates, len(names), num_samples=num_samples, seed=seed)
    return [
        LengthRate(
            int(lengths[bins == number].min()),
            int(lengths[bins == number].max()),
            int((bins == number).sum()),
            int(characters[:, number].sum()),
            int(edits[:, number].sum()),
            float(edits[:, number].sum() / characters[:, number].sum()),
            *bounds(samples[str(number)]),
        )
        for number in used
    ]


def length_edges(lengths: Iterable[int]) -> list[int]:
    """Return where bins of lengths start: even up to the length that all but 1 % of the lines stay below."""
    values = np.asarray(lengths)
    usual = int(np.quantile(values, 0.99))
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 10**9) if usual < size * MAX_BINS)
    return list(range(0, usual + 1, step))
