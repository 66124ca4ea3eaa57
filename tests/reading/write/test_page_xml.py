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
from helpers.written_rules import check_page_xml
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.layout.page_xml import parse_page, read_page_xml
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.page_xml import write_page_xml
from htr_lightning.reading.write.tokens import sanitize
from htr_lightning.version import __version__

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_sample_page_follows_the_schema_and_is_read_back(tmp_path: Path) -> None:
    page, path = build_sample_page(), tmp_path / "a.xml"
    path.write_bytes(write_page_xml(page, NOW))
    root = check_page_xml(path.read_bytes())
    assert root.tag == "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}PcGts"
    read = read_page_xml(path)
    assert (read.image_name, read.size) == ("scan 1.jpg", (1000, 800))
    assert [(line.id, line.text) for line in read.lines] == [(line.id, line.text) for line in page.lines]
    assert [line.region_type for line in read.lines] == ["paragraph"] * 2 + ["marginalia"] * 3
    assert [e.get("regionRef") for e in root.iter("{*}RegionRefIndexed")] == ["r1", "r2", "r3"]
    assert [e.get("type") for e in root.iter("{*}TextRegion")] == ["paragraph", "marginalia", None]
    custom = root.findall(".//{*}TextRegion")[2].get("custom")
    assert custom == r"readingOrder {index:2;} structure {type:MainZone\u003aa\u0020\u007bb\u007d\u003b;}"


def test_metadata_names_the_software_the_model_and_the_notes() -> None:
    root = check_page_xml(write_page_xml(build_sample_page(), NOW))
    metadata = root.find("{*}Metadata")
    assert [element.text for element in metadata][:4] == [
        f"htr-lightning {__version__}",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02T03:04:05+00:00",
        'It lies on its side.\nOne "note" <more>.',
    ]
    assert [item.get("value") for item in metadata.iter("{*}MetadataItem")] == ["3", f"htr-lightning {__version__}"]
    assert metadata.find(".//{*}Label").get("value") == "peraire & co"
    problem = root.findall(".//{*}TextLine")[4]
    assert problem.get("comments").startswith("its outline has") and problem.find("{*}TextEquiv") is None
    assert problem.find("{*}Coords").get("points") == "0,0 0,0"
    empty = check_page_xml(write_page_xml(build_page(), NOW))
    assert empty.find(".//{*}ReadingOrder") is None and empty.find(".//{*}Comments") is None


def equivalents(element: object) -> list[tuple[str | None, str | None]]:
    children = element.findall("{*}TextEquiv")  # type: ignore[attr-defined]
    return [(child.get("conf"), child.findtext("{*}Unicode")) for child in children]


def test_regions_lines_words_and_characters_have_texts() -> None:
    page = build_page(build_region("r", build_line("l", "le roi", 100), build_line("m", "", 140)))
    root = check_page_xml(write_page_xml(page, NOW))
    assert equivalents(root.find(".//{*}TextRegion")) == [(None, "le roi\n")]
    first, second = root.iter("{*}TextLine")
    assert equivalents(first) == [("0.6250", "le roi")] and equivalents(second) == [("0.6250", "")]
    le, roi = first.iter("{*}Word")
    assert equivalents(le) == [("0.7500", "le")] and equivalents(roi) == [("0.7500", "roi")]
    assert roi.find("{*}Coords").get("points") == "86,100 122,100 122,130 86,130"
    glyphs = list(roi.iter("{*}Glyph"))
    assert [equivalents(glyph) for glyph in glyphs] == [[("0.6000", "r")], [("0.5800", "o")], [("0.5667", "i")]]
    assert [glyph.get("id") for glyph in glyphs] == ["l_w2_g1", "l_w2_g2", "l_w2_g3"]


def test_places_are_inside_the_page_and_never_missing() -> None:
    lines = (
        PredictedLine("l1", "a", polygon=points(-5, -0.4, 2000, 3.5, 1999.6, 900, 1, 30)),
        PredictedLine("l2", "b", baseline=points(10, 20, 60, 30, 90, 20)),
        build_line("l3", "c d", polygon=points(), baseline=points()),
    )
    root = check_page_xml(write_page_xml(build_page(build_region("r", *lines, polygon=points())), NOW))
    assert [line.find("{*}Coords").get("points") for line in root.iter("{*}TextLine")] == [
        "0,0 999,4 999,799 1,30",
        "10,20 90,20 90,30 10,30",
        "50,100 86,100 86,130 50,130",
    ]
    assert root.find(".//{*}TextRegion/{*}Coords").get("points") == "0,0 999,0 999,799 0,799"
    nothing = check_page_xml(write_page_xml(build_page(build_region("r")), NOW))
    assert nothing.find(".//{*}Coords").get("points") == "0,0 0,0"


@settings(deadline=None, max_examples=50)
@given(predicted_pages())
def test_any_page_is_read_back(page: PredictedPage) -> None:
    read = parse_page(etree.fromstring(write_page_xml(page, NOW)), Path("a.xml"))
    assert_same_lines(read, page)


@settings(deadline=None, max_examples=50)
@given(predicted_pages(st.text(st.characters(), max_size=8)))
def test_any_character_is_written(page: PredictedPage) -> None:
    read = parse_page(check_page_xml(write_page_xml(page, NOW)), Path("a.xml"))
    assert [line.text for line in read.lines] == [sanitize(line.text) for line in page.lines]
