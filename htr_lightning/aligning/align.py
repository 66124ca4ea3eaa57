"""Aligning the text of a page to the frames of its lines."""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from htr_lightning.aligning.confidence import compute_confidences
from htr_lightning.aligning.cuts import HYPHENS, CutKind, CuttableText, build_cuttable_text, build_whole_text
from htr_lightning.aligning.frame_order import drop_inner_cuts, order_by_frames, reverse_frames
from htr_lightning.aligning.lattice import IMPOSSIBLE, JOINT, Emissions, Lattice, LineFrames, LineScores
from htr_lightning.aligning.leftovers import match_leftovers
from htr_lightning.aligning.orders import invert
from htr_lightning.aligning.search import UNPLACED, Costs, Placement, TextSearch
from htr_lightning.charset import Charset
from htr_lightning.directions.bidi import Direction, find_base_direction

_HAS_HYPHEN = 0.5  # probability of a hyphen at the end of a line from which on it is written
_MAX_JOINTS = 4  # of a line, for which all spellings are compared
_MAX_BREAK_COST = 8.0
_MIN_BREAKS = 2  # of a text, its start and end, which say nothing about the lines of the page


@dataclass(frozen=True, slots=True)
class AlignedLine:
    """A line with its text.

    Attributes:
        text: empty if no text was placed on the line.
        confidence: 0..1, the probability that exactly this text is on the line; 0 if none was placed.
        start: index of its first character in the text of the page, as `clean_page_text` returns it.
        end: index after its last character.
    """

    text: str = ""
    confidence: float = 0.0
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class TextAlignment:
    """The text of a page, cut into its lines.

    Attributes:
        lines: one for each line of the page.
        unplaced: parts of the text that are on no line, in order.
        follows_breaks: whether the line breaks of the text are those of the page.
    """

    lines: tuple[AlignedLine, ...]
    unplaced: tuple[str, ...]
    follows_breaks: bool = False


def align_text(
    lines: Sequence[LineFrames],
    text: str,
    charset: Charset,
    costs: Costs | None = None,
    orders: Sequence[Sequence[int]] = (),
) -> TextAlignment:
    """Cut the text of a page into the lines that were found on it.

    The most probable division is searched for by dynamic programming over the frames of all lines: lines may have no
    text, parts of the text no line, and parts may come in another order. Words that are divided at the end of a line
    may be joined in the text, or not. Line breaks of the text count as far as they turn out to be those of the page.

    Args:
        lines: in reading order.
        text: of the page, in logical order; may have characters that the charset lacks.
        charset: of the recognizer that the frames are from; with a direction, the text is put into visual order.
        costs: of what may differ; None for those that were chosen on real pages.
        orders: other orders in which the lines may have been transcribed, each as numbers of the lines; the one that
            fits best is taken.
    """
    costs = costs or Costs()
    base = find_base_direction(text, charset.direction) if charset.direction else None
    cuttable = drop_inner_cuts(build_cuttable_text(text), base)
    if not cuttable.characters or not lines:
        parts = (cuttable.characters,) if cuttable.characters else ()
        return TextAlignment(tuple(AlignedLine() for _ in lines), parts)
    shown, _ = order_by_frames(cuttable.characters, base)
    emissions = Emissions(cuttable.characters + shown, charset)
    scores = [emissions.score(reverse_frames(line, base)) for line in lines]
    columns, missing = emissions.index(shown), emissions.compute_missing_costs(shown)
    search, order = _choose_order(TextSearch(scores, cuttable, columns, missing), orders, costs)
    follows = False
    if cuttable.num_breaks > _MIN_BREAKS:
        costs, follows = _estimate_break_costs(cuttable, search.find_parts(costs), costs)
    placements = _remove_overlaps(cuttable, search.place_lines(costs))
    read = [line.read for line in search.lines]
    shown_texts = [
        order_by_frames(cuttable.get_text(p.start, p.end), base)[0] if p.is_placed else "" for p in placements
    ]
    confidences = compute_confidences(placements, read, shown_texts, cuttable.num_cuts - 1)
    for number, leftover in match_leftovers(placements, read, cuttable, base).items():
        placements[number], confidences[number] = leftover.placement, leftover.confidence
    aligned = [
        _write_line(placement, confidence, line, cuttable, _Spelling(emissions, base))
        for placement, confidence, line in zip(placements, confidences, search.lines, strict=True)
    ]
    return TextAlignment(
        tuple(aligned[place] for place in invert(order)), tuple(_list_unplaced(cuttable, placements)), follows
    )


def _choose_order(
    search: TextSearch, orders: Sequence[Sequence[int]], costs: Costs
) -> tuple[TextSearch, Sequence[int]]:
    """Return the search with the lines in the order that fits the text best, and this order."""
    given = list(range(len(search.lines)))
    others = [list(order) for order in orders if list(order) != given]
    if not others:
        return search, given
    searches = [(search, given)]
    searches += [(replace(search, lines=[search.lines[n] for n in order]), order) for order in others]
    scores = [candidate.score(costs) for candidate, _ in searches]
    return searches[int(np.argmax(scores))]


def _estimate_break_costs(text: CuttableText, parts: Sequence[tuple[int, int]], costs: Costs) -> tuple[Costs, bool]:
    """Return the costs of line ends that differ from the breaks of the text, by how often they did at first."""
    placed = [(start, end) for start, end in parts if start != UNPLACED]
    ends = [end for _, end in placed if end < text.num_cuts - 1]
    at_break = sum(text.kinds[end] == CutKind.BREAK for end in ends)
    crossed = sum(int(text.breaks_before_end[end] - text.breaks_before_start[start]) for start, end in placed)
    missing_rate = (len(ends) - at_break + 0.5) / (len(ends) + 1)
    crossed_rate = (crossed + 0.5) / (crossed + at_break + 1)
    return (
        replace(
            costs,
            break_missing=min(_MAX_BREAK_COST, -math.log(missing_rate)),
            break_crossed=min(_MAX_BREAK_COST, -math.log(crossed_rate)),
        ),
        bool(missing_rate < 0.5),
    )


def _remove_overlaps(text: CuttableText, placements: Sequence[Placement]) -> list[Placement]:
    """Return the placements without those whose text another line has with more certainty."""
    kept = list(placements)
    taken = np.zeros(len(text.characters), bool)
    order = sorted(range(len(kept)), key=lambda number: -kept[number].margin)
    for number in order:
        placement = kept[number]
        if not placement.is_placed:
            continue
        part = slice(int(text.starts[placement.start]), int(text.ends[placement.end]))
        if taken[part].any():
            kept[number] = Placement()
        else:
            taken[part] = True
    return kept


@dataclass(frozen=True, slots=True)
class _Spelling:
    """Finds the most probable spelling of the text of a line.

    Attributes:
        emissions: scores of characters.
        base: base direction of the text; see `order_by_frames`.
    """

    emissions: Emissions
    base: Direction | None

    def join_words(self, written: str, line: LineScores) -> str:
        """Return the most probable spelling of words that the text divides in a line: ``vou- loir``, ``vouloir``."""
        joints = list(JOINT.finditer(written))
        if not joints or len(joints) > _MAX_JOINTS:
            return written
        pieces, last = [], 0
        for match in joints:
            pieces.append(written[last : match.start()])
            last = match.end()
        spellings = []
        for choice in itertools.product(*((match[1], match[1][0], "") for match in joints)):
            spelling = "".join(itertools.chain(*zip(pieces, choice, strict=True))) + written[last:]
            spellings.append((self._score(spelling, line), spelling))
        return max(spellings)[1]

    def _score(self, written: str, line: LineScores) -> float:
        """Return the score of a whole text on a line."""
        columns = self.emissions.index(order_by_frames(written, self.base)[0])
        # Spaces and hyphens count in full here, unlike in the search.
        lattice = Lattice(build_whole_text(written), columns, np.full(len(written), 4.0, np.float32))
        return float(lattice.search(line, np.array([0.0, IMPOSSIBLE], np.float32))[-1])


def _write_line(
    placement: Placement, confidence: float, line: LineScores, text: CuttableText, spelling: _Spelling
) -> AlignedLine:
    """Return a line with its text as it stands on the page: with the hyphen at its end, without those inside."""
    if not placement.is_placed:
        return AlignedLine()
    written = spelling.join_words(text.get_text(placement.start, placement.end), line)
    if text.kinds[placement.end] == CutKind.WORD and line.hyphen >= _HAS_HYPHEN:
        written += "-"
    return AlignedLine(written, confidence, int(text.starts[placement.start]), int(text.ends[placement.end]))


def _list_unplaced(text: CuttableText, placements: Sequence[Placement]) -> list[str]:
    """Return the parts of the text that are on no line."""
    taken = np.zeros(len(text.characters) + 1, bool)
    for placement in placements:
        if placement.is_placed:
            taken[text.starts[placement.start] : text.ends[placement.end]] = True
    taken[-1] = True
    edges = np.flatnonzero(np.diff(np.r_[True, taken].astype(int)))
    parts = (text.characters[start:end].strip() for start, end in zip(edges[::2], edges[1::2], strict=True))
    return [part for part in parts if re.search(r"\w", part) or part.strip(HYPHENS + " .,")]
