"""Scores and their bootstrap intervals, computed from counts by group."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from htr_lightning.evaluation.counts import GroupCounts
from htr_lightning.evaluation.intervals import MIN_GROUPS, NUM_SAMPLES, bootstrap, compute_interval, index_groups
from htr_lightning.evaluation.lines import ScoredLine
from htr_lightning.metrics import Floats, compute_error_rate, compute_scores

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
    """The error rate of all lines whose references have ``first`` to ``last`` characters, with its interval.

    Without an interval, because of a single group, its bounds are None.
    """

    first: int
    last: int
    lines: int
    characters: int
    edits: int
    cer: float
    cer_low: float | None
    cer_high: float | None


def score_samples(counts: GroupCounts, weights: Floats) -> dict[str, Floats]:
    """Compute every score of samples of groups.

    Args:
        counts: of each group.
        weights: how often each group is in each sample, ``(S, G)``.

    Returns:
        Scores ``(S,)``: see `htr_lightning.metrics.compute_scores`.
    """
    return compute_scores(
        {name: ((weights @ errors)[:, 0], (weights @ errors)[:, 1]) for name, errors in counts.errors.items()},
        correct=weights @ counts.correct,
        lines=weights @ counts.lines,
        matches=weights @ counts.matches,
        in_references=weights @ counts.in_references,
        in_hypotheses=weights @ counts.in_hypotheses,
    )


def compute_scores_with_intervals(
    counts: GroupCounts, *, num_samples: int = NUM_SAMPLES, seed: int = 1
) -> dict[str, float]:
    """Return every score, and the bounds of its 95 % interval as ``NAME_low`` and ``NAME_high``.

    A single group has no interval, and no bounds.
    """
    num_groups = len(counts.names)
    points = score_samples(counts, np.ones((1, num_groups)))
    if num_groups < MIN_GROUPS:
        return {name: float(point) for name, (point,) in points.items()}
    samples = bootstrap(lambda weights: score_samples(counts, weights), num_groups, num_samples=num_samples, seed=seed)
    scores: dict[str, float] = {}
    for name, (point,) in points.items():
        low, high = compute_interval(samples[name])
        scores |= {name: float(point), f"{name}_low": low, f"{name}_high": high}
    return scores


def compute_group_rates(counts: GroupCounts) -> list[GroupRate]:
    """Return the error rate of each group that has a name, the worst first."""
    rows = []
    for name, lines, (edits, characters) in zip(counts.names, counts.lines, counts.errors["cer"], strict=True):
        if name:
            rows.append(
                GroupRate(name, int(lines), int(characters), int(edits), float(compute_error_rate(edits, characters)))
            )
    return sorted(rows, key=lambda row: (-row.cer, row.group))


def compute_length_rates(
    lines: Sequence[ScoredLine], *, num_samples: int = NUM_SAMPLES, seed: int = 1
) -> list[LengthRate]:
    """Return the error rate of lines by the length of their reference, in bins, without the empty bins."""
    lengths = np.array([len(line.reference) for line in lines])
    edges = compute_length_edges(lengths)
    names, group = index_groups([line.group for line in lines])
    bins = np.searchsorted(edges, lengths, "right") - 1
    cells, shape = group * len(edges) + bins, (len(names), len(edges))
    edits = np.bincount(cells, [len(line.edits) for line in lines], shape[0] * shape[1]).reshape(shape)
    characters = np.bincount(cells, lengths, shape[0] * shape[1]).reshape(shape)
    used = [number for number in range(len(edges)) if characters[:, number].any()]

    def compute_rates(weights: Floats) -> Mapping[str, Floats]:
        sums = weights @ characters
        rates = np.where(sums > 0, weights @ edits / np.maximum(sums, 1), np.nan)  # NaN: the sample has no such line
        return {str(number): rates[:, number] for number in used}

    samples = bootstrap(compute_rates, len(names), num_samples=num_samples, seed=seed)
    return [
        LengthRate(
            int(lengths[bins == number].min()),
            int(lengths[bins == number].max()),
            int((bins == number).sum()),
            int(characters[:, number].sum()),
            int(edits[:, number].sum()),
            float(edits[:, number].sum() / characters[:, number].sum()),
            *(compute_interval(samples[str(number)]) if len(names) >= MIN_GROUPS else (None, None)),
        )
        for number in used
    ]


def compute_length_edges(lengths: Iterable[int]) -> list[int]:
    """Return the lower edges of bins of lengths: evenly spaced up to the 99 % quantile; the last bin is open."""
    values = np.asarray(lengths)
    usual = int(np.quantile(values, 0.99))
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 10**9) if usual < size * MAX_BINS)
    return list(range(0, usual + 1, step))
