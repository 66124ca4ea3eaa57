"""Found lines are counted as by hand."""

import numpy as np
import pytest

from htr_lightning.segmentation.line_scores import LineCounts, count_matches, estimate_pitch


def line(left: float, right: float, y: float) -> np.ndarray:
    return np.array([(left, y), (right, y)], np.float32)


TRUE = [line(1000, 2000, 100), line(1000, 2000, 200), line(1000, 2000, 300)]  # pitch 100


@pytest.mark.parametrize(
    ("found", "matches"),
    [
        (line(1000, 2000, 100), True),
        (line(1000, 2000, 139), True),
        (line(1000, 2000, 141), False),
        (line(1000, 2000, 161), True),  # of the line below
        (line(1000, 1710, 100), True),
        (line(1000, 1690, 100), False),
        (line(705, 2000, 100), True),
        (line(695, 2000, 100), False),
        (line(1000, 2305, 100), False),
        (line(1000, 2000, 345), False),
    ],
)
def test_one_line(found: np.ndarray, matches: bool) -> None:
    assert count_matches(TRUE, [found]) == LineCounts(3, 1, int(matches))


def test_lines_are_matched_one_to_one_and_the_closest_first() -> None:
    counts = count_matches(TRUE, [line(1000, 2000, 110), line(1000, 2000, 95), line(1000, 2000, 300)])
    assert counts == LineCounts(3, 3, 2)
    assert counts.precision == counts.recall == pytest.approx(2 / 3)
    total = counts + LineCounts(1, 0, 0)
    assert (total.precision, total.recall) == (pytest.approx(2 / 3), 0.5)
    assert total.f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))


def test_points_may_be_in_any_order_and_vertical_lines_do_not_count() -> None:
    vertical = np.array([(10, 0), (12, 500)], np.float32)
    assert count_matches([*TRUE, vertical], [TRUE[0][::-1], vertical]) == LineCounts(3, 1, 1)


def test_nothing_found_and_nothing_there() -> None:
    assert (LineCounts().precision, LineCounts().recall, LineCounts().f1) == (1, 1, 1)
    assert (LineCounts(2, 0, 0).precision, LineCounts(2, 0, 0).f1) == (0, 0)
    assert LineCounts(0, 2, 0).f1 == 0


def test_the_pitch() -> None:
    assert estimate_pitch(TRUE) == 100
    assert estimate_pitch([*TRUE, line(5000, 6000, 110)]) == 100  # beside the others
    assert estimate_pitch(TRUE[:1]) == 60
