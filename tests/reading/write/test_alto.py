from datetime import UTC, datetime
from pathlib import Path

from helpers.layouts import points
from helpers.predicted_pages import (
    assert_same_lines,
    build_line,
    build_page,
    build_region,
    build_sample_page,
    predicted_pages,
)
from helpers.written_rules import check_alto
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.layout.alto import parse_page, read_alto
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.alto import write_alto
from htr_lightning.reading.write.tokens import sanitize
from htr_lightning.version import __version__

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def attributes(element: object, *names: str) -> list[str]:
    return [element.get(name) for name in names]  # type: ignore[attr-defined]


BOX = ("HPOS", "VPOS", "WIDTH", "HEIGHT")


def test_the_sample_page_follows_the_schema_and_is_read_back(tmp_path: Path) -> None:
    page, path = build_sample_page(), tmp_path / "a.xml"
    path.write_bytes(write_alto(page, NOW))
    root = check_alto(path.read_bytes())
    assert root.get("SCHEMAVERSION") == "4.4" and root.tag.startswith("{http://www.loc.gov/standards/alto/ns-v4#}")
    read = read_alto(path)
    assert (read.image_name, read.size) == ("scan 1.jpg", (1000, 800))
    assert [(line.id, line.text) for line in read.lines] == [(line.id, line.text) for line in page.lines]
    assert [line.region_type for line in read.lines] == ["paragraph"] * 2 + ["marginalia"] * 3
    assert [line.region for line in read.lines] == ["r1"] * 2 + ["r2"] * 3
    assert root.find(".//{*}Page").get("PHYSICAL_IMG_NR") == "3"


def test_metadata_names_the_software_and_the_model() -> None:
    root = check_alto(write_alto(build_sample_page(), NOW))
    metadata = {e.tag.rpartition("}")[2]: e.text for e in root.find(".//{*}Processing").iter()}
    assert (metadata["softwareName"], metadata["softwareVersion"]) == ("htr-lightning", __version__)
    assert metadata["processingStepSettings"] == "model: peraire & co"
    assert metadata["processingStepDescription"] == 'One "note" <more>.'
    assert metadata["processingDateTime"] == "2026-01-02T03:04:05+00:00"
    plain = check_alto(write_alto(build_page()))
    assert plain.find(".//{*}processingDateTime") is None and plain.find(".//{*}Tags") is None
    assert plain.find(".//{*}Page").get("PHYSICAL_IMG_NR") == "1"


def test_words_and_characters_have_places_and_confidences() -> None:
    root = check_alto(write_alto(build_page(build_region("r", build_line("l", "le roi", 100)))))
    first, space, second = root.find(".//{*}TextLine")[1:]
    assert attributes(first, "CONTENT", "WC", *BOX) == ["le", "0.7500", "50", "100", "24", "30"]
    assert attributes(space, *BOX) == ["74", "100", "12", "30"]
    assert attributes(second, "CONTENT", *BOX) == ["roi", "86", "100", "36", "30"]
    assert [attributes(glyph, "CONTENT", "GC", "HPOS") for glyph in second] == [
        ["r", "0.6000", "86"],
        ["o", "0.5800", "98"],
        ["i", "0.5667", "110"],
    ]
    assert root.find(".//{*}String/{*}Shape") is None


def test_slanted_words_have_a_shape() -> None:
    root = check_alto(write_alto(build_page(build_region("r", build_line("l", "le", 100, slope=0.5)))))
    string = root.find(".//{*}String")
    assert attributes(string, *BOX) == ["50", "100", "24", "42"]
    assert string[0][0].get("POINTS") == "50 100 74 112 74 142 50 130"
    assert string[1].find("{*}Shape/{*}Polygon").get("POINTS") == "50 100 62 106 62 136 50 130"


def test_lines_without_words_and_without_text() -> None:
    lines = build_line("l1", "un deux", words=(), characters=()), build_line("l2", ""), PredictedLine("l3", problem="x")
    root = check_alto(write_alto(build_page(build_region("r", *lines))))
    one, empty, unreadable = root.iter("{*}String")
    assert attributes(one, "CONTENT", "WC", "HPOS", "WIDTH") == ["un deux", "0.6250", "46", "92"]
    assert attributes(empty, "CONTENT", "WC") == ["", None] and attributes(unreadable, "CONTENT", "HPOS") == ["", None]
    assert root.findall(".//{*}TextLine")[2].attrib.keys() == ["ID"]


def test_numbers_are_whole_and_inside_the_page() -> None:
    polygon = points(-5, -0.4, 2000, 3.5, 1999.6, 900, 1, 30)
    line = PredictedLine("l", "a", polygon=polygon, baseline=points(-3, 20.5, 1200, 21.5))
    root = check_alto(write_alto(build_page(build_region("r", line, polygon=points()))))
    element = root.find(".//{*}TextLine")
    assert element[0][0].get("POINTS") == "0 0 999 4 999 799 1 30"
    assert attributes(element, *BOX, "BASELINE") == ["0", "0", "999", "799", "0 20 999 22"]
    tiny = PredictedLine("l", "a", polygon=points(1, 1, 1.2, 1, 1.3, 1.4), baseline=points(1, 1, 1.1, 1))
    assert check_alto(write_alto(build_page(build_region("r", tiny)))).find(".//{*}Shape") is None


def test_ids_are_names_and_never_twice() -> None:
    lines = [build_line(id, "a b") for id in ("page", "page", "1 é:x", "page_w1")]
    root = check_alto(write_alto(build_page(build_region("page", *lines), build_region("", build_line("", "c")))))
    assert [line.get("ID") for line in root.iter("{*}TextLine")] == ["page_2", "page_3", "_1_é_x", "page_w1", "__2"]


@settings(deadline=None, max_examples=50)
@given(predicted_pages())
def test_any_page_is_read_back(page: PredictedPage) -> None:
    root = etree.fromstring(write_alto(page))
    read = parse_page(root, Path("a.xml"))
    assert_same_lines(read, page)


@settings(deadline=None, max_examples=50)
@given(predicted_pages(st.text(st.characters(), max_size=8)))
def test_any_character_is_written(page: PredictedPage) -> None:
    read = parse_page(check_alto(write_alto(page)), Path("a.xml"))
    assert [line.text for line in read.lines] == [sanitize(line.text) for line in page.lines]
