"""Turned writing is found as such, whatever the network."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers.page_maps import target

from htr_lightning.data.page_targets import TargetLine, draw_targets
from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.image.turn import from_upright, to_upright, turn_upright
from htr_lightning.segmentation.finder import LineFinderSegmenter
from htr_lightning.segmentation.follower import LineFollower
from htr_lightning.segmentation.page import DetectedPage

HEIGHT, WIDTH = 448, 320
PAGE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
TEXT = [target(40, 280, y, above=24, below=8) for y in range(60, 420, 50)]


def turn_line(line: TargetLine, turns: int) -> TargetLine:
    """Return a line of the page on the page turned clockwise."""
    width, height = (HEIGHT, WIDTH) if turns % 2 else (WIDTH, HEIGHT)
    points = from_upright(line.baseline, turns, width, height).astype(np.float32)
    return replace(line, baseline=points, orientation=(line.orientation + turns) % 4)


@dataclass(frozen=True)
class PerfectNetwork:
    """Knows one page, however it is turned."""

    lines: list[TargetLine]

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for turns in range(4):
            if np.array_equal(pixels, PagePreprocess(longest_px=HEIGHT)(np.rot90(PAGE, -turns))[0]):
                targets = draw_targets([turn_line(line, turns) for line in self.lines], *pixels.shape)
                return targets.lines, np.eye(5, dtype=np.float32)[targets.orientations].transpose(2, 0, 1)
        raise AssertionError("another page")


def find(lines: list[TargetLine], turns: int = 0, min_line_confidence: float = 0.0) -> DetectedPage:
    segmenter = LineFinderSegmenter(
        PerfectNetwork(lines), PagePreprocess(longest_px=HEIGHT), LineFollower(), min_line_confidence
    )
    return segmenter.find(np.ascontiguousarray(np.rot90(PAGE, -turns)))


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_page(turns: int) -> None:
    page = find(TEXT, turns)
    found = [line for region in page.regions for line in region.lines]
    assert page.orientation == turns and len(found) == len(TEXT)
    width, height = (HEIGHT, WIDTH) if turns % 2 else (WIDTH, HEIGHT)
    for line, true in zip(found, TEXT, strict=True):
        assert line.orientation == turns
        upright = to_upright(line.baseline, turns, width, height)
        assert upright[0, 0] == pytest.approx(40, abs=7) and upright[-1, 0] == pytest.approx(280, abs=7)
        np.testing.assert_allclose(upright[:, 1], true.baseline[0, 1], atol=2)
        polygon = to_upright(line.polygon, turns, width, height)
        assert polygon[:, 1].min() == pytest.approx(true.baseline[0, 1] - 1.2 * 24, abs=3)
    assert np.array_equal(turn_upright(np.ascontiguousarray(np.rot90(PAGE, -turns)), turns), PAGE)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_note_beside_upright_text(turns: int) -> None:
    note = TargetLine(np.array([(20, 100), (20, 300)], np.float32), 14, 5, 1)
    if turns == 3:
        note = replace(note, baseline=note.baseline[::-1], orientation=3)
    if turns == 2:
        note = TargetLine(np.array([(280, 430), (40, 430)], np.float32), 14, 5, 2)
    page = find([*(replace(line, baseline=line.baseline + np.float32([20, 0])) for line in TEXT[:-1]), note])
    assert page.orientation == 0
    (turned,) = [line for region in page.regions for line in region.lines if line.orientation]
    assert turned.orientation == turns
    np.testing.assert_allclose(turned.baseline[[0, -1]], note.baseline[[0, -1]], atol=7)


def test_uncertain_lines_are_left_out_and_tiny_pages_are_empty() -> None:
    assert sum(len(region.lines) for region in find(TEXT, min_line_confidence=0.9).regions) == len(TEXT)
    assert find(TEXT, min_line_confidence=1.01).regions == []
    segmenter = LineFinderSegmenter(PerfectNetwork([]), PagePreprocess(), LineFollower())
    assert list(segmenter.find(np.zeros((9, 900), np.uint8)).regions) == []
    assert find([]).regions == [] and find([]).orientation == 0
