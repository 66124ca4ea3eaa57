"""What is drawn: charts, the contact sheet, the page, the terminal."""

import base64
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.made_up import facts, sentences
from helpers.typesetting import typeset
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from htr_lightning.data.line import Line
from htr_lightning.doctor.charts import compute_bins, draw_density, draw_histogram, draw_sparkline
from htr_lightning.doctor.contact_sheet import LinePicture, draw_contact_sheet
from htr_lightning.doctor.diagnosis import Diagnosis, diagnose, to_json
from htr_lightning.doctor.facts import Settings
from htr_lightning.doctor.html import render_page
from htr_lightning.doctor.terminal import print_report
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.report.picture import encode_jpeg_uri

EVIL = "<script>alert('x')</script> & \"quoted\" \u202e \x07 [bold]"


@pytest.fixture
def diagnosis() -> Diagnosis:
    made = dict(facts([*sentences(30), EVIL], sentences(6, 1), sentences(6, 2)))
    made["train"] = replace(made["train"], ids=[EVIL, *made["train"].ids[1:]], groups=[EVIL] * 31)
    return diagnose(made, Settings(count_frames=lambda widths: widths // 4), EVIL)


def test_the_page_is_whole_and_holds_no_foreign_code(
    diagnosis: Diagnosis, elements_of: Callable[[str], set[str]]
) -> None:
    sheet = {"Random": [LinePicture("train", EVIL, EVIL, EVIL, encode_jpeg_uri(np.full((40, 90), 9, np.uint8)))]}
    page = render_page(diagnosis, sheet)
    elements = elements_of(page)
    assert {"svg", "table", "img", "details"} <= elements
    assert "script" not in elements and "&lt;script&gt;" in page
    assert "\u202e" not in page and "\x07" not in page and 'class="hidden">U+202E<' in page
    assert (
        not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,)", page)
        and "url(" not in page
        and "@import" not in page
    )
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(svg)


def test_the_page_names_what_was_found(diagnosis: Diagnosis) -> None:
    page = render_page(diagnosis, {})
    assert "usable with warnings" in page and "invisible, control or replacement characters" in page
    assert "LATIN SMALL LETTER A" in page and "U+0061" in page
    assert "Lines to check" not in page


def test_nothing_at_all_can_be_shown() -> None:
    diagnosis = diagnose(facts(), Settings())
    assert diagnosis.verdict == "not usable"
    assert "the train split has no lines" in render_page(diagnosis, draw_contact_sheet(diagnosis, {}, Preprocess()))
    print_report(diagnosis, Console(file=io.StringIO()))


def test_the_terminal_shows_texts_as_they_are(diagnosis: Diagnosis) -> None:
    file = io.StringIO()
    print_report(diagnosis, Console(file=file, width=80, soft_wrap=True, highlight=False))
    assert "[bold]" in file.getvalue() and "\u202e" not in file.getvalue() and "<U+202E>" in file.getvalue()
    assert "Verdict: usable with warnings" in file.getvalue()
    table = file.getvalue().splitlines()[:7]
    assert all(len(row) <= 80 and "…" not in row for row in table)


def test_the_report_for_scripts_has_every_line(diagnosis: Diagnosis) -> None:
    values = to_json(diagnosis)
    assert values["verdict"] == "usable with warnings" and values["splits"]["train"]["lines"] == 31
    for shown_finding, finding in zip(values["findings"], diagnosis.findings, strict=True):
        assert len(shown_finding["lines"]) == len(finding.lines)
    space = next(row for row in values["charset"] if row["character"] == " ")
    assert space["code_point"] == "U+0020" and space["name"] == "SPACE" and space["val"] == 24


def test_lone_surrogates_can_be_written() -> None:
    diagnosis = diagnose(facts(["bon \ud800 jour"]), Settings(), "\ud800")
    render_page(diagnosis, {}).encode()
    assert to_json(diagnosis)["charset"]


def test_pictures_of_lines_are_small_and_of_the_right_lines(tmp_path: Path) -> None:
    texts = [*sentences(40), "i", "un texte bien plus long que tous les autres textes de cette petite collection"]
    lines = []
    for row, text in enumerate(texts):
        typeset(text, 200 if row == 3 else 40).save(tmp_path / f"{row}.png")
        lines.append(Line(f"{row}.png", ImageFile(tmp_path / f"{row}.png"), text))
    made = facts(texts)
    sheet = draw_contact_sheet(diagnose(made, Settings()), {"train": lines, "val": [], "test": []}, Preprocess())
    assert sheet["Narrowest"][0].text == "i" and sheet["Widest"][0].text == texts[-1]
    assert len(sheet["Random"]) == 12 and len(sheet["Least ink"]) == 6
    for picture in sheet["Widest"] + sheet["Random"]:
        image = Image.open(io.BytesIO(base64.b64decode(picture.image.partition(",")[2])))
        assert image.height <= 72 and image.width <= 1400
    again = draw_contact_sheet(diagnose(made, Settings()), {"train": lines, "val": [], "test": []}, Preprocess())
    assert again == sheet
    (tmp_path / "40.png").unlink()
    gone = draw_contact_sheet(diagnose(made, Settings()), {"train": lines, "val": [], "test": []}, Preprocess())
    assert "cannot be read any more" in gone["Narrowest"][0].reason and gone["Narrowest"][0].image == ""


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=300))
def test_every_value_is_in_a_bar(values: list[int]) -> None:
    array = np.array(values)
    edges, beyond = compute_bins(array)
    assert edges[0] <= array.min() and len(edges) >= 2 and all(np.diff(edges) == edges[1] - edges[0])
    assert np.histogram(np.minimum(array, edges[-1]), edges)[0].sum() == len(values)
    assert beyond == (np.count_nonzero(array >= edges[-2]) if array.max() >= edges[-1] else 0)


def test_a_tail_is_drawn_as_one_bar_that_says_so() -> None:
    values = np.concatenate([np.random.default_rng(0).integers(50, 100, 2000), [9000, 9500]])
    drawn = draw_histogram({"train": values}, "px")
    assert "the last bar holds the 2 beyond" in drawn
    assert draw_histogram({"train": np.zeros(0, np.int64)}, "px") == ""


def test_the_field_of_widths_and_lengths() -> None:
    drawn = draw_density(
        np.array([1, 2, 2]), np.array([10, 20, 20]), [(2, 20, "odd & <so>")], ("characters", "px"), [(0, 0), (2, 8)]
    )
    assert drawn.count('class="field"') == 2 and "odd &amp; &lt;so&gt;" in drawn and "polyline" in drawn
    ET.fromstring(drawn)
    assert draw_density(np.zeros(0, np.int64), np.zeros(0, np.int64), [], ("", "")) == ""


def test_sparklines() -> None:
    assert draw_sparkline(np.array([1, 1, 2, 4])) == "█▄ ▄"
    assert draw_sparkline(np.array([5])) == "█" and draw_sparkline(np.zeros(0, np.int64)) == ""
