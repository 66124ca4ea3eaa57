"""Lines and parts of a text that the search has left, such as a heading that was transcribed elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from htr_lightning.aligning.cuts import CuttableText
from htr_lightning.aligning.frame_order import order_by_frames
from htr_lightning.aligning.search import Placement
from htr_lightning.directions.bidi import Direction

_MIN_LENGTH = 5  # characters of a part, and of what is read
_MAX_DISTANCE = 0.35  # normalized Levenshtein distance of a part to what is read
_CONFIDENCE = 0.85  # of a part that is read as it is


@dataclass(frozen=True, slots=True)
class Leftover:
    """A part of the text that is on a line of its own.

    Attributes:
        placement: of the part.
        confidence: 0..1.
    """

    placement: Placement
    confidence: float


def match_leftovers(
    placements: Sequence[Placement], read: Sequence[str], text: CuttableText, base: Direction | None
) -> dict[int, Leftover]:
    """Match lines without text to the parts of the text that no line has, where the whole part resembles the line.

    A single line in another place would cost the search two jumps, more than to leave it without text.

    Args:
        placements: of the lines.
        read: what the recognizer reads in each, in the order of the frames.
        text: of the page.
        base: its base direction; see `order_by_frames`.

    Returns:
        The part of each line that has one, by the number of the line; the most similar pairs first.
    """
    pairs = []
    for start, end in _list_parts(placements, text.num_cuts - 1):
        part, _ = order_by_frames(text.get_text(start, end), base)
        for number, placement in enumerate(placements):
            if placement.is_placed or min(len(part), len(read[number])) < _MIN_LENGTH:
                continue
            distance = Levenshtein.normalized_distance(part, read[number])
            if distance <= _MAX_DISTANCE:
                pairs.append((distance, number, start, end))
    matches: dict[int, Leftover] = {}
    used: set[int] = set()
    for distance, number, start, end in sorted(pairs):
        if number not in matches and start not in used:
            matches[number] = Leftover(Placement(start, end), _CONFIDENCE * (1 - distance))
            used.add(start)
    return matches


def _list_parts(placements: Sequence[Placement], last_cut: int) -> list[tuple[int, int]]:
    """Return the cuts around each part of the text that no line has."""
    parts, cut = [], 0
    for start, end in sorted((placement.start, placement.end) for placement in placements if placement.is_placed):
        if start > cut:
            parts.append((cut, start))
        cut = max(cut, end)
    return [*parts, (cut, last_cut)] if last_cut > cut else parts
