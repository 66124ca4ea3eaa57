"""Halves of double pages, turned writing, and the distance of lines."""

import numpy as np
import pytest
from helpers.page_maps import detected

from htr_lightning.image.turn import to_upright
from htr_lightning.segmentation.grouping import estimate_spacing, from_turned, group_page
from htr_lightning.segmentation.halves import find_gutter
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion

WIDTH, HEIGHT = 1700, 1000


def block(left: float, right: float, count: int, top: float = 100) -> list[DetectedLine]:
    return [detected(left, right, top + 50 * number) for number in range(count)]


def assert_order(regions: list[DetectedRegion], lines: list[DetectedLine]) -> None:
    ordered = [line.baseline.tolist() for region in regions for line in region.lines]
    assert ordered == [line.baseline.tolist() for line in lines]


def test_the_gutter_is_between_the_halves() -> None:
    lines = block(100, 780, 8) + block(920, 1600, 6)
    assert find_gutter(lines, WIDTH, HEIGHT) == pytest.approx(850, abs=12)


@pytest.mark.parametrize(
    ("lines", "width"),
    [
        (block(100, 780, 8) + block(920, 1600, 6), 1000),  # upright page: columns
        (block(100, 1600, 8), WIDTH),  # lines across
        (block(100, 780, 8), WIDTH),  # an empty half
        (block(100, 780, 8) + block(920, 1600, 2), WIDTH),
        (block(100, 846, 8) + block(850, 1600, 8), WIDTH),  # no gap
        ([], WIDTH),
    ],
    ids=["upright", "across", "half", "few", "no gap", "none"],
)
def test_a_single_page_has_no_gutter(lines: list[DetectedLine], width: float) -> None:
    assert find_gutter(lines, width, HEIGHT) is None


def test_the_left_half_precedes_the_right_one() -> None:
    left, right = block(100, 780, 8, top=300), block(920, 1600, 6, top=60)
    regions = group_page([*right, *left], WIDTH, HEIGHT).regions
    halves = [region.half for region in regions]
    assert halves == sorted(halves) and set(halves) == {0, 1}
    assert_order(regions, [*left, *right])
    assert {region.half for region in group_page(block(100, 1600, 5), WIDTH, HEIGHT).regions} == {None}


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_lines_follow_in_their_own_order(turns: int) -> None:
    size = (HEIGHT, WIDTH) if turns % 2 else (WIDTH, HEIGHT)
    notes = [from_turned(line, turns, WIDTH, HEIGHT) for line in block(20, size[0] / 2, 4, top=30)]
    assert {line.orientation for line in notes} == {turns}
    for line, upright in zip(notes, block(20, size[0] / 2, 4, top=30), strict=True):
        np.testing.assert_allclose(to_upright(line.baseline, turns, WIDTH, HEIGHT), upright.baseline, atol=1e-3)
    text = block(400, 1300, 9)
    regions = group_page([*notes[::-1], *text], WIDTH, HEIGHT).regions
    assert_order(regions, [*text, *notes])
    assert [region.orientation for region in regions] == sorted(region.orientation for region in regions)


def test_the_spacing_of_lines() -> None:
    lines = [detected(0, 500, y) for y in (100, 150, 210, 260)]
    assert estimate_spacing(lines, HEIGHT) == 50
    assert estimate_spacing([*lines, detected(700, 900, 105)], HEIGHT) == 50
    assert estimate_spacing(lines[:1], HEIGHT) == HEIGHT / 40
    assert estimate_spacing([detected(0, 100, 50), detected(300, 400, 80)], HEIGHT) == HEIGHT / 40
