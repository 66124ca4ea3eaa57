"""Vertical lines are found as columns: the first at the right, or at the left; the halves of double pages likewise."""

from typing import Any

import numpy as np
import pytest
from helpers.drawn_columns import COLUMN_PX, draw_columns, draw_rows

from htr_lightning.charset import Charset
from htr_lightning.reading.segmenters import direct_segmenter, load_segmenter
from htr_lightning.segmentation.finder import LineFinderSegmenter
from htr_lightning.segmentation.page import DetectedPage
from htr_lightning.segmentation.regions import DetectedLine
from htr_lightning.segmentation.segmenter import Segmenter

CHINESE, MONGOLIAN = Charset("一二三a"), Charset("ᠠᠡᠢ")


def find(pixels: np.ndarray, **settings: Any) -> DetectedPage:
    return load_segmenter("classical", **settings).find(pixels)


def list_lines(page: DetectedPage) -> list[DetectedLine]:
    return [line for region in page.regions for line in region.lines]


def get_middles(page: DetectedPage) -> list[float]:
    return [float(line.polygon[:, 0].mean()) for line in list_lines(page)]


def test_columns_are_found_from_the_right_the_upper_register_first() -> None:
    page = find(draw_columns((80, 540), (660, 1120)), direction="ttb")
    lines = list_lines(page)
    assert len(lines) == 20 and {(line.orientation, line.vertical) for line in lines} == {(1, "top-to-bottom")}
    assert (page.gutter, page.orientation) == (None, None)
    for half, (top, bottom) in enumerate([(80, 540), (660, 1120)]):
        of_register = lines[10 * half : 10 * half + 10]
        for number, line in enumerate(of_register):
            (first_x, first_y), (last_x, last_y) = line.baseline[0], line.baseline[-1]
            assert first_y < top + 40 and last_y > bottom - 60
            middle = 900 - 120 - number * COLUMN_PX
            assert middle - COLUMN_PX / 2 < min(first_x, last_x) <= max(first_x, last_x) < middle  # at its left
            assert line.polygon[:, 0].min() < middle < line.polygon[:, 0].max()


def test_columns_from_the_left_follow_each_other_to_the_right() -> None:
    pixels = draw_columns((80, 540), (660, 1120))
    lines = list_lines(find(pixels, direction="ttb-lr"))
    assert {(line.orientation, line.vertical) for line in lines} == {(1, "top-to-bottom")}
    middles = [line.polygon[:, 0].mean() for line in lines]
    assert len(lines) == 20 and middles[:10] == sorted(middles[:10]) and middles[10:] == sorted(middles[10:])
    assert max(line.polygon[:, 1].max() for line in lines[:10]) < min(line.polygon[:, 1].min() for line in lines[10:])
    one_register = draw_columns((80, 1100))
    assert get_middles(find(one_register, charset=MONGOLIAN)) == get_middles(find(one_register, direction="ttb-lr"))


@pytest.mark.parametrize(("direction", "halves"), [("ttb", [1, 0]), ("ttb-lr", [0, 1])])
def test_halves_of_double_pages_follow_each_other_as_columns_do(direction: str, halves: list[int]) -> None:
    half = draw_columns((80, 440), (560, 920), columns=8, width=700, height=1000, right=80)
    page = find(np.hstack([half, half]), direction=direction)
    assert page.gutter == pytest.approx(700, abs=60)
    assert [region.half for region in page.regions] == [number for number in halves for _ in range(2)]
    assert len(list_lines(page)) == 32
    for region in page.regions:
        assert all((line.polygon[:, 0].mean() > 700) == (region.half == 1) for line in region.lines)


def test_wide_pages_without_a_gutter_are_single_ones() -> None:
    page = find(draw_columns((80, 800), columns=18, width=1400, height=900), direction="ttb")
    assert page.gutter is None and [region.half for region in page.regions] == [None] and len(list_lines(page)) == 18


def test_each_page_tells_whether_its_lines_are_rows_or_columns() -> None:
    columns, rows = draw_columns((80, 1100)), draw_rows()
    assert {line.vertical for line in list_lines(find(columns, charset=CHINESE))} == {"top-to-bottom"}
    assert get_middles(find(columns, charset=CHINESE)) == get_middles(find(columns, direction="ttb"))
    for settings in ({"charset": CHINESE}, {"charset": CHINESE, "direction": "ltr"}):
        lines = list_lines(find(rows, **settings))
        assert len(lines) == 10 and {(line.orientation, line.vertical) for line in lines} == {(0, "")}
    assert not any(line.vertical for line in list_lines(find(columns, charset=CHINESE, direction="ltr")))


def test_models_of_other_scripts_never_look_for_columns() -> None:
    for segmenter in (Segmenter(), load_segmenter()):
        assert isinstance(segmenter, Segmenter | LineFinderSegmenter)
        assert direct_segmenter(segmenter) == direct_segmenter(segmenter, charset=Charset("abc一二")) == segmenter
        assert direct_segmenter(segmenter, charset=Charset("אבג", direction="auto")).direction == "rtl"  # type: ignore[attr-defined]


@pytest.mark.parametrize("direction", ["ttb", "auto"])
def test_the_network_finds_columns_and_rows_of_a_shrunken_page(direction: Any) -> None:
    segmenter = load_segmenter(direction=direction, charset=CHINESE, min_line_confidence=0.5)  # never the classical way
    lines = list_lines(segmenter.find(draw_columns((80, 1100))))
    assert len(lines) == 10 and {line.vertical for line in lines} == {"top-to-bottom"}
    assert all(line.confidence is not None and line.confidence >= 0.5 for line in lines)
    middles = [float(line.polygon[:, 0].mean()) for line in lines]
    assert middles == pytest.approx([900 - 120 - number * COLUMN_PX for number in range(10)], abs=COLUMN_PX / 3)
    if direction == "auto":
        lines = list_lines(segmenter.find(draw_rows()))
        assert len(lines) == 10 and not any(line.vertical for line in lines)


def test_the_classical_way_finds_what_the_network_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htr_lightning.segmentation.follower.LineFollower.__call__", lambda *_: [])
    page = draw_columns((80, 1100))
    assert len(list_lines(load_segmenter(charset=CHINESE).find(page))) == 10
    assert not list_lines(load_segmenter(charset=CHINESE, min_line_confidence=0.5).find(page))


@pytest.mark.parametrize("shape", [(1, 1), (8, 400), (400, 8), (300, 300), (600, 400, 3)])
def test_blank_pages_have_no_lines(shape: tuple[int, ...]) -> None:
    for finder in ("classical", "zoo:finder"):
        for value in (0, 255):
            assert not list_lines(load_segmenter(finder, charset=CHINESE).find(np.full(shape, value, np.uint8)))
