"""Projects to test the correction page with: pages drawn by the test, their lines put there without a line finder."""

from pathlib import Path

import numpy as np
from PIL import Image

from helpers.drawn_pages import PITCH, Drawn, blank, write
from htr_lightning.correction.page import LineShape, Reading
from htr_lightning.correction.project import Project
from htr_lightning.correction.recognition import build_band


def draw_page(folder: Path, name: str, *, lines: int = 4, seed: int = 0) -> Drawn:
    """Draw a page of 800 x 900 px into a folder; it is higher for more than eight lines."""
    drawn = blank(800, max(900, 180 + PITCH * lines))
    write(drawn, 100, 700, 150, lines, seed=seed)
    folder.mkdir(exist_ok=True)
    Image.fromarray(drawn.pixels).save(folder / name)
    return drawn


def get_shapes(drawn: Drawn) -> list[LineShape]:
    """Return the lines of a drawn page."""
    return [
        LineShape(f"r1_l{number}", np.asarray(line, np.float32), build_band(np.asarray(line, np.float32), 60))
        for number, line in enumerate(drawn.baselines, 1)
    ]


def put_lines(project: Project, key: str, drawn: Drawn, *, model: str = "") -> None:
    """Put the lines of a drawn page into a project, each read without its last character."""
    shapes = get_shapes(drawn)
    readings = {
        shape.id: Reading(text[:-1], 0.5, 0.1, model or project.model)
        for shape, text in zip(shapes, drawn.texts, strict=True)
    }
    project.store_readings(key, readings)
    project.store_lines(key, (drawn.pixels.shape[1], drawn.pixels.shape[0]), shapes, {})


def make_project(folder: Path, *, pages: int = 2, lines: int = 4) -> tuple[Project, list[str], list[Drawn]]:
    """Make a project whose lines are found and read; return it with the keys of its pages and what is on them."""
    drawn = [draw_page(folder, f"page {number}.png", lines=lines, seed=number) for number in range(1, pages + 1)]
    project = Project(folder)
    project.set_base_model("zoo:latin")
    keys = list(project.pages)
    for key, page in zip(keys, drawn, strict=True):
        put_lines(project, key, page)
    return project, keys, drawn
