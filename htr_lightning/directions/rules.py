"""The rules of the Unicode Bidirectional Algorithm: levels of characters, and their order by level."""

import itertools
import unicodedata
from collections.abc import Sequence

from htr_lightning.directions.characters import get_class, is_bracket, mirror, reverse_clusters

_STRONG = ("L", "R")


def find_levels(text: str, base: int) -> list[int]:
    """Return the embedding level of each character (rules W1 to L1)."""
    kinds = _resolve_weak([get_class(character) for character in text], _STRONG[base])
    _resolve_brackets(text, kinds, base)
    _resolve_neutrals(kinds, base)
    levels = []
    for kind in kinds:
        if base % 2 == 0:
            levels.append({"L": base, "R": base + 1}.get(kind, base + 2))
        else:
            levels.append(base if kind == "R" else base + 1)
    for i in range(len(text) - 1, -1, -1):  # L1
        if get_class(text[i]) not in ("WS", "S", "B", "BN"):
            break
        levels[i] = base
    return levels


def reorder(text: str, levels: Sequence[int]) -> list[int]:
    """Return the places of the characters in visual order (rules L2 and L3)."""
    order = list(range(len(text)))
    for level in range(max(levels, default=0), 0, -1):
        result: list[int] = []
        for is_higher, group in itertools.groupby(order, key=lambda i: levels[i] >= level):
            places = list(group)
            result += reverse_clusters(text, places) if is_higher else places
        order = result
    return order


def pair_brackets(text: str, kinds: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of paired brackets (definition BD16), by the first."""
    pairs, stack = [], list[int]()
    for i, character in enumerate(text):
        if kinds[i] != "ON" or not is_bracket(character):
            continue
        if unicodedata.category(character) == "Ps":
            stack.append(i)
            continue
        for depth in range(len(stack) - 1, -1, -1):
            if mirror(text[stack[depth]]) == character:
                pairs.append((stack[depth], i))
                del stack[depth:]
                break
    return sorted(pairs)


def list_runs(kinds: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return the runs of equal kinds, each with its start and end."""
    runs, start = [], 0
    for kind, group in itertools.groupby(kinds):
        stop = start + len(list(group))
        runs.append((kind, start, stop))
        start = stop
    return runs


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
    for kind, start, stop in list_runs(kinds):  # W5
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


def _resolve_brackets(text: str, kinds: list[str], base: int) -> None:
    """Apply rule N0: a pair of brackets has the direction of what is in it, or of what is before it."""
    embedding = _STRONG[base]
    for first, last in pair_brackets(text, kinds):
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
                    if get_class(text[k]) != "NSM":
                        break
                    kinds[k] = direction


def _resolve_neutrals(kinds: list[str], base: int) -> None:
    """Apply rules N1 and N2: neutrals between two equal directions have it, others that of the line."""
    is_neutral = ["N" if kind in ("ON", "WS", "B", "S") else "" for kind in kinds]
    for kind, start, stop in list_runs(is_neutral):
        if kind:
            before = _to_strong(kinds[start - 1]) if start else _STRONG[base]
            after = _to_strong(kinds[stop]) if stop < len(kinds) else _STRONG[base]
            kinds[start:stop] = [before if before == after else _STRONG[base]] * (stop - start)


def _to_strong(kind: str) -> str:
    """Return the direction that a resolved class counts as beside neutrals; empty for neutrals."""
    return "R" if kind in ("R", "EN", "AN") else "L" if kind == "L" else ""
