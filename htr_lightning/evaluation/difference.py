"""Comparison of two evaluations of the same lines: a paired bootstrap over groups."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.errors import InputError
from htr_lightning.evaluation.intervals import (
    MIN_GROUPS,
    NUM_SAMPLES,
    bootstrap,
    compute_interval,
    describe_bootstrap,
    explain_missing_intervals,
    index_groups,
)
from htr_lightning.evaluation.table import ERROR_COLUMNS, LineRow
from htr_lightning.metrics import Floats, compute_error_rate

Pair = tuple[LineRow, LineRow]
"""A line in A and in B."""


class PairingError(InputError):
    """Two tables with different lines."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of an error rate between A and B; B is better if it is negative.

    Attributes:
        a: rate in A.
        b: rate in B.
        difference: b - a.
        low: lower bound of its 95 % interval.
        high: upper bound.
        fraction_b_better: of the bootstrap samples in which B has the lower rate; ties count half.

    The last three are None for a single group, of which there is nothing to resample.
    """

    a: float
    b: float
    difference: float
    low: float | None
    high: float | None
    fraction_b_better: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of two evaluations of the same lines.

    Attributes:
        lines: number of lines.
        groups: number of groups that the bootstrap resampled.
        has_groups: False if no line has a group, so that single lines were resampled.
        rates: the differences, by the name of the error rate.
        differing_lines: all lines with different numbers of edits, the greatest difference first.
    """

    lines: int
    groups: int
    has_groups: bool
    rates: Mapping[str, Difference]
    differing_lines: Sequence[Pair]

    @property
    def missing_intervals(self) -> str:
        """Why the differences have no intervals; empty if they have."""
        return explain_missing_intervals(self.groups, self.has_groups)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        lines = [
            {
                "id": a.id,
                "group": a.group or b.group,
                "reference": a.reference,
                "a": a.hypothesis,
                "b": b.hypothesis,
                "edits_a": a.errors["cer"].edits,
                "edits_b": b.errors["cer"].edits,
            }
            for a, b in self.differing_lines
        ]
        return {
            "lines": self.lines,
            "groups": self.groups,
            "bootstrap": describe_bootstrap(self.groups, self.has_groups),
            "rates": {name: asdict(difference) for name, difference in self.rates.items()},
            "differing_lines": lines,
        }


def pair_rows(a: Sequence[LineRow], b: Sequence[LineRow], *, common: bool = False) -> list[Pair]:
    """Pair the lines of two tables by their ids, in the order of A.

    Args:
        a: lines with unique ids.
        b: the same lines, in any order.
        common: ignore lines that are in one table only or have different references, instead of refusing them.

    Raises:
        PairingError: the lines are not the same, or no line is in both tables.
    """
    rows_of_b = {row.id: row for row in b}
    both = [(row, rows_of_b[row.id]) for row in a if row.id in rows_of_b]
    same = [(row, other) for row, other in both if _normalize(row.reference) == _normalize(other.reference)]
    counts = {
        "only in A": len(a) - len(both),
        "only in B": len(b) - len(both),
        "with different references": len(both) - len(same),
    }
    if not common and any(counts.values()):
        numbers = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        raise PairingError(
            f"A and B have different lines: {numbers}", remedy=f"--common compares the {len(same):,} common lines"
        )
    if not same:
        raise PairingError("A and B have no line in common", remedy="evaluate both models on the same data")
    return same


def _normalize(text: str) -> str:
    """Normalize a text, since two models may use different normalization forms."""
    return unicodedata.normalize("NFC", text)


def compare(pairs: Sequence[Pair], *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> Comparison:
    """Compare two evaluations; each bootstrap sample has the same groups for both (Efron 1979; Bisani & Ney 2004).

    Args:
        pairs: at least one.
        num_samples: of the bootstrap.
        seed: of the bootstrap.
    """
    names, group = index_groups([a.group or b.group for a, b in pairs])
    counts = {name: _sum_groups(pairs, name, group, len(names)) for name in ERROR_COLUMNS}

    def compute_differences(weights: Floats) -> dict[str, Floats]:
        return {name: np.subtract(*_compute_rates(weights, sums)) for name, sums in counts.items()}

    samples = bootstrap(compute_differences, len(names), num_samples=num_samples, seed=seed)
    rates = {}
    for name, differences in samples.items():
        rate_b, rate_a = (float(rate[0]) for rate in _compute_rates(np.ones((1, len(names))), counts[name]))
        rates[name] = Difference(rate_a, rate_b, rate_b - rate_a, *_summarize(differences, len(names)))
    differing = [pair for pair in pairs if _count_extra_edits(pair)]
    differing.sort(key=lambda pair: (-abs(_count_extra_edits(pair)), pair[0].id))
    return Comparison(len(pairs), len(names), any(names), rates, differing)


def _summarize(differences: Floats, num_groups: int) -> tuple[float, float, float] | tuple[None, None, None]:
    """Return the interval of the differences, and the fraction of them in which B is better."""
    if num_groups < MIN_GROUPS:
        return None, None, None
    return *compute_interval(differences), float((differences < 0).mean() + 0.5 * (differences == 0).mean())


def _sum_groups(pairs: Sequence[Pair], rate: str, group: NDArray[np.int64], num_groups: int) -> Floats:
    """Return edits and length in B, edits and length in A of each group, ``(G, 4)``."""
    counts = np.array([(*b.errors[rate], *a.errors[rate]) for a, b in pairs], np.float64)
    return np.stack([np.bincount(group, column, num_groups) for column in counts.T], axis=1)


def _compute_rates(weights: Floats, sums: Floats) -> tuple[Floats, Floats]:
    """Return the rates of B and of A in each sample, ``(S,)``."""
    counts = weights @ sums
    return compute_error_rate(counts[:, 0], counts[:, 1]), compute_error_rate(counts[:, 2], counts[:, 3])


def _count_extra_edits(pair: Pair) -> int:
    """Return how many more edits the line has in B than in A."""
    a, b = pair
    return b.errors["cer"].edits - a.errors["cer"].edits
