"""ALTO and PAGE files, read as a dataset, and by the command ``predict``, which writes them again."""

from pathlib import Path
from random import Random

import numpy as np
from mutate import mutate_xml
from outcome import READ, REFUSED, require, run_command
from seeds import ALTO_NAMES, PAGE_NAMES, draw_page, encode, write_alto, write_page_xml

from htr_lightning.cli.predict import main as predict
from htr_lightning.data.line import Line
from htr_lightning.data.sources.pages import Pages
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.layout.formats import read_layout


class Layouts:
    """Layout files beside the image of their page.

    Args:
        model: a small model file.
    """

    name = "layout"
    rewrites_input = False

    def __init__(self, model: Path) -> None:
        self._model, self._image = model, encode(draw_page(), "PNG")
        self._altos = [write_alto(), write_alto(version=2)]
        self._pages = [write_page_xml(), write_page_xml(version="2010-03-19"), write_page_xml(version="2019-07-15")]

    def write(self, random: Random, folder: Path) -> tuple[str, int]:
        """Write a page and its layout; return the format, and which of the front doors to use."""
        format = random.choice(("alto", "page_xml"))
        content = random.choice(self._altos if format == "alto" else self._pages)
        content = mutate_xml(random, content, ALTO_NAMES if format == "alto" else PAGE_NAMES)
        (folder / "page.png").write_bytes(self._image)
        (folder / "page.xml").write_bytes(content)
        return format, random.randrange(6)

    def read(self, given: tuple[str, int], folder: Path, out: Path) -> str:
        """Read the lines of the layout."""
        format, door = given
        if door == 0:
            argv = [
                "predict",
                str(self._model),
                str(folder),
                "--pages",
                "--out",
                str(out),
                "--overlay",
                "--device",
                "cpu",
            ]
            return run_command(predict, [*argv, "--format", "txt,json,alto,page,hocr,pdf"])
        if door < 4:
            source = Pages(str(folder), format=format, split_ratios=[1, 0, 0])  # type: ignore[arg-type]
            return read_lines(source.lines("train"))
        page = read_layout(folder / "page.xml")
        for line in page.lines:
            require(np.isfinite(line.polygon).all() and np.isfinite(line.baseline).all(), "points that are not finite")
            line.text.encode()
        require(page.line_spacing >= 0 and page.find_slivers() is not None, "the line spacing")
        return READ


def read_lines(lines: list[Line]) -> str:
    """Read the images of lines; check that their texts and ids can be written."""
    preprocess = Preprocess(height_px=32)
    usable = 0
    for line in lines:
        "".join((line.id, line.text, line.group)).encode()
        require("\n" not in line.text and line.text == line.text.strip(), f"the text {line.text!r}")
        require(isinstance(line.image.fingerprint, str), "a fingerprint")
        try:
            pixels = preprocess(line.image.read())
        except DataError as error:
            require(str(error).strip() and "\n" not in str(error), f"the reason {error}")
            continue
        require(pixels.dtype == np.uint8 and pixels.shape[0] == 32 and pixels.shape[1] > 0, f"pixels {pixels.shape}")
        usable += 1
    return READ if usable or not lines else REFUSED
