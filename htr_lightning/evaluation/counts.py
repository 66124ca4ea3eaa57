"""Counts by group: the scores are computed from them, and the bootstrap samples them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.evaluation.intervals import index_groups
from htr_lightning.evaluation.lines import ERROR_RATES, ScoredLine
from htr_lightning.metrics import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Counts over the lines of each of G groups; a line without a group is a group of its own.

    Attributes:
        names: of the groups; empty for a line of its own.
        lines: ``(G,)``.
        correct: lines without any error, ``(G,)``.
        errors: edits and lengths, ``(G, 2)``, by the names in `ERROR_RATES`.
        matches: correct characters by class, ``(G, K)``; class 0 is every character outside of the charset.
        in_references: characters of the references by class, ``(G, K)``.
        in_hypotheses: characters of the hypotheses by class, ``(G, K)``.
    """

    names: Sequence[str]
    lines: Floats
    correct: Floats
    errors: Mapping[str, Floats]
    matches: Floats
    in_references: Floats
    in_hypotheses: Floats


def count_groups(lines: Sequence[ScoredLine], characters: Sequence[str]) -> GroupCounts:
    """Count lines, errors and characters by group.

    Args:
        lines: at least one.
        characters: of the charset, each a class of its own; all others share class 0.
    """
    names, group = index_groups([line.group for line in lines])
    num_groups = len(names)

    def sum_groups(values: Sequence[int]) -> Floats:
        return np.bincount(group, weights=values, minlength=num_groups).astype(np.float64)

    def count(texts: Sequence[str]) -> Floats:
        return count_classes(texts, group, num_groups, characters)

    errors = {}
    for name in ERROR_RATES:
        edits = sum_groups([line.errors[name].edits for line in lines])
        lengths = sum_groups([line.errors[name].length for line in lines])
        errors[name] = np.stack([edits, lengths], axis=1)
    in_references = count([line.reference for line in lines])
    return GroupCounts(
        names,
        sum_groups([1] * len(lines)),
        sum_groups([line.is_correct for line in lines]),
        errors,
        in_references - count([_get_missed(line) for line in lines]),
        in_references,
        count([line.hypothesis for line in lines]),
    )


def _get_missed(line: ScoredLine) -> str:
    """Return the characters of the reference that were deleted or substituted."""
    return "".join(line.reference[edit.reference_index] for edit in line.edits if edit.kind != "insertion")


def count_classes(texts: Sequence[str], group: Ints, num_groups: int, characters: Sequence[str]) -> Floats:
    """Count the characters of texts by group and class, ``(G, K)``; class 0 is every character not in ``characters``.

    Args:
        texts: one for each entry of ``group``.
        group: index of each text's group.
        num_groups: G.
        characters: of the classes 1 to K - 1.
    """
    num_classes = len(characters) + 1
    code_points = _get_code_points("".join(texts))
    known = _get_code_points("".join(characters))
    order = np.argsort(known)
    position = np.minimum(np.searchsorted(known[order], code_points), len(known) - 1)
    classes = np.where(known[order][position] == code_points, order[position] + 1, 0)
    groups = np.repeat(group, [len(text) for text in texts])
    counts = np.bincount(groups * num_classes + classes, minlength=num_groups * num_classes)
    return counts.reshape(num_groups, num_classes).astype(np.float64)


def _get_code_points(text: str) -> Ints:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
