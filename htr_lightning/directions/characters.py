"""Properties of single characters that the order of characters in two directions needs."""

import unicodedata
from collections.abc import Iterable
from functools import cache

_MIRRORED_WORDS = (("LEFT", "RIGHT"), ("LESS-THAN", "GREATER-THAN"))


@cache
def get_class(character: str) -> str:
    """Return the bidirectional class of a character, such as ``AL``; of one that is not assigned, ``L``."""
    return unicodedata.bidirectional(character) or "L"


def is_bracket(character: str) -> bool:
    """Whether a character opens or closes a pair of brackets."""
    return unicodedata.category(character) in ("Ps", "Pe") and mirror(character) != character


@cache
def mirror(character: str) -> str:
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


def reverse_clusters(text: str, places: Iterable[int]) -> list[int]:
    """Return places in reverse order; marks stay behind the characters that they belong to."""
    clusters: list[list[int]] = []
    for i in places:
        if clusters and get_class(text[i]) in ("NSM", "BN"):
            clusters[-1].append(i)
        else:
            clusters.append([i])
    return [i for cluster in reversed(clusters) for i in cluster]
