"""The most probable division of a text among the lines of a page, and how certain each of its cuts is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.aligning.cuts import HYPHENS, CutKind, CuttableText
from htr_lightning.aligning.lattice import IMPOSSIBLE, Floats, Ints, Lattice, LineScores

UNPLACED = -1


@dataclass(frozen=True, slots=True)
class Costs:
    """Negative log-probabilities of what may differ between a text and the lines of its page.

    Attributes:
        skip: of text that no line shows, once.
        skip_character: of each character of it, in addition.
        jump: of text in another order: an upper bound of the cost of any gap.
        unplaced: of a line without text, once.
        unplaced_character: of each character that the recognizer reads in it, in addition.
        inside_word: of a line that begins or ends inside a word, next to text that no line shows.
        undivided: of a line end inside a word without a hyphen.
        break_crossed: of a line break of the text inside a line.
        break_missing: of a line end elsewhere than at a line break of the text.
    """

    skip: float = 12.0
    skip_character: float = 0.1
    jump: float = 25.0
    unplaced: float = 4.0
    unplaced_character: float = 2.5
    inside_word: float = 10.0
    undivided: float = 5.0
    break_crossed: float = 1.0
    break_missing: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The text of a line.

    Attributes:
        start: cut where it begins; `UNPLACED` if the line has no text.
        end: cut where it ends.
        start_probability: 0..1, of this start among all others, from the best path through each.
        end_probability: likewise.
        fit: score of the text relative to what the recognizer reads, for each character, at most 0.
    """

    start: int = UNPLACED
    end: int = UNPLACED
    start_probability: float = 0.0
    end_probability: float = 0.0
    fit: float = 0.0

    @property
    def is_placed(self) -> bool:
        """Whether the line has text."""
        return self.start != UNPLACED


def place_lines(
    lines: Sequence[LineScores], text: CuttableText, columns: Ints, missing: Floats, costs: Costs
) -> list[Placement]:
    """Divide a text among lines.

    Dynamic programming over the cuts of the text: each line shows a part of it, or nothing; parts may be left out, and
    the text may jump, at a cost. A second search from the end gives the best division through any cut.

    Args:
        lines: in reading order.
        text: with at least one character.
        columns: ``(L,)`` the columns of its characters in the scores.
        missing: ``(L,)`` the costs of its characters where a line does not show them.
        costs: of what differs.
    """
    ends = [_compute_end_costs(line, text, costs) for line in lines]
    breaks = (text.breaks_before_start * costs.break_crossed).astype(np.float32)
    breaks_end = (text.breaks_before_end * costs.break_crossed).astype(np.float32)
    exits = [-end - breaks_end for end in ends]
    forward = _Sweep(lines, Lattice(text, columns, missing), costs, [breaks] * len(lines), exits)
    backward = _Sweep(
        [line.reverse() for line in reversed(lines)],
        Lattice(text.reverse(), columns[::-1], missing[::-1]),
        costs,
        [exit[::-1] for exit in reversed(exits)],
        [breaks[::-1]] * len(lines),
    )
    return _read_placements(forward, backward, lines, text, costs)


def _compute_end_costs(line: LineScores, text: CuttableText, costs: Costs) -> Floats:
    """Return ``(C,)`` the cost of the line's end at each cut; those inside words depend on its hyphen."""
    hyphen = min(max(line.hyphen, 0.02), 0.98)
    undivided = np.exp(-costs.undivided)
    by_kind = np.zeros(len(CutKind), np.float32)
    by_kind[CutKind.SPACE] = costs.break_missing - np.log(1 - 0.9 * hyphen)
    by_kind[CutKind.BREAK] = -np.log(1 - 0.9 * hyphen)
    by_kind[CutKind.HYPHEN] = costs.break_missing
    by_kind[CutKind.WORD] = costs.break_missing - np.log(undivided + (1 - undivided) * 0.5 * max(0.0, hyphen - 0.02))
    values = by_kind[text.kinds]
    ends_in_hyphen = np.array([end > 0 and text.characters[end - 1] in HYPHENS for end in text.ends])
    values[ends_in_hyphen & (text.kinds <= CutKind.SPACE)] += np.log(1 - 0.9 * hyphen)
    return values


class _Sweep:
    """A search through the lines in their order.

    Attributes:
        before: for each line ``(C,)``, the best score of all lines before it if it may start at a cut; one more at the
            end.
        after: for each line ``(C,)``, the best score of all lines up to it, if it ends at a cut.
        origins: for each line ``(C,)``, the cut where it then starts.
        previous: for each entry of ``before`` ``(C,)``, the cut where the line before it ends; `UNPLACED` if that line
            is not placed.
    """

    def __init__(
        self,
        lines: Sequence[LineScores],
        lattice: Lattice,
        costs: Costs,
        entries: Sequence[Floats],
        exits: Sequence[Floats],
    ) -> None:
        text = lattice.text
        self._costs, self._places = costs, text.starts.astype(np.float32) * costs.skip_character
        self._inside = (text.kinds == CutKind.WORD) * np.float32(costs.inside_word)
        start = np.full(text.num_cuts, IMPOSSIBLE, np.float32)
        start[0] = 0.0
        first, _ = self._skip(start)
        self.before, self.previous = [first], [np.full(text.num_cuts, UNPLACED, np.int64)]
        self.after: list[Floats] = []
        self.origins: list[Ints] = []
        for line, entry, exit in zip(lines, entries, exits, strict=True):
            scores, origins = lattice.search(line, self.before[-1] + entry)
            scores = np.maximum(scores + exit, IMPOSSIBLE)
            self.after.append(scores)
            self.origins.append(origins)
            moved, previous = self._skip(scores)
            unplaced = self.before[-1] + compute_unplaced_score(line, costs)
            is_placed = moved >= unplaced
            self.before.append(np.where(is_placed, moved, unplaced))
            self.previous.append(np.where(is_placed, previous, UNPLACED))

    def _skip(self, scores: Floats) -> tuple[Floats, Ints]:
        """Return the best scores after text was left out, or not, and the cuts where it then begins."""
        costs, cuts = self._costs, np.arange(len(scores))
        moved, previous = scores.copy(), cuts.copy()
        leaving = scores - self._inside
        ahead = leaving + self._places
        best = np.maximum.accumulate(ahead)
        where = np.maximum.accumulate(np.where(ahead >= best, cuts, 0))
        skipped = best - self._places - self._inside - costs.skip
        jumped = float(leaving.max()) - self._inside - costs.jump
        for values, origins in ((skipped, where), (jumped, np.full(len(cuts), int(leaving.argmax())))):
            is_better = values > moved
            moved, previous = np.where(is_better, values, moved), np.where(is_better, origins, previous)
        return moved, previous

    def trace_back(self) -> list[tuple[int, int]]:
        """Return the cuts where each line starts and ends, `UNPLACED` for those without text."""
        cut = len(self.before[-1]) - 1
        parts = []
        for line in range(len(self.after) - 1, -1, -1):
            end = int(self.previous[line + 1][cut])
            if end == UNPLACED:
                parts.append((UNPLACED, UNPLACED))
                continue
            cut = int(self.origins[line][end])
            parts.append((cut, end))
        return parts[::-1]


def compute_unplaced_score(line: LineScores, costs: Costs) -> float:
    """Return the score of a line without text."""
    return line.best - costs.unplaced - costs.unplaced_character * line.num_read


def _read_placements(
    forward: _Sweep, backward: _Sweep, lines: Sequence[LineScores], text: CuttableText, costs: Costs
) -> list[Placement]:
    placements = []
    count = len(lines)
    for number, (line, (start, end)) in enumerate(zip(lines, forward.trace_back(), strict=True)):
        if start == UNPLACED:
            placements.append(Placement())
            continue
        mirrored = count - 1 - number
        # `backward.before` of the mirrored line: the best score of all lines after this one, from each cut.
        rest = backward.before[mirrored][::-1]
        from_start = backward.after[mirrored][::-1]
        unplaced = float((forward.before[number] + rest).max()) + compute_unplaced_score(line, costs)
        starts = forward.before[number] + from_start
        ends = forward.after[number] + rest
        own = forward.after[number][end] - forward.before[number][start]
        own -= (text.breaks_before_start[start] - text.breaks_before_end[end]) * costs.break_crossed
        length = int(text.ends[end] - text.starts[start])
        placements.append(
            Placement(
                start,
                end,
                _compute_probability(starts, start, unplaced),
                _compute_probability(ends, end, unplaced),
                (float(own) - line.best) / max(1, length),
            )
        )
    return placements


def _compute_probability(scores: NDArray[np.floating], place: int, other: float) -> float:
    """Return the softmax of one of several scores and another one."""
    best = max(float(scores.max()), other)
    total = float(np.exp(scores - best).sum()) + np.exp(other - best)
    return float(np.exp(scores[place] - best) / total)
