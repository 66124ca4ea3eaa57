"""What sets two readings of the same lines apart: a paired bootstrap over their groups."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from htr_lightning.errors import InputError
from htr_lightning.evaluation.intervals import NUM_SAMPLES, Floats, bootstrap, bounds, number_groups
from htr_lightning.evaluation.table import RATE_COLUMNS, Row
from htr_lightning.metrics import compute_error_rate

Pair = tuple[Row, Row]
"""A line in A and in B."""


class PairingError(InputError):
    """Two tables that are not of the same lines; the message says how many differ, and the remedy."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How an error rate of B differs from that of A; below 0, B is better.

    Attributes:
        a: the rate in A.
        b: the rate in B.
        difference: b - a.
        low: lower bound of its 95 % interval.
        high: upper bound.
        share_b_better: of the samples in which B has the lower rate; those in which both are equal count half.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    share_b_better: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two readings of the same lines.

    Attributes:
        lines: how many were compared.
        groups: how many the samples drew from.
        are_lines: whether these were single lines, since no line has a group.
        rates: the differences, by the name of the error rate.
        apart: all lines with more edits in one than in the other, those that differ most first.
    """

    lines: int
    groups: int
    are_lines: bool
    rates: Mapping[str, Difference]
    apart: Sequence[Pair]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        apart = [
            {
                "id": a.id,
                "group": a.group or b.group,
                "reference": a.reference,
                "a": a.hypothesis,
                "b": b.hypothesis,
                "edits_a": a.counts["cer"][0],
                "edits_b": b.counts["cer"][0],
            }
            for a, b in self.apart
        ]
        return {
            "lines": self.lines,
            "groups": self.groups,
            "bootstrap": {"level": 0.95, "samples": NUM_SAMPLES, "drawn": "lines" if self.are_lines else "groups"},
            "rates": {name: asdict(difference) for name, difference in self.rates.items()},
            "lines_apart": apart,
        }


def paired(a: Sequence[Row], b: Sequence[Row], *, common: bool = False) -> list[Pair]:
    """Put the lines of two tables side by side, in the order of A.

    Args:
        a: lines, each with an id of its own.
        b: the same lines, in any order.
        common: leave out lines that only one has, or whose references differ, instead of refusing them.

    Raises:
        PairingError: the lines are not the same, or no line is in both.
    """
    of_b = {row.id: row for row in b}
    both = [(row, of_b[row.id]) for row in a if row.id in of_b]
    same = [pair for pair in both if _text(pair[0]) == _text(pair[1])]
    counts = {
        "only in A": len(a) - len(both),
        "only in B": len(b) - len(both),
        "with another reference": len(both) - len(same),
    }
    if not common and any(counts.values()):
        found = ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)
        raise PairingError(
            f"A and B are not of the same lines: {found}; --common compares the {len(same):,} shared ones"
        )
    if not same:
        raise PairingError("A and B share no line; evaluate both models on the same data")
    return same


def _text(row: Row) -> str:
    """Two models may write the same text in different normalization forms."""
    return unicodedata.normalize("NFC", row.reference)


def compare(pairs: Sequence[Pair], *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> Comparison:
    """Compare two readings: each sample draws the same groups for both (Efron 1979; Bisani & Ney 2004).

    Args:
        pairs: at least one.
        num_samples: drawn.
        seed: of the drawing.
    """
    names, group = number_groups([a.group or b.group for a, b in pairs])
    counts = {name: _by_group(pairs, name, group, len(names)) for name in RATE_COLUMNS}

    def differences(weights: Floats) -> dict[str, Floats]:
        return {name: np.subtract(*_rates(weights, sums)) for name, sums in counts.items()}

    samples = bootstrap(differences, len(names), num_samples=num_samples, seed=seed)
    rates = {}
    for name, drawn in samples.items():
        rate_b, rate_a = (float(rate[0]) for rate in _rates(np.ones((1, len(names))), counts[name]))
        better = float((drawn < 0).mean() + 0.5 * (drawn == 0).mean())
        rates[name] = Difference(rate_a, rate_b, rate_b - rate_a, *bounds(drawn), better)
    apart = [pair for pair in pairs if _gap(pair)]
    apart.sort(key=lambda pair: (-abs(_gap(pair)), pair[0].id))
    return Comparison(len(pairs), len(names), not any(names), rates, apart)


def _by_group(pairs: Sequence[Pair], rate: str, group: np.ndarray[Any, Any], num_groups: int) -> Floats:
    """Return edits and length in B, edits and length in A of each group, ``(G, 4)``."""
    counts = np.array([(*b.counts[rate], *a.counts[rate]) for a, b in pairs], np.float64)
    return np.stack([np.bincount(group, column, num_groups) for column in counts.T], axis=1)


def _rates(weights: Floats, sums: Floats) -> tuple[Floats, Floats]:
    """Return the rates of B and of A in each sample, ``(S,)``."""
    drawn = weights @ sums
    return compute_error_rate(drawn[:, 0], drawn[:, 1]), compute_error_rate(drawn[:, 2], drawn[:, 3])


def _gap(pair: Pair) -> int:
    a, b = pair
    return b.counts["cer"][0] - a.counts["cer"][0]
