"""A line of each script through targets, prediction, evaluation and every format: the text is the logical one."""

import csv
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from htr_lightning.charset import Charset, find_direction
from htr_lightning.data.line import Line
from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.evaluation.collector import ScoreCollector
from htr_lightning.evaluation.files import write_evaluation
from htr_lightning.evaluation.result import build_evaluation
from htr_lightning.image.line_image import InMemoryImage
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.image.scan import Scan
from htr_lightning.layout.formats import read_layout
from htr_lightning.layout.page import Page, PageLine
from htr_lightning.model.info import ModelInfo
from htr_lightning.reading.lines import LineReader
from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.pages import PageReader
from htr_lightning.reading.write.writers import PAGE_WRITERS

TEXTS = {
    "arabic": "كتب سنة ١٨٩٠ (Paris 12) الى",
    "hebrew": "ראה Windows 10 (עמוד 7), שם.",
    "greek": "τὸν λόγον (ἔτη 12) ὡς",
    "russian": "Письмо № 5 отъ 12 мая",
    "chinese": "光緒二十年（一八九四）三月",
    "two directions": 'he wrote "שלום עולם" in 1890',
    "marks": "בְּרֵאשִׁית בָּרָא",
}


@dataclass(frozen=True)
class PerfectRecognizer:
    """A model whose logits are the training targets of one text."""

    text: str
    stated: StatedDirection = ""
    frame_px: int = 4
    pixels_per_batch: int = 10**6
    is_parallel: bool = False

    @cached_property
    def preprocess(self) -> Preprocess:
        return Preprocess(height_px=48)

    @cached_property
    def charset(self) -> Charset:
        return Charset.from_texts([self.text], direction=find_direction([self.text]))

    @cached_property
    def info(self) -> ModelInfo:
        return ModelInfo("x", {}, self.charset.to_dict(), {}, 1)

    def frame_lengths(self, widths: NDArray[np.int64]) -> NDArray[np.int64]:
        return widths // self.frame_px

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        ids = self.charset.encode(self.text, self.stated)
        logits = np.zeros((len(images), images.shape[2] // self.frame_px, self.charset.num_classes), np.float32)
        logits[:, :, 0] = 20.0
        for number, id in enumerate(ids):
            logits[:, 2 + 2 * number, id] = 45.0
        return logits


def read_page(text: str, stated: StatedDirection = "") -> PredictedPage:
    pixels = np.full((200, 1000), 255, np.uint8)
    pixels[80:110:2, 60:940] = 0
    shape = [np.array(points, np.float32) for points in ([(50, 70), (950, 70), (950, 120), (50, 120)],)]
    baseline = np.array([(50, 110), (950, 110)], np.float32)
    line = PageLine("l1", "", shape[0], baseline, region="r1", direction=stated)
    layout = Page(Path("page.xml"), "page.png", (1000, 200), (line,))
    reader = PageReader(LineReader(cast(Any, PerfectRecognizer(text, stated)), positions=True))
    return reader.recognize(reader.segment_pixels(pixels, Scan(Path("page.png")), layout))


@pytest.mark.parametrize("name", TEXTS)
def test_every_format_has_the_logical_text(name: str, tmp_path: Path) -> None:
    text = TEXTS[name]
    page, now = read_page(text), datetime(2026, 1, 1, tzinfo=UTC)
    (line,) = page.lines
    assert line.text == text and line.confidence > 0.9
    assert "".join(character.text for character in line.characters) == text
    assert [word.text for word in line.words] == text.split(" ")
    for format in ("alto", "page"):
        (tmp_path / "page.xml").write_bytes(PAGE_WRITERS[format].write(page, now))
        assert [line.text for line in read_layout(tmp_path / "page.xml").lines] == [text]
    assert json.loads(PAGE_WRITERS["json"].write(page, now))["regions"][0]["lines"][0]["text"] == text
    assert PAGE_WRITERS["txt"].write(page, now).decode().strip() == text
    hocr = PAGE_WRITERS["hocr"].write(page, now).decode()
    assert " ".join(re.sub(r"<[^>]*>", "", hocr[hocr.index("<body") :]).replace("&quot;", '"').split()) == text
    assert ('dir="rtl"' in hocr) == (name in ("arabic", "hebrew", "marks"))


@pytest.mark.parametrize(("stated", "first"), [("", "P"), ("rtl", "ן")])
def test_a_line_of_two_directions_is_read_in_the_one_that_its_layout_states(stated: Any, first: str) -> None:
    text = "Paris, London - כן"
    (line,) = read_page(text, stated).lines
    assert line.text == text and "".join(character.text for character in line.characters) == text
    assert min(line.characters, key=lambda character: character.outline[0][0]).text == first
    assert line.direction == (stated or "ltr")


@pytest.mark.parametrize("name", TEXTS)
def test_evaluation_and_its_report_have_the_logical_text(name: str, tmp_path: Path) -> None:
    text = TEXTS[name]
    model = cast(Any, PerfectRecognizer(text))
    pixels = np.full((50, 900), 255, np.uint8)
    pixels[10:40:2, 10:880] = 0
    line = Line("a.png", InMemoryImage(pixels), text)
    (prediction,) = LineReader(model, positions=True).read([line])
    collector = ScoreCollector(model.charset)
    collector.add(line, prediction)
    write_evaluation(tmp_path, build_evaluation(collector, "m", "d"), collector)
    assert json.loads((tmp_path / "result.json").read_text())["cer"] == 0
    with (tmp_path / "lines.tsv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert list(row.values()).count(text) == 2  # the reference and what was read


def test_the_searchable_pdf_has_the_logical_text() -> None:
    pdfium = pytest.importorskip("pypdfium2")
    for name in ("greek", "russian", "chinese"):
        page = read_page(TEXTS[name])
        pdf = pdfium.PdfDocument(PAGE_WRITERS["pdf"].write(page, datetime(2026, 1, 1, tzinfo=UTC)))
        assert " ".join(pdf[0].get_textpage().get_text_range().split()) == TEXTS[name]
