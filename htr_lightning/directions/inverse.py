"""From visual order, as a line is written, back to logical order, as it is stored."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from htr_lightning.directions.bidi import BaseDirection, find_base_direction, is_right_to_left, to_visual
from htr_lightning.directions.characters import get_class, is_bracket, mirror, reverse_clusters
from htr_lightning.directions.rules import find_levels, list_runs, pair_brackets, reorder

_QUOTE = "\N{QUOTATION MARK}"
_WITHOUT_LATIN = re.compile(r"[^a-zA-Z\s](?:[^a-zA-Z]*[^a-zA-Z\s])?")  # between two Latin words
_MAX_ORDERS = 40  # of a stretch of Latin words and numbers, of which one is chosen
_ALEF, _ARABIC_ALEF = "\N{HEBREW LETTER ALEF}", "\N{ARABIC LETTER ALEF}"


def order_logically(visual: str, direction: BaseDirection = "auto") -> tuple[str, list[int]]:
    """Return a text in logical order, and the place in visual order of each of its characters.

    Several texts may look the same: in a line from right to left, a number right of a Latin word may belong before or
    after it. The text that is returned looks like ``visual``, if there is one, and joins such words and numbers.

    Args:
        visual: in visual order, from left to right.
        direction: base direction of the line.
    """
    base = find_base_direction(visual, direction)
    if base == "ltr" and not any(map(is_right_to_left, visual)):
        return visual, list(range(len(visual)))
    if base == "ltr":
        return _order_left_to_right(visual)
    parts = [
        _order_island(visual, start, stop) if is_island else [_Part(*_reverse(visual, start, stop), ())]
        for start, stop, is_island in _split_islands(visual)
    ]
    return _join(visual, _choose(visual, parts))


def to_logical(visual: str, direction: BaseDirection = "auto") -> str:
    """Return a text in logical order; see `order_logically`."""
    return order_logically(visual, direction)[0]


def _order_left_to_right(visual: str) -> tuple[str, list[int]]:
    """Order a line from left to right: its phrases from right to left are turned.

    Numbers and signs beside a phrase stay outside it, unless the line's brackets and quotation marks say otherwise.
    """
    levels = find_levels(visual, 0)
    order = reorder(visual, levels)
    text = "".join(mirror(visual[i]) if levels[i] % 2 else visual[i] for i in order)
    for match in _WITHOUT_LATIN.finditer(visual):
        # A mark at either end of the phrase may belong to what is around it.
        for start, stop in itertools.product(*((i, i + step) for i, step in zip(match.span(), (1, -1), strict=True))):
            if not any(map(is_right_to_left, visual[start:stop])):
                continue
            part, places = order_logically(visual[start:stop], "rtl")
            other = text[:start] + part + text[stop:]  # text and visual have the same phrases at the same places
            if to_visual(other, "ltr") == visual and _rate(other) > _rate(text):
                text, order[start:stop] = other, [start + i for i in places]
    return text, order


@dataclass(frozen=True, slots=True)
class _Part:
    """A way to order a stretch of a line.

    Attributes:
        order: places of its characters in the line, in logical order.
        flipped: places of the characters whose mirror images are written.
        rating: how likely the order is; higher is likelier.
    """

    order: list[int]
    flipped: set[int]
    rating: tuple[int, ...]


def _join(visual: str, parts: Sequence[_Part]) -> tuple[str, list[int]]:
    """Return the text of parts that follow each other from right to left, and the places of its characters."""
    order = [i for part in reversed(parts) for i in part.order]
    flipped = set().union(*(part.flipped for part in parts))
    return "".join(mirror(visual[i]) if i in flipped else visual[i] for i in order), order


def _choose(visual: str, choices: Sequence[list[_Part]]) -> list[_Part]:
    """Choose from the orders of each part: the likeliest, unless others pair more brackets of the line."""
    chosen = [max(parts, key=lambda part: part.rating) for parts in choices]
    if 2 * _rate(_join(visual, chosen)[0])[0] == sum(map(is_bracket, visual)):
        return chosen
    for k, parts in enumerate(choices):

        def rate(part: _Part, k: int = k) -> tuple[int | tuple[int, ...], ...]:
            text = _join(visual, [*chosen[:k], part, *chosen[k + 1 :]])[0]
            return to_visual(text, "rtl") == visual, *_rate(text), part.rating

        if len(parts) > 1:
            chosen[k] = max(parts, key=rate)
    return chosen


def _reverse(visual: str, start: int, stop: int) -> tuple[list[int], set[int]]:
    return reverse_clusters(visual, range(start, stop)), set(range(start, stop))


def _split_islands(visual: str) -> list[tuple[int, int, bool]]:
    """Divide a line from right to left into islands, which have other letters or digits, and the text between them."""
    kinds: list[str] = []
    for character in visual:
        kind = get_class(character)
        if kind in ("NSM", "BN") and kinds:
            kinds.append(kinds[-1])
        else:
            kinds.append("R" if kind in ("R", "AL") else "other")
    parts = []
    for kind, start, stop in list_runs(kinds):
        is_island = kind == "other" and any(get_class(c) in ("L", "EN", "AN") for c in visual[start:stop])
        parts.append((start, stop, is_island))
    return parts


def _order_island(visual: str, start: int, stop: int) -> list[_Part]:
    """Find orders of a stretch without letters from right to left, within a line from right to left.

    It is cut at some of its gaps into pieces, which are read from left to right and follow each other from right to
    left. The best look like the stretch and have the most pairs of brackets, the best punctuation and the fewest cuts.
    """
    goal = visual[start:stop]
    left = _ALEF if start else ""  # what is around it decides on what is next to it
    right = ""
    if stop < len(visual):
        right = _ARABIC_ALEF if _find_strong(visual[stop:]) == "AL" else _ALEF
    runs = _split_runs(goal)
    inner = [k for k, run in enumerate(runs) if run[2] != "gap"]
    first, last = inner[0], inner[-1]
    forced = {*range(first), *range(last + 1, len(runs))}
    free = [k for k in range(first, last + 1) if runs[k][2] != "word"]
    choices = (cuts for number in range(len(free) + 1) for cuts in itertools.combinations(free, number))
    candidates = []
    for cuts in itertools.chain(itertools.islice(choices, _MAX_ORDERS), [tuple(free)]):
        order, flipped = _arrange(goal, runs, forced.union(cuts))
        text = "".join(mirror(goal[i]) if i in flipped else goal[i] for i in order)
        looks_alike = to_visual(right + text + left, "rtl") == left + goal + right
        rating = (looks_alike, *_rate(text), -len(cuts))
        candidates.append(_Part([start + i for i in order], {start + i for i in flipped}, rating))
    return candidates


def _find_strong(text: str) -> str:
    """Return the class of the first letter of a text."""
    return next((kind for c in text if (kind := get_class(c)) in ("L", "R", "AL")), "")


def _split_runs(text: str) -> list[tuple[int, int, str]]:
    """Divide a stretch into words, signs beside them that may belong to them, and gaps."""
    kinds = ["word" if get_class(c) in ("L", "EN", "AN") else "gap" for c in text]
    for i, character in enumerate(text):
        kind = get_class(character)
        before, after = kinds[i - 1] if i else "", kinds[i + 1] if i + 1 < len(text) else ""
        if i and kind in ("NSM", "BN"):
            kinds[i] = before
        elif kind in ("ES", "CS") and before == after == "word" and text[i - 1].isdigit() and text[i + 1].isdigit():
            kinds[i] = "word" if kind == "CS" else "sign"
        elif (kind == "ET" or is_bracket(character)) and ("word" in (before, after) or before == "sign"):
            kinds[i] = "sign"
    return [(start, stop, kind) for kind, start, stop in list_runs(kinds)]


def _rate(text: str) -> tuple[int, int]:
    """Return the number of pairs of brackets of a text, and minus the number of its oddly placed marks."""
    pairs = len(pair_brackets(text, ["ON"] * len(text)))
    padded = f" {text} "
    odd = sum(
        ((c in ",.;:!?" or unicodedata.category(c) == "Pe") and before == " ")
        or (unicodedata.category(c) == "Ps" and after == " ")
        for before, c, after in zip(padded, text, padded[2:], strict=False)
    )
    return pairs, -odd - _count_odd_quotes(padded)


def _count_odd_quotes(text: str) -> int:
    """Count the quotation marks that stand inside a word, beside two spaces, or open after a word."""
    places = [i for i, c in enumerate(text) if c == _QUOTE]
    odd = len(places) % 2
    for number, i in enumerate(places):
        outer, inner = (text[i - 1], text[i + 1]) if number % 2 == 0 else (text[i + 1], text[i - 1])
        odd += inner == " " or outer.isalnum()
    return odd


def _arrange(text: str, runs: Sequence[tuple[int, int, str]], cuts: set[int]) -> tuple[list[int], set[int]]:
    """Order a stretch that is cut at some runs, whose characters are read from right to left."""
    order: list[int] = []
    flipped: set[int] = set()
    piece: list[int] = []
    for k, (start, stop, _) in enumerate(runs):
        if k in cuts:
            order = reverse_clusters(text, range(start, stop)) + piece + order
            flipped.update(range(start, stop))
            piece = []
        else:
            piece += range(start, stop)
    return piece + order, flipped
