"""Base directions that layout files state: by themselves, or by a language or script."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from helpers.written_rules import check_alto, check_page_xml
from lxml import etree

from htr_lightning.directions.bidi import StatedDirection, find_base_direction
from htr_lightning.layout import alto, page_xml
from htr_lightning.layout.languages import parse_direction
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.write.writers import PAGE_WRITERS


@pytest.mark.parametrize(
    ("language", "direction"),
    [
        *[(language, "rtl") for language in ("ar", "ara", "he", "heb", "iw", "fa-IR", "AR", "yid", "tr-Arab", "ota")],
        *[(language, "rtl") for language in ("Arabic", "Hebrew", "Arab - Arabic", "Hebr - Hebrew", "Urdu", "ku_Arab")],
        *[(language, "") for language in ("fr", "fra", "ar-Latn", "Latn - Latin", "Thai", "ku", "", "other", "x")],
    ],
)
def test_languages_and_scripts_from_right_to_left(language: str, direction: str) -> None:
    assert parse_direction(None, language) == direction
    assert parse_direction("ltr", language) == "ltr" and parse_direction("right-to-left", language) == "rtl"
    assert parse_direction("ttb", language) == ""


BOX = 'HPOS="1" VPOS="2" WIDTH="30" HEIGHT="10"'


@pytest.mark.parametrize(
    ("page", "block", "line", "strings", "direction"),
    [
        ("", "", "", ["", ""], ""),
        ('LANG="ara"', "", "", ["", ""], "rtl"),
        ('LANG="ara"', 'LANG="fra"', "", ["", ""], ""),
        ("", 'LANG="heb"', "", ["", ""], "rtl"),
        ("", 'language="he"', "", ["", ""], "rtl"),
        ("", 'LANG="fra"', 'LANG="he"', ["", ""], "rtl"),
        ("", 'LANG="fra"', "", ['LANG="ar"', 'LANG="ar"', 'LANG="fr"'], "rtl"),
        ("", 'LANG="ara" BASEDIRECTION="ltr"', "", ["", ""], "ltr"),
        ("", 'BASEDIRECTION="ltr"', 'BASEDIRECTION="rtl" LANG="fra"', ["", ""], "rtl"),
    ],
)
def test_alto_states_directions(page: str, block: str, line: str, strings: list[str], direction: str) -> None:
    words = "".join(f'<String CONTENT="12" {string}/>' for string in strings)
    text = f'<TextBlock ID="b" {block}><TextLine ID="l" {BOX} {line}>{words}</TextLine></TextBlock>'
    root = etree.fromstring(f"<alto><Layout><Page {page}><PrintSpace>{text}</PrintSpace></Page></Layout></alto>")
    (read,) = alto.parse_page(root, Path("a.xml")).lines
    assert read.direction == direction


@pytest.mark.parametrize(
    ("page", "region", "line", "direction"),
    [
        ("", "", "", ""),
        ('primaryLanguage="Arabic"', "", "", "rtl"),
        ('readingDirection="right-to-left"', "", "", "rtl"),
        ("", 'primaryScript="Hebr - Hebrew"', "", "rtl"),
        ("", 'primaryLanguage="Arabic"', 'readingDirection="left-to-right"', "ltr"),
        ("", 'primaryLanguage="Arabic"', 'primaryLanguage="French"', ""),
        ("", 'readingDirection="top-to-bottom" primaryLanguage="Arabic"', "", ""),
    ],
)
def test_page_xml_states_directions(page: str, region: str, line: str, direction: str) -> None:
    text = f'<TextLine id="l" {line}><Coords points="0,0 9,0 9,20"/></TextLine>'
    xml = f'<PcGts><Page imageFilename="a.png" {page}><TextRegion id="r" {region}>{text}</TextRegion></Page></PcGts>'
    (read,) = page_xml.parse_page(etree.fromstring(xml), Path("a.xml")).lines
    assert read.direction == direction


@pytest.mark.parametrize(
    ("text", "stated", "direction"),
    [
        ("12/7", "", "ltr"),
        ("12/7", "rtl", "rtl"),
        ("", "rtl", "rtl"),
        ("Paris and London, כן", "rtl", "rtl"),
        ("Paris and London, כן", "", "ltr"),
        ("שלום (Paris)", "ltr", "ltr"),
        ("Paris!", "rtl", "ltr"),  # letters of one direction say more than the preset of a program
        ("שלום!", "ltr", "rtl"),
    ],
)
def test_what_a_file_states_counts_where_letters_do_not_say_it(
    text: str, stated: StatedDirection, direction: str
) -> None:
    assert find_base_direction(text, stated=stated) == direction
    assert find_base_direction(text, "rtl", stated) == "rtl"


def test_the_language_and_stated_directions_are_written(tmp_path: Path) -> None:
    box = np.array([(10, 10), (90, 10), (90, 30), (10, 30)], np.float32)
    lines = tuple(
        PredictedLine(f"l{n}", text, polygon=box, stated_direction="rtl") for n, text in enumerate(["12", ""])
    )
    page = PredictedPage("a.png", 100, 50, (PredictedRegion("r", box, lines),), language="ar")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    root = check_alto(PAGE_WRITERS["alto"].write(page, now))
    assert root.find(".//{*}Page").get("LANG") == "ar"
    assert [line.get("BASEDIRECTION") for line in root.iter("{*}TextLine")] == ["rtl", "rtl"]
    other = check_page_xml(PAGE_WRITERS["page"].write(page, now))
    assert other.find("{*}Page").get("primaryLanguage") == "Arabic"
    assert [e.get("readingDirection") for e in other.iter("{*}TextRegion", "{*}TextLine")] == ["right-to-left"] * 3
    for number, written in enumerate((root, other)):
        read = (alto, page_xml)[number].parse_page(written, tmp_path)
        assert [line.direction for line in read.lines] == ["rtl", "rtl"]
