"""A project of 200 pages and 5,000 lines, as it is after weeks of work: read, and half of it confirmed."""

import random
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from htr_lightning.correction.page import CONFIRMED, DoubtfulWord, LineShape, Reading
from htr_lightning.correction.project import Project
from htr_lightning.correction.recognition import build_band
from htr_lightning.image.scan import Scan
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.write.alto import write_alto

PAGES, LINES = 200, 25
MODEL = "zoo:latin-large"
TEXT = (
    "nous avons quitté la maison avant le jour avec du pain deux lampes et vieux chien route était longue mais "
    "personne ne voulait dormir à midi vent tourna mon frère disait que pluie viendrait il raison soir étions dans une "
    "grange"
)

Size = tuple[int, int]


def copy_pages(images: Sequence[Path], folder: Path) -> dict[str, Size]:
    """Copy images, again and again, until there are enough pages; return width and height of each, by its name."""
    folder.mkdir(parents=True)
    sizes = [Scan(path).read().shape[1::-1] for path in images]
    pages = {}
    for number in range(PAGES):
        name = f"page {number + 1:03d}{images[number % len(images)].suffix}"
        shutil.copy(images[number % len(images)], folder / name)
        pages[name] = sizes[number % len(images)]
    return pages


def place_lines(size: Size) -> list[LineShape]:
    """Return lines at equal distances on a page."""
    width, height = size
    pitch = 0.85 * height / LINES
    ys = [0.1 * height + pitch * number for number in range(LINES)]
    baselines = [np.array([(0.1 * width, y), (0.9 * width, y)], np.float32) for y in ys]
    return [LineShape(f"l{number}", line, build_band(line, 0.9 * pitch)) for number, line in enumerate(baselines, 1)]


def invent_texts(generator: random.Random) -> list[str]:
    """Return a text for each line of a page."""
    return [" ".join(generator.choices(TEXT.split(), k=9)) for _ in range(LINES)]


def write_layouts(folder: Path, pages: dict[str, Size]) -> None:
    """Write an ALTO file with texts beside each page."""
    generator = random.Random(1)
    for name, (width, height) in pages.items():
        lines = [
            PredictedLine(shape.id, text, 1.0, shape.polygon, shape.baseline)
            for shape, text in zip(place_lines((width, height)), invent_texts(generator), strict=True)
        ]
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        page = PredictedPage(name, width, height, (PredictedRegion("r1", corners, tuple(lines)),))
        (folder / name).with_suffix(".xml").write_bytes(write_alto(page, datetime.now(UTC)))


def fill_project(folder: Path, pages: dict[str, Size], unread: int) -> None:
    """Put into a project what a model reads and a person confirms: every second page; the last pages stay unread."""
    project = Project(folder)
    project.set_base_model(MODEL)
    generator = random.Random(2)
    for number, page in enumerate(list(project.pages.values())[: PAGES - unread]):
        shapes, texts = place_lines(pages[page.name]), invent_texts(generator)
        readings = {shape.id: make_reading(shape, text) for shape, text in zip(shapes, texts, strict=True)}
        project.store_readings(page.key, readings)
        project.store_lines(page.key, pages[page.name], shapes, {})
        if number % 2:
            for shape, text in zip(shapes, texts, strict=True):
                project.set_text(page.key, shape.id, text, CONFIRMED)
    project.close()


def make_reading(shape: LineShape, text: str) -> Reading:
    """Return a reading with a doubtful word, and the place of each character."""
    left, top, right, bottom = shape.box
    starts = tuple(round(x) for x in np.linspace(left, right, len(text), endpoint=False).tolist())
    word = DoubtfulWord(0, text.split()[0], 0.4, (left, top, left + 200, bottom), ("nous", "vous", "mous"))
    return Reading(text, 0.4, 0.08, MODEL, (word,), starts)
