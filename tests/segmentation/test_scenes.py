"""The line finder that ships, on photographs of books and on tables: what is no line of the page stays out."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.report.panel import load_font
from htr_lightning.segmentation.regions import DetectedLine

LETTER = Path(__file__).parents[2] / "docs" / "images" / "letter.jpg"


@pytest.fixture(scope="module", name="letter")
def read_letter() -> Image.Image:
    return Image.open(LETTER).convert("L")


@pytest.fixture(scope="module", name="num_lines")
def count_lines_of_the_letter(letter: Image.Image) -> int:
    return len(find_lines(letter))


def find_lines(page: Image.Image) -> list[DetectedLine]:
    found = load_segmenter().find(np.asarray(page))
    return [line for region in found.regions for line in region.lines]


@pytest.mark.parametrize("side", ["left", "right"])
def test_gutter_book_edge_and_facing_page(letter: Image.Image, num_lines: int, side: str) -> None:
    width, height = letter.width + 360, letter.height + 120
    scene = Image.new("L", (width, height), 40)
    scene.paste(letter.crop((letter.width - 190, 0, letter.width, letter.height)), (0, 60))
    shadow = np.linspace(60, 200, 80).astype(np.uint8)[None].repeat(letter.height, 0)
    scene.paste(Image.fromarray(shadow), (130, 60))
    scene.paste(letter, (210, 60))
    draw = ImageDraw.Draw(scene)
    for number, x in enumerate(range(210 + letter.width, width - 60, 7)):  # the edges of the leaves below
        draw.line([(x, 50 + number), (x, height - 50 - number)], fill=190 if number % 2 else 90, width=4)
    if side == "right":
        scene = Image.fromarray(np.ascontiguousarray(np.asarray(scene)[:, ::-1]))
        scene.paste(letter, (width - 210 - letter.width, 60))
    lines = find_lines(scene)
    left = 210 if side == "left" else width - 210 - letter.width
    assert len(lines) == num_lines
    assert all(left - 20 <= line.baseline[:, 0].mean() <= left + letter.width for line in lines)


def test_a_caption_strip_below_a_brown_sheet(letter: Image.Image, num_lines: int) -> None:
    brown = cv2.merge([np.asarray(letter.point([int(v * k) for v in range(256)])) for k in (0.62, 0.5, 0.36)])
    sheet = Image.fromarray(brown)
    strip = Image.new("RGB", (sheet.width, 110), "white")
    draw = ImageDraw.Draw(strip)
    draw.rectangle([30, 25, 90, 85], fill="darkred")
    draw.text((110, 40), "BIBLIOTHECA", fill="black", font=load_font(28))
    scene = Image.new("RGB", (sheet.width, sheet.height + strip.height))
    scene.paste(sheet, (0, 0))
    scene.paste(strip, (0, sheet.height))
    with_strip = find_lines(scene)
    assert len(find_lines(sheet)) == num_lines
    assert num_lines <= len(with_strip) <= num_lines + 1  # the caption is text too
    assert sum(line.baseline[:, 1].mean() < sheet.height for line in with_strip) == num_lines


def test_cells_of_a_ruled_table_are_lines_of_their_own(letter: Image.Image) -> None:
    words = list(cut_words(letter))
    columns = [60, 300, 700, 1040, 1400]
    page = Image.new("L", (1460, 1500), 235)
    draw = ImageDraw.Draw(page)
    rows = range(160, 1400, 62)
    for x in columns:
        draw.line([(x, 60), (x, 1440)], fill=90, width=3)
    draw.rectangle([40, 60, 1420, 1440], outline=20, width=12)
    cells = []
    supply = itertools.cycle(words)
    for y in rows:
        for left, right in itertools.pairwise(columns):
            if (y // 62 + left) % 7 == 0:
                continue  # an empty cell
            word = next(word for word in supply if word.width < right - left - 24)
            page.paste(word, (left + 12, y - word.height), Image.eval(word, lambda v: 255 if v < 150 else 0))
            cells.append((left, y, left + 12 + word.width / 2))
    lines = find_lines(page)
    spans = [(line.baseline[:, 0].min(), line.baseline[:, 0].max()) for line in lines]
    over = [
        sum(low < middle < high and abs(line.baseline[:, 1].mean() - y) < 31 for _, y, middle in cells)
        for line, (low, high) in zip(lines, spans, strict=True)
    ]
    assert sum(number > 1 for number in over) <= 1  # a line over two cells
    assert sum(number == 1 for number in over) >= 0.92 * len(cells) and sum(number == 0 for number in over) <= 3


def cut_words(letter: Image.Image) -> list[Image.Image]:
    """Return words of the letter, scaled to the height of a cell."""
    page = np.asarray(letter)
    words = []
    for line in find_lines(letter):
        left, top = np.floor(line.polygon.min(0)).astype(int).clip(0)
        right, bottom = np.ceil(line.polygon.max(0)).astype(int)
        band = page[top:bottom, left:right]
        dark = (band < 130).sum(0) > 0
        edges = np.flatnonzero(np.diff(np.r_[0, cv2.dilate(dark.astype(np.uint8)[None], np.ones((1, 15)))[0], 0]))
        for start, stop in edges.reshape(-1, 2):
            if stop - start > 60:
                word = Image.fromarray(band[:, start:stop])
                words.append(word.resize((round(word.width * 46 / word.height), 46)))
    return words
