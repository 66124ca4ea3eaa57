"""Other orders in which the lines of a page may have been transcribed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GAP = 0.028  # of the width of the page, between the starts of two columns
_MIN_LINES = 3  # of a column


def order_by_columns(extents: NDArray[np.floating], width_px: int) -> list[int]:
    """Return the order of lines column by column, each from top to bottom, as tables are often transcribed.

    Args:
        extents: ``(N, 2)`` px, of each line the distance of its start from the edge of the page where lines start (of
            its left end from the left edge; from the right ones if the page is read from right to left), and its middle
            height.
        width_px: of the page.

    Returns:
        The numbers of the lines; in the order given if the page has no two columns of lines.
    """
    if not len(extents):
        return []
    starts = np.sort(extents[:, 0])
    edges = starts[1:][np.diff(starts) > _GAP * width_px]
    columns = np.searchsorted(edges, extents[:, 0], "right")
    if (np.bincount(columns) >= _MIN_LINES).sum() < 2:
        return list(range(len(extents)))
    return [int(number) for number in np.lexsort((extents[:, 1], columns))]


def invert(order: Sequence[int]) -> list[int]:
    """Return the place of each line in an order."""
    places = [0] * len(order)
    for place, number in enumerate(order):
        places[number] = place
    return places
