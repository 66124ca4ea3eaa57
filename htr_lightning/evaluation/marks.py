"""Mark the errors in a reference and its hypothesis."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from htr_lightning.evaluation.lines import EditKind, ScoredLine


class Run(NamedTuple):
    """Consecutive characters of a text that are all correct or all part of edits of one kind.

    Attributes:
        text: the characters; in an edit, a space is replaced by ``␣`` so that it can be seen.
        kind: of the edits; None for correct characters.
    """

    text: str
    kind: EditKind | None


def mark_errors(line: ScoredLine) -> tuple[list[Run], list[Run]]:
    """Divide the reference and the hypothesis of a line into runs of correct and wrong characters.

    Deletions are in the reference, insertions in the hypothesis, substitutions in both.
    """
    in_reference: dict[int, EditKind] = {e.reference_index: e.kind for e in line.edits if e.kind != "insertion"}
    in_hypothesis: dict[int, EditKind] = {e.hypothesis_index: e.kind for e in line.edits if e.kind != "deletion"}
    return _split_runs(line.reference, in_reference), _split_runs(line.hypothesis, in_hypothesis)


def _split_runs(text: str, kinds: Mapping[int, EditKind]) -> list[Run]:
    runs = []
    for kind, group in groupby(enumerate(text), lambda item: kinds.get(item[0])):
        run = "".join(character for _, character in group)
        runs.append(Run(run if kind is None else run.replace(" ", "␣"), kind))
    return runs
