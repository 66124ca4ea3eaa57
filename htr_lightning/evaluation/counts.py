"""Counts by group: all that scores are made of, and what their intervals draw from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.evaluation.intervals import Floats, number_groups
from htr_lightning.evaluation.lines import RATES, ScoredLine

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Counts over the lines of each group, or of each line by itself where it has no group.

    Attributes:
        names: of the groups; empty for a line by itself.
        lines: ``(G,)``.
        correct: of the lines, those without any error, ``(G,)``.
        rates: edits and lengths, ``(G, 2)``, by the names in `RATES`.
        matches: characters read rightly, by class, ``(G, K)``; class 0 is all that the charset lacks.
        in_references: characters by class, ``(G, K)``.
        in_hypotheses: characters by class, ``(G, K)``.
    """

    names: Sequence[str]
    lines: Floats
    correct: Floats
    rates: Mapping[str, Floats]
    matches: Floats
    in_references: Floats
    in_hypotheses: Floats


def count_groups(lines: Sequence[ScoredLine], characters: Sequence[str]) -> GroupCounts:
    """Count.

    Args:
        lines: at least one.
        characters: of the charset, each a class of its own; all others share one.
    """
    names, group = number_groups([line.group for line in lines])
    number = len(names)

    def summed(values: Sequence[int]) -> Floats:
        return np.bincount(group, weights=values, minlength=number).astype(np.float64)

    def by_class(texts: Sequence[str]) -> Floats:
        return count_classes(texts, group, number, characters)

    in_references = by_class([line.reference for line in lines])
    missed = by_class([_missed(line) for line in lines])
    rates = {name: [line.rates[name] for line in lines] for name in RATES}
    return GroupCounts(
        names,
        summed([1] * len(lines)),
        summed([line.is_correct for line in lines]),
        {
            name: np.stack([summed([r.edits for r in values]), summed([r.length for r in values])], axis=1)
            for name, values in rates.items()
        },
        in_references - missed,
        in_references,
        by_class([line.hypothesis for line in lines]),
    )


def _missed(line: ScoredLine) -> str:
    return "".join(line.reference[edit.written] for edit in line.edits if edit.kind != "insertion")


def count_classes(texts: Sequence[str], group: Ints, num_groups: int, characters: Sequence[str]) -> Floats:
    """Count the characters of texts by group and class, ``(G, K)``; class 0 is all that ``characters`` lacks.

    Args:
        texts: one for each entry of ``group``.
        group: number of each text's group.
        num_groups: G.
        characters: of the classes 1 to K - 1.
    """
    num_classes = len(characters) + 1
    points = _code_points("".join(texts))
    known = _code_points("".join(characters))
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known[order], points), len(known) - 1)
    classes = np.where(known[order][at] == points, order[at] + 1, 0)
    groups = np.repeat(group, [len(text) for text in texts])
    counts = np.bincount(groups * num_classes + classes, minlength=num_groups * num_classes)
    return counts.reshape(num_groups, num_classes).astype(np.float64)


def _code_points(text: str) -> Ints:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
