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
        single_letter: of a line end after the first or before the last letter of a word, in addition.
        closing_mark: of a line that begins with a mark that usually ends one, such as a dash or a comma.
        break_crossed: of a line break of the text inside a line.
        break_missing: of a line end elsewhere than at a line break of the text.
    """

    skip: float = 12.0
    skip_character: float = 0.1
    jump: float = 25.0
    unplaced: float = 4.0
    unplaced_character: float = 2.5
    inside_word: float = 10.0
    undivided: float = 7.0
    single_letter: float = 2.0
    closing_mark: float = 1.5
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
        fit: score of the text relative to what the recognizer reads, for each character, at most about 0.
        margin: score of the best division of the text in comparison to the best in which the line has no text.
    """

    start: int = UNPLACED
    end: int = UNPLACED
    start_probability: float = 0.0
    end_probability: float = 0.0
    fit: float = 0.0
    margin: float = 0.0

    @property
    def is_placed(self) -> bool:
        """Whether the line has text."""
        return self.start != UNPLACED


@dataclass(frozen=True, slots=True, eq=False)
class TextSearch:
    """The lines of a page and its text, among which it is to be divided.

    Attributes:
        lines: in reading order.
        text: with at least one character.
        columns: ``(L,)`` the columns of its characters in the scores.
        missing: ``(L,)`` the costs of its characters where a line does not show them.
    """

    lines: Sequence[LineScores]
    text: CuttableText
    columns: Ints
    missing: Floats

    def find_parts(self, costs: Costs) -> list[tuple[int, int]]:
        """Return the cuts where the text of each line starts and ends, `UNPLACED` for lines without text.

        Dynamic programming over the cuts of the text: each line shows a part of it, or nothing; parts may be left out,
        and the text may jump, at a cost.
        """
        return self._trace_back(self._sweep_forward(costs), costs)

    def score(self, costs: Costs) -> float:
        """Return the score of the best division."""
        return float(self._sweep_forward(costs).before[-1][-1])

    def place_lines(self, costs: Costs) -> list[Placement]:
        """Return the placement of each line; a second search from the end gives the best division through any cut."""
        forward = self._sweep_forward(costs)
        entries, exits = self._compute_entries(costs)
        backward = _Sweep(
            [line.reverse() for line in reversed(self.lines)],
            self._build_backward_lattice(),
            costs,
            [exit[::-1] for exit in reversed(exits)],
            [entries[::-1]] * len(self.lines),
        )
        parts = self._trace_back(forward, costs)
        return [self._rate(number, part, forward, backward, costs) for number, part in enumerate(parts)]

    def _compute_entries(self, costs: Costs) -> tuple[Floats, list[Floats]]:
        """Return ``(C,)`` the score of starting a line at each cut, and for each line that of ending it there."""
        entry = (self.text.breaks_before_start * costs.break_crossed).astype(np.float32)
        crossed = (self.text.breaks_before_end * costs.break_crossed).astype(np.float32)
        return entry, [-_compute_end_costs(line, self.text, costs) - crossed for line in self.lines]

    def _sweep_forward(self, costs: Costs) -> "_Sweep":
        entry, exits = self._compute_entries(costs)
        lattice = Lattice(self.text, self.columns, self.missing)
        return _Sweep(self.lines, lattice, costs, [entry] * len(self.lines), exits)

    def _build_backward_lattice(self) -> Lattice:
        return Lattice(self.text.reverse(), self.columns[::-1], self.missing[::-1])

    def _trace_back(self, forward: "_Sweep", costs: Costs) -> list[tuple[int, int]]:
        """Follow the best division back from the end of the text."""
        entry, _ = self._compute_entries(costs)
        lattice = self._build_backward_lattice()
        cut, parts = self.text.num_cuts - 1, []
        for number in range(len(self.lines) - 1, -1, -1):
            end = int(forward.previous[number + 1][cut])
            if end != UNPLACED:  # find where the best path to this end starts
                only = np.full(self.text.num_cuts, IMPOSSIBLE, np.float32)
                only[-1 - end] = 0.0
                from_end = lattice.search(self.lines[number].reverse(), only)[::-1]
                cut = int((forward.before[number] + entry + from_end).argmax())
            parts.append((UNPLACED, UNPLACED) if end == UNPLACED else (cut, end))
        return parts[::-1]

    def _rate(
        self, number: int, part: tuple[int, int], forward: "_Sweep", backward: "_Sweep", costs: Costs
    ) -> Placement:
        """Return the placement of a line with its certainty."""
        start, end = part
        if start == UNPLACED:
            return Placement()
        line, text, mirrored = self.lines[number], self.text, len(self.lines) - 1 - number
        rest = backward.before[mirrored][::-1]  # the best scores of all lines after this one, from each cut
        unplaced = float((forward.before[number] + rest).max()) + compute_unplaced_score(line, costs)
        starts = forward.before[number] + backward.after[mirrored][::-1]
        ends = forward.after[number] + rest
        own = float(forward.after[number][end] - forward.before[number][start])
        own -= float(text.breaks_before_start[start] - text.breaks_before_end[end]) * costs.break_crossed
        return Placement(
            start,
            end,
            _compute_probability(starts, start, unplaced),
            _compute_probability(ends, end, unplaced),
            (own - line.best) / max(1, int(text.ends[end] - text.starts[start])),
            float(ends[end]) - unplaced,
        )


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
    values[text.is_single_letter] += costs.single_letter
    values[text.is_before_closing_mark] += costs.closing_mark
    values[ends_in_hyphen & (text.kinds <= CutKind.SPACE)] += np.log(1 - 0.9 * hyphen)
    return values


class _Sweep:
    """A search through the lines in their order.

    Attributes:
        before: for each line ``(C,)``, the best score of all lines before it if it may start at a cut; one more at the
            end.
        after: for each line ``(C,)``, the best score of all lines up to it, if it ends at a cut.
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
        for line, entry, exit in zip(lines, entries, exits, strict=True):
            scores = np.maximum(lattice.search(line, self.before[-1] + entry) + exit, np.float32(IMPOSSIBLE))
            self.after.append(scores)
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


def compute_unplaced_score(line: LineScores, costs: Costs) -> float:
    """Return the score of a line without text."""
    return line.best - costs.unplaced - costs.unplaced_character * len(line.read)


def _compute_probability(scores: NDArray[np.floating], place: int, other: float) -> float:
    """Return the softmax of one of several scores and another one."""
    best = max(float(scores.max()), other)
    total = float(np.exp(scores - best).sum()) + np.exp(other - best)
    return float(np.exp(scores[place] - best) / total)
