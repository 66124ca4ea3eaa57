"""Matching of things one to one, the closest first."""

from collections.abc import Iterable


def match_closest(pairs: Iterable[tuple[float, int, int]]) -> dict[int, int]:
    """Match one to one, the closest pairs first.

    Args:
        pairs: distance, and the numbers of both; pairs that must not match are left out.

    Returns:
        The number of the second of each first that has one.
    """
    matches: dict[int, int] = {}
    used: set[int] = set()
    for _, first, second in sorted(pairs):
        if first not in matches and second not in used:
            matches[first] = second
            used.add(second)
    return matches
