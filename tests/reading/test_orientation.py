"""Lines that are upside down are turned, if they are read with more confidence then."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from htr_lightning.data.line import Line
from htr_lightning.decode.positions import Character
from htr_lightning.image.scan import Scan
from htr_lightning.model.load import load_recognizer
from htr_lightning.reading.line_crops import LineCrop, LineCropper, SegmentedPage, flip_crop
from htr_lightning.reading.lines import LineReader, Prediction
from htr_lightning.reading.orientation import turn_by_confidence
from htr_lightning.reading.page import PredictedLine, PredictedRegion
from htr_lightning.reading.pages import PageReader

WIDTH, HEIGHT = 300, 200


def make_line(id: str, orientation: int) -> PredictedLine:
    """A line with a dark mark at its start, as it lies on the page."""
    box = {0: (40, 50, 160, 70), 1: (200, 30, 220, 150), 2: (40, 100, 160, 120), 3: (250, 30, 270, 150)}[orientation]
    left, top, right, bottom = box
    polygon = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    ends = {
        0: [(left, bottom - 4), (right, bottom - 4)],
        1: [(left + 4, top), (left + 4, bottom)],
        2: [(right, top + 4), (left, top + 4)],
        3: [(right - 4, bottom), (right - 4, top)],
    }[orientation]
    return PredictedLine(id, polygon=polygon, baseline=np.array(ends, np.float32), orientation=orientation)


def make_page(orientations: Sequence[int], orientation: int | None = 0) -> SegmentedPage:
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 255, (HEIGHT, WIDTH)).astype(np.uint8)
    crop = LineCropper(pixels, 20.0)
    regions = []
    for number, turns in enumerate(orientations):
        line = make_line(f"l{number}", turns)
        regions.append((PredictedRegion(f"r{number}", line.polygon, (line,)), (crop(line),)))
    return SegmentedPage(Scan(Path("page.png")), pixels, tuple(regions), orientation=orientation)


def prefer(*orientations: int):  # type: ignore[no-untyped-def]
    """Return a measure of confidence that is high for writing in these orientations."""

    def measure(crops: Sequence[LineCrop]) -> float:
        return float(np.mean([0.9 if crop.line.orientation in orientations else 0.3 for crop in crops]))

    return measure


@pytest.mark.parametrize("turns", range(4))
def test_crops_of_turned_lines_show_the_same_pixels_of_the_page(turns: int) -> None:
    page = make_page([turns])
    crop = page.regions[0][1][0]
    assert crop.pixels is not None and crop.to_page is not None
    assert crop.pixels.shape[1] > 4 * crop.pixels.shape[0]
    for flipped in (crop, flip_crop(crop)):
        assert flipped.pixels is not None and flipped.to_page is not None
        for x, y in ((3, 3), (60, 9), (100, 15)):
            column, row = np.floor(flipped.to_page(np.array([x + 0.5, y + 0.5]))).astype(int)
            assert flipped.pixels[y, x] == page.pixels[row, column]


def test_flipping_twice_changes_nothing() -> None:
    crop = make_page([1]).regions[0][1][0]
    again = flip_crop(flip_crop(crop))
    assert again.line.orientation == 1
    np.testing.assert_array_equal(again.line.baseline, crop.line.baseline)
    np.testing.assert_array_equal(again.pixels, crop.pixels)


def test_lines_of_characters_below_each_other_stay() -> None:
    page = make_page([1, 1])
    regions = tuple(
        (region, tuple(replace(crop, line=replace(crop.line, vertical="top-to-bottom")) for crop in crops))
        for region, crops in page.regions
    )
    vertical = replace(page, regions=regions)
    assert turn_by_confidence(page, prefer(3)) is not page and turn_by_confidence(vertical, prefer(3)) is vertical


def test_vertical_lines_are_turned_to_the_side_on_which_they_can_be_read() -> None:
    page = turn_by_confidence(make_page([0, 1, 1]), prefer(0, 3))
    assert [crop.line.orientation for _, crops in page.regions for crop in crops] == [0, 3, 3]
    assert [region.id for region, _ in page.regions] == ["r0", "r2", "r1"]
    assert [region.lines[0].orientation for region, _ in page.regions] == [0, 3, 3]
    assert page.orientation == 0


def test_a_page_that_is_upside_down_is_read_from_its_end() -> None:
    page = turn_by_confidence(make_page([0, 0]), prefer(2))
    assert [crop.line.orientation for _, crops in page.regions for crop in crops] == [2, 2]
    assert [region.id for region, _ in page.regions] == ["r1", "r0"]
    assert page.orientation == 2


def test_legible_lines_are_not_tried() -> None:
    tried = []

    def measure(crops: Sequence[LineCrop]) -> float:
        tried.append(len(crops))
        return 0.8

    page = make_page([0] * 7)
    assert turn_by_confidence(page, measure) is page
    assert tried == [5]


def test_lines_that_were_tried_are_not_read_again() -> None:
    reads: Counter[str] = Counter()

    class CountingReader(LineReader):
        def read(self, lines: Iterable[Line]) -> Iterator[Prediction]:
            for line in lines:
                reads[line.id] += 1
                character = Character("a", 0.9, 0, 5, ((0, 0), (5, 0), (5, 5), (0, 5)))
                yield Prediction(line.id, "a", 0.9, None, characters=(character,))

    page = PageReader(CountingReader(load_recognizer("zoo:latin", "cpu"))).recognize(make_page([0] * 7))
    assert [line.text for line in page.lines] == ["a"] * 7
    assert reads == {f"l{number}": 1 for number in range(7)}
