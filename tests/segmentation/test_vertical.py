"""Vertical lines are found as columns, the first at the right."""

import numpy as np
from PIL import Image, ImageDraw

from htr_lightning.report.panel import load_font
from htr_lightning.segmentation.page import DetectedPage
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion
from htr_lightning.segmentation.segmenter import Segmenter
from htr_lightning.segmentation.vertical import VerticalSegmenter

SIZE_PX, COLUMN_PX = 40, 66


def draw_columns(*registers: tuple[int, int], columns: int = 10, width: int = 900, height: int = 1200) -> np.ndarray:
    """Draw columns of characters that stand upright below each other, from the top to the bottom of each register."""
    generator = np.random.default_rng(0)
    image = Image.new("L", (width, height), 240)
    draw, font = ImageDraw.Draw(image), load_font(SIZE_PX)
    for top, bottom in registers:
        for column in range(columns):
            x = width - 120 - column * COLUMN_PX
            for y in range(top, bottom, SIZE_PX + 4):
                draw.text((x, y), str(generator.choice(list("ABDEGHKMNRSVXZ"))), 40, font, anchor="mt")
    return np.asarray(image)


def test_columns_are_found_from_the_right_the_upper_register_first() -> None:
    pixels = draw_columns((80, 540), (660, 1120))
    page = VerticalSegmenter(Segmenter()).find(pixels)
    lines = [line for region in page.regions for line in region.lines]
    assert len(lines) == 20 and {(line.orientation, line.vertical) for line in lines} == {(1, "top-to-bottom")}
    for half, (top, bottom) in enumerate([(80, 540), (660, 1120)]):
        of_register = lines[10 * half : 10 * half + 10]
        for number, line in enumerate(of_register):
            (first_x, first_y), (last_x, last_y) = line.baseline[0], line.baseline[-1]
            assert first_y < top + 40 and last_y > bottom - 60
            middle = 900 - 120 - number * COLUMN_PX
            assert middle - COLUMN_PX / 2 < min(first_x, last_x) <= max(first_x, last_x) < middle  # at its left
            assert line.polygon[:, 0].min() < middle < line.polygon[:, 0].max()


class TurnedLines:
    """A segmenter that finds one line in each orientation."""

    def find(self, image: np.ndarray) -> DetectedPage:
        box = np.array([(10, 20), (50, 20), (50, 30), (10, 30)], np.float32)
        lines = tuple(DetectedLine(box[2:], box, 0.9, turns) for turns in range(4))
        return DetectedPage([DetectedRegion(lines, half=1)], 2, 33.0)


def test_lines_in_other_orientations_are_not_vertical() -> None:
    page = VerticalSegmenter(TurnedLines()).find(np.zeros((200, 100), np.uint8))
    (region,) = page.regions
    assert [(line.orientation, line.vertical) for line in region.lines] == [
        (1, "top-to-bottom"),
        (2, ""),
        (3, ""),
        (0, ""),
    ]
    assert region.lines[0].polygon.tolist() == [[80, 10], [80, 50], [70, 50], [70, 10]]
    assert (region.half, page.orientation, page.gutter) == (None, None, None)
