"""Pieces of one row are joined where the lines above and below cross the gap, and stay apart in columns and tables."""

import numpy as np
import pytest

from htr_lightning.segmentation.pieces import Piece, join_spanned

ABOVE, BELOW, PITCH = 10.0, 4.0, 24.0


def draw(row: int, left: float, right: float, slope: float = 0.0) -> Piece:
    """Return a piece of a row, from left to right."""
    x = np.arange(left, right + 1)
    ones = np.ones(len(x))
    return Piece(x, row * PITCH + slope * x, 0.9 * ones, ABOVE * ones, BELOW * ones, ABOVE, BELOW)


def describe(pieces: list[Piece]) -> list[tuple[int, int, int]]:
    """Return row, left and right of each piece."""
    return sorted((round(float(p.y.mean()) / PITCH), int(p.x[0]), int(p.x[-1])) for p in pieces)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_a_gap_that_its_neighbors_cross_is_closed(slope: float) -> None:
    rows = [(0, 0, 400), (1, 0, 180), (1, 240, 400), (2, 0, 390)]
    joined = join_spanned([draw(*row, slope) for row in rows])
    assert sorted(int(p.length) for p in joined) == [390, 400, 400]


def test_the_last_row_of_a_paragraph_follows_the_line_above() -> None:
    joined = join_spanned([draw(0, 0, 400), draw(1, 0, 150), draw(1, 180, 300)])
    assert describe(joined) == [(0, 0, 400), (1, 0, 300)]


def test_columns_below_a_title_stay_apart() -> None:
    rows = [(0, 0, 400), (1, 0, 180), (1, 215, 400), (2, 0, 180), (2, 215, 400)]
    assert describe(join_spanned([draw(*row) for row in rows])) == sorted(rows)


def test_cells_stay_apart_also_where_a_row_has_one_long_cell() -> None:
    rows = [(0, 0, 100), (0, 130, 400), (1, 0, 400), (2, 0, 100), (2, 130, 400), (3, 0, 100), (3, 130, 400)]
    assert describe(join_spanned([draw(*row) for row in rows])) == sorted(rows)


@pytest.mark.parametrize(
    "second", [(1, 290, 400), (1.4, 240, 400)], ids=["more than six line heights away", "at another height"]
)
def test_what_is_far_away_stays_apart(second: tuple[float, int, int]) -> None:
    pieces = [draw(0, 0, 400), draw(1, 0, 180), draw(*second), draw(2.4, 0, 400)]  # type: ignore[arg-type]
    assert len(join_spanned(pieces)) == 4


def test_nothing_is_joined_where_nothing_is() -> None:
    assert join_spanned([]) == []
    assert describe(join_spanned([draw(0, 0, 100), draw(0, 120, 300)])) == [(0, 0, 100), (0, 120, 300)]
