"""Two directions in one line: texts in logical order, as they are stored, and in visual order, as they are written.

A network reads a line from left to right, so it learns texts in visual order. `to_visual` follows the Unicode
Bidirectional Algorithm (UAX 9, revision 48) without its explicit directional marks, which no handwriting shows.
"""

import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal

Direction = Literal["ltr", "rtl"]
BaseDirection = Literal["auto", "ltr", "rtl"]
"""Direction of a line: given, or that of most of its letters."""

_QUOTE = "\N{QUOTATION MARK}"
MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Invisible characters that set directions."""
_WITHOUT_MARKS = str.maketrans("", "", MARKS)
_MIRRORED_WORDS = (("LEFT", "RIGHT"), ("LESS-THAN", "GREATER-THAN"))
_MAX_ORDERS = 40  # of a stretch of Latin words and numbers, of which one is chosen
_STRONG = ("L", "R")
_ALEF, _ARABIC_ALEF = "\N{HEBREW LETTER ALEF}", "\N{ARABIC LETTER ALEF}"


def remove_marks(text: str) -> str:
    """Remove the invisible characters that set directions."""
    return text.translate(_WITHOUT_MARKS)


def is_right_to_left(character: str) -> bool:
    """Whether a character is a letter or digit that is written from right to left, such as Hebrew and Arabic ones."""
    return _get_class(character) in ("R", "AL", "AN")


def find_base_direction(text: str, direction: BaseDirection = "auto") -> Direction:
    """Return the base direction of a line: as given, or that of most of its letters, whatever their order."""
    if direction != "auto":
        return direction
    classes = [_get_class(character) for character in text]
    return "rtl" if sum(c in ("R", "AL") for c in classes) > sum(c == "L" for c in classes) else "ltr"


def to_visual(text: str, direction: BaseDirection = "auto") -> str:
    """Return a text in visual order, from left to right, with the glyphs of its brackets; without directional marks.

    Args:
        text: in logical order.
        direction: base direction of the line.
    """
    text = remove_marks(text)
    return "".join(character for character, _ in order_visually(text, direction))


def order_visually(text: str, direction: BaseDirection = "auto") -> list[tuple[str, int]]:
    """Return the characters of a text in visual order, brackets mirrored where needed, each with its place in the text.

    Args:
        text: in logical order, without directional marks.
        direction: base direction of the line.
    """
    base = find_base_direction(text, direction)
    if base == "ltr" and not any(map(is_right_to_left, text)):
        return [(character, place) for place, character in enumerate(text)]
    levels = _find_levels(text, int(base == "rtl"))
    return [(_mirror(text[i]) if levels[i] % 2 else text[i], i) for i in _reorder(text, levels)]


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
        levels = _find_levels(visual, 0)
        order = _reorder(visual, levels)
        return "".join(_mirror(visual[i]) if levels[i] % 2 else visual[i] for i in order), order
    order, flipped = [], set[int]()
    for start, stop, is_island in _split_islands(visual):
        if is_island:
            part, turned = _order_island(visual, start, stop)
        else:
            part, turned = _reverse_clusters(visual, range(start, stop)), set(range(start, stop))
        order = part + order
        flipped |= turned
    return "".join(_mirror(visual[i]) if i in flipped else visual[i] for i in order), order


def to_logical(visual: str, direction: BaseDirection = "auto") -> str:
    """Return a text in logical order; see `order_logically`."""
    return order_logically(visual, direction)[0]


def _split_islands(visual: str) -> list[tuple[int, int, bool]]:
    """Divide a line from right to left into islands, which have other letters or digits, and the text between them."""
    kinds: list[str] = []
    for character in visual:
        kind = _get_class(character)
        if kind in ("NSM", "BN") and kinds:
            kinds.append(kinds[-1])
        else:
            kinds.append("R" if kind in ("R", "AL") else "other")
    parts = []
    for kind, start, stop in _list_runs(kinds):
        is_island = kind == "other" and any(_get_class(c) in ("L", "EN", "AN") for c in visual[start:stop])
        parts.append((start, stop, is_island))
    return parts


def _order_island(visual: str, start: int, stop: int) -> tuple[list[int], set[int]]:
    """Order a stretch without letters from right to left, within a line from right to left.

    It is cut at some of its gaps into pieces, which are read from left to right and follow each other from right to
    left. Of those that look like the stretch, the one with the most pairs of brackets, the best punctuation and the
    fewest cuts is taken.

    Returns:
        The places in logical order, and those whose brackets are mirrored.
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
        text = "".join(_mirror(goal[i]) if i in flipped else goal[i] for i in order)
        looks_alike = to_visual(right + text + left, "rtl") == left + goal + right
        candidates.append(((looks_alike, *_rate(text), -len(cuts)), order, flipped))
    _, order, flipped = max(candidates, key=lambda candidate: candidate[0])
    return [start + i for i in order], {start + i for i in flipped}


def _find_strong(text: str) -> str:
    """Return the class of the first letter of a text."""
    return next((kind for c in text if (kind := _get_class(c)) in ("L", "R", "AL")), "")


def _split_runs(text: str) -> list[tuple[int, int, str]]:
    """Divide a stretch into words, signs beside them that may belong to them, and gaps."""
    kinds = ["word" if _get_class(c) in ("L", "EN", "AN") else "gap" for c in text]
    for i, character in enumerate(text):
        kind = _get_class(character)
        before, after = kinds[i - 1] if i else "", kinds[i + 1] if i + 1 < len(text) else ""
        if i and kind in ("NSM", "BN"):
            kinds[i] = before
        elif kind in ("ES", "CS") and before == after == "word" and text[i - 1].isdigit() and text[i + 1].isdigit():
            kinds[i] = "word" if kind == "CS" else "sign"
        elif (kind == "ET" or _is_bracket(character)) and ("word" in (before, after) or before == "sign"):
            kinds[i] = "sign"
    return [(start, stop, kind) for kind, start, stop in _list_runs(kinds)]


def _rate(text: str) -> tuple[int, int]:
    """Return the number of pairs of brackets of a text, and minus the number of its oddly placed marks."""
    pairs = len(_pair_brackets(text, ["ON"] * len(text)))
    padded = f" {text} "
    odd = sum(
        ((c in ",.;:!?" or unicodedata.category(c) == "Pe") and before == " ")
        or (unicodedata.category(c) == "Ps" and after == " ")
        for before, c, after in zip(padded, text, padded[2:], strict=False)
    )
    odd += sum(word.count(_QUOTE) % 2 for word in text.split())
    return pairs, -odd


def _arrange(text: str, runs: Sequence[tuple[int, int, str]], cuts: set[int]) -> tuple[list[int], set[int]]:
    """Order a stretch that is cut at some runs, whose characters are read from right to left."""
    order: list[int] = []
    flipped: set[int] = set()
    piece: list[int] = []
    for k, (start, stop, _) in enumerate(runs):
        if k in cuts:
            order = _reverse_clusters(text, range(start, stop)) + piece + order
            flipped.update(range(start, stop))
            piece = []
        else:
            piece += range(start, stop)
    return piece + order, flipped


def _reverse_clusters(text: str, places: Iterable[int]) -> list[int]:
    """Return places in reverse order; marks stay behind the characters that they belong to."""
    clusters: list[list[int]] = []
    for i in places:
        if clusters and _get_class(text[i]) in ("NSM", "BN"):
            clusters[-1].append(i)
        else:
            clusters.append([i])
    return [i for cluster in reversed(clusters) for i in cluster]


def _reorder(text: str, levels: Sequence[int]) -> list[int]:
    """Return the places of the characters in visual order (rules L2 and L3)."""
    order = list(range(len(text)))
    for level in range(max(levels, default=0), 0, -1):
        result: list[int] = []
        for is_higher, group in itertools.groupby(order, key=lambda i: levels[i] >= level):
            places = list(group)
            result += _reverse_clusters(text, places) if is_higher else places
        order = result
    return order


def _find_levels(text: str, base: int) -> list[int]:
    """Return the embedding level of each character (rules W1 to L1)."""
    kinds = _resolve_weak([_get_class(character) for character in text], _STRONG[base])
    _resolve_brackets(text, kinds, base)
    _resolve_neutrals(kinds, base)
    levels = []
    for kind in kinds:
        if base % 2 == 0:
            levels.append({"L": base, "R": base + 1}.get(kind, base + 2))
        else:
            levels.append(base if kind == "R" else base + 1)
    for i in range(len(text) - 1, -1, -1):  # L1
        if _get_class(text[i]) not in ("WS", "S", "B", "BN"):
            break
        levels[i] = base
    return levels


def _resolve_weak(kinds: list[str], sos: str) -> list[str]:
    """Apply rules W1 to W7 to the bidirectional classes of a line."""
    for i, kind in enumerate(kinds):  # W1
        if kind in ("NSM", "BN"):
            kinds[i] = kinds[i - 1] if i else sos
    strong = sos
    for i, kind in enumerate(kinds):  # W2
        if kind in ("L", "R", "AL"):
            strong = kind
        elif kind == "EN" and strong == "AL":
            kinds[i] = "AN"
    kinds = ["R" if kind == "AL" else kind for kind in kinds]  # W3
    for i in range(1, len(kinds) - 1):  # W4
        before, after = kinds[i - 1], kinds[i + 1]
        if before == after and ((before == "EN" and kinds[i] in ("ES", "CS")) or (before == "AN" and kinds[i] == "CS")):
            kinds[i] = before
    for kind, start, stop in _list_runs(kinds):  # W5
        neighbors = (kinds[start - 1] if start else "", kinds[stop] if stop < len(kinds) else "")
        if kind == "ET" and "EN" in neighbors:
            kinds[start:stop] = ["EN"] * (stop - start)
    kinds = ["ON" if kind in ("ES", "CS", "ET") else kind for kind in kinds]  # W6
    strong = sos
    for i, kind in enumerate(kinds):  # W7
        if kind in _STRONG:
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[i] = "L"
    return kinds


def _list_runs(kinds: Sequence[str]) -> list[tuple[str, int, int]]:
    runs, start = [], 0
    for kind, group in itertools.groupby(kinds):
        stop = start + len(list(group))
        runs.append((kind, start, stop))
        start = stop
    return runs


def _resolve_brackets(text: str, kinds: list[str], base: int) -> None:
    """Apply rule N0: a pair of brackets has the direction of what is in it, or of what is before it."""
    embedding = _STRONG[base]
    for first, last in _pair_brackets(text, kinds):
        inner = {_to_strong(kind) for kind in kinds[first + 1 : last]}
        direction = ""
        if embedding in inner:
            direction = embedding
        elif _STRONG[1 - base] in inner:
            before = next((s for kind in reversed(kinds[:first]) if (s := _to_strong(kind))), embedding)
            direction = before
        if direction:
            for i in (first, last):
                kinds[i] = direction
                for k in range(i + 1, len(text)):  # marks follow their bracket
                    if _get_class(text[k]) != "NSM":
                        break
                    kinds[k] = direction


def _pair_brackets(text: str, kinds: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of paired brackets (definition BD16), by the first."""
    pairs, stack = [], list[int]()
    for i, character in enumerate(text):
        if kinds[i] != "ON" or not _is_bracket(character):
            continue
        if unicodedata.category(character) == "Ps":
            stack.append(i)
            continue
        for depth in range(len(stack) - 1, -1, -1):
            if _mirror(text[stack[depth]]) == character:
                pairs.append((stack[depth], i))
                del stack[depth:]
                break
    return sorted(pairs)


def _resolve_neutrals(kinds: list[str], base: int) -> None:
    """Apply rules N1 and N2: neutrals between two equal directions have it, others that of the line."""
    is_neutral = ["N" if kind in ("ON", "WS", "B", "S") else "" for kind in kinds]
    for kind, start, stop in _list_runs(is_neutral):
        if kind:
            before = _to_strong(kinds[start - 1]) if start else _STRONG[base]
            after = _to_strong(kinds[stop]) if stop < len(kinds) else _STRONG[base]
            kinds[start:stop] = [before if before == after else _STRONG[base]] * (stop - start)


def _to_strong(kind: str) -> str:
    """Return the direction that a resolved class counts as beside neutrals; empty for neutrals."""
    return "R" if kind in ("R", "EN", "AN") else "L" if kind == "L" else ""


@cache
def _get_class(character: str) -> str:
    return unicodedata.bidirectional(character) or "L"


def _is_bracket(character: str) -> bool:
    return unicodedata.category(character) in ("Ps", "Pe") and _mirror(character) != character


@cache
def _mirror(character: str) -> str:
    """Return the mirror image of a character, such as ``)`` for ``(``; the character itself if it has none."""
    if not unicodedata.mirrored(character):
        return character
    name = unicodedata.name(character, "")
    for pair in _MIRRORED_WORDS:
        for word, other in (pair, pair[::-1]):
            if word in name:
                try:
                    return unicodedata.lookup(name.replace(word, other))
                except KeyError:
                    return character
    return character
