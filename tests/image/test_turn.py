"""Quarter turns of pages and of points on them are inverse to each other."""

import numpy as np
import pytest

from htr_lightning.image.turn import from_upright, to_upright, turn_upright


@pytest.mark.parametrize("turns", range(-1, 6))
def test_points_go_there_and_back(turns: int) -> None:
    points = np.random.default_rng(0).uniform(0, 100, (3, 7, 2))
    upright = to_upright(points, turns, 130, 90)
    np.testing.assert_allclose(from_upright(upright, turns, 130, 90), points)
    assert turns % 4 == 0 or not np.allclose(upright, points)


@pytest.mark.parametrize("turns", range(4))
def test_points_move_with_the_pixels(turns: int) -> None:
    page = np.zeros((90, 130), np.uint8)
    page[20, 100] = 255
    turned = np.ascontiguousarray(np.rot90(page, -turns))
    height, width = turned.shape
    np.testing.assert_array_equal(turn_upright(turned, turns), page)
    row, column = np.argwhere(turned)[0]
    middle = np.array([column + 0.5, row + 0.5])
    np.testing.assert_allclose(to_upright(middle, turns, width, height), [100.5, 20.5])
