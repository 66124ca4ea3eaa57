"""The fixtures of the layout readers follow the published schemas.

From altoxml/schema (v2/alto-2-1, v3/alto-3-1, v4/alto-4-4) and PRImA-Research-Lab/PAGE-XML (2013-07-15, 2019-07-15).
"""

import re

import pytest
from helpers.layouts import alto_xml, page_xml, points, text_line
from helpers.schema_rules import ALTO, BOX, PAGE, check

from htr_lightning.layout.page import PageLine, Span

LINES = [
    text_line("l1", 'Un  <b> & "l\'été"', 10, type="default", region_type="MainZone", spans=(Span(0, 2, "bold"),)),
    text_line("l2", "", 50, type="in line", region_type="MainZone"),
    text_line("l3", "trois", 90, region="r2", region_type="paragraph", spans=(Span(1, 0, "gap"),)),
]


@pytest.mark.parametrize("version", ["2.1", "3.1", "4.1", "4.4"])
@pytest.mark.parametrize("words", [False, True])
def test_alto_follows_its_schema(version: str, words: bool) -> None:
    root = check(alto_xml(LINES, version=version, words=words, order=["r2", "l1"]), ALTO, BOX if version < "3" else "")
    baseline = root.find(".//{*}TextLine").get("BASELINE")
    assert baseline == ("10 32 110 33 210 34" if version == "4.4" else "32")
    assert (root.find("{*}ReadingOrder") is not None) == (version == "4.4")
    assert (root.find(".//{*}Shape") is not None) == (version > "3")
    assert root.tag == f"{{http://www.loc.gov/standards/alto/ns-v{version[0]}#}}alto"
    assert root.find(".//{*}MeasurementUnit").text in ("pixel", "mm10", "inch1200")


@pytest.mark.parametrize("version", ["2013-07-15", "2019-07-15"])
def test_page_xml_follows_its_schema(version: str) -> None:
    root = check(page_xml(LINES, version=version, order=["r2", "r1"]), PAGE)
    assert root.tag == f"{{http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}}}PcGts"
    written = [e.get("points") for e in root.iter("{*}Coords", "{*}Baseline")]
    assert all(re.fullmatch(r"([0-9]+,[0-9]+ )+([0-9]+,[0-9]+)", shape) for shape in written)


def test_lines_without_shape_are_written_as_escriptorium_does() -> None:
    line = PageLine("l1", "a", region="r1", baseline=points(1, 2, 3, 4))
    assert "<Coords" not in page_xml([line]).split("<TextLine")[1]
    check(alto_xml([line]), ALTO)
