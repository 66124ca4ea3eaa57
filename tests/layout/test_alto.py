import os
from pathlib import Path

import numpy as np
import pytest
from helpers.layouts import alto_xml, facts, points, text_line
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.image.files import DataError
from htr_lightning.layout.alto import matches, parse_page, read_alto
from htr_lightning.layout.page import Page, PageLine, Span
from htr_lightning.layout.xml import read_xml

LINES = [
    text_line("l1", 'Un  <b> & "l\'été"', 10, type="default", region_type="MainZone"),
    text_line("l2", "", 50, type="in line", region_type="MainZone"),
    text_line("l3", "trois\u00a0\n ", 90.5, region="r2", region_type="paragraph"),
]
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc", "Cn"])


def page(xml: str) -> Page:
    return parse_page(etree.fromstring(xml.encode()), Path("a.xml"))


def of_line(inside: str, attributes: str = 'HPOS="1" VPOS="2" WIDTH="30" HEIGHT="10"', tags: str = "") -> PageLine:
    """Read a file without namespace that has one line."""
    line = f'<TextBlock ID="b"><TextLine ID="l" {attributes}>{inside}</TextLine></TextBlock>'
    (read,) = page(
        f"<alto><Tags>{tags}</Tags><Layout><Page><PrintSpace>{line}</PrintSpace></Page></Layout></alto>"
    ).lines
    return read


@pytest.mark.parametrize("version", ["", "4.2", "4.4"])
def test_all_that_is_written_is_read_back(version: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(alto_xml(LINES, version=version, image="images/a.png", size=(1000, 800.5)), encoding="utf-8")
    read = read_alto(path)
    assert [facts(line) for line in read.lines] == [facts(line) for line in LINES]
    assert (read.path, read.image_name, read.size) == (path, "images/a.png", (1000, 800.5))
    assert matches(read_xml(path)) and not matches(etree.fromstring("<PcGts/>"))


@given(st.lists(st.text(CHARACTERS, max_size=30), min_size=1, max_size=4), st.booleans())
def test_any_text_is_read_back(texts: list[str], words: bool) -> None:
    lines = [text_line(f"l{n}", text, 40 * n) for n, text in enumerate(texts)]
    assert [line.text for line in page(alto_xml(lines, words=words)).lines] == texts


def test_old_versions_have_boxes_and_heights() -> None:
    line = text_line("l", "a", 10)
    for version in ("2.1", "3.0"):
        (read,) = page(alto_xml([line], version=version)).lines
        assert read.polygon.tolist() == [[10, 10], [210, 10], [210, 40], [10, 40]]
        assert read.baseline.tolist() == [[10, 32], [210, 32]] and not read.problem
    (read,) = page(alto_xml([line], version="3.1")).lines
    assert np.array_equal(read.polygon, line.polygon) and read.baseline.tolist() == [[10, 32], [210, 32]]


def test_units_only_scale() -> None:
    read = page(alto_xml(LINES, unit="mm10", size=(2100, 2970)))
    assert read.size == (2100, 2970) and np.array_equal(read.lines[0].polygon, LINES[0].polygon)
    assert page(alto_xml(LINES, size=None)).size is None


# Text


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ('<String CONTENT="a"/><SP/><String CONTENT="b"/>', "a b"),
        ('<String CONTENT="a"/><String CONTENT="b"/><String CONTENT="c"/>', "a b c"),
        ('<String CONTENT="a"/><String CONTENT="b"/><SP/><String CONTENT="c"/>', "ab c"),
        ('<String CONTENT="a"/><SP/><SP/><String CONTENT="b"/><SP/>', "a  b "),
        ('<String CONTENT="un"/><SP/><String CONTENT="exem" SUBS_CONTENT="exemple"/><HYP CONTENT="-"/>', "un exem-"),
        ('<String CONTENT="ma-" SUBS_TYPE="HypPart1"/><HYP CONTENT="-"/>', "ma-"),
        ('<String CONTENT="ma"/><HYP CONTENT="\u00ad"/>', "ma\u00ad"),
        ('<String CONTENT="ma"/><HYP/>', "ma-"),
        ('<String CONTENT="&#339;&amp;&lt;&quot;&apos;&#x1D510;"/>', "œ&<\"'𝔐"),
        ('<String CONTENT="a"><ALTERNATIVE>x</ALTERNATIVE><Glyph CONTENT="a"/></String>', "a"),
        ('<String/><String CONTENT=""/>', ""),
        ("", ""),
    ],
)
def test_text(inside: str, text: str) -> None:
    assert of_line(inside).text == text


def test_styles_become_spans() -> None:
    line = of_line('<String CONTENT="a" STYLE="bold"/><String CONTENT="bc" STYLE="strikethrough italics"/>')
    assert line.spans == (Span(0, 1, "bold"), Span(2, 2, "strikethrough"), Span(2, 2, "italics"))
    assert of_line('<String CONTENT="" STYLE="bold"/>').spans == ()


# Shapes

BOX = 'HPOS="10" VPOS="20" WIDTH="100" HEIGHT="30"'
CORNERS = [[10, 20], [110, 20], [110, 50], [10, 50]]


def test_without_polygon_the_box_is_taken() -> None:
    for shape in ("", "<Shape/>", '<Shape><Polygon POINTS=" "/></Shape>', '<Shape><Circle RADIUS="x"/></Shape>'):
        assert of_line(shape, BOX).polygon.tolist() == CORNERS
    circle, ellipse = '<Circle HPOS="5" VPOS="6" RADIUS="2"/>', '<Ellipse HPOS="9" VPOS="5" HLENGTH="6" VLENGTH="4"/>'
    assert of_line(f"<Shape>{circle}</Shape>", "").polygon.tolist() == [[3, 4], [7, 4], [7, 8], [3, 8]]
    assert of_line(f"<Shape>{ellipse}</Shape>", "").polygon.tolist() == [[6, 3], [12, 3], [12, 7], [6, 7]]


def test_with_polygon_or_baseline_the_box_does_not_matter() -> None:
    polygon = '<Shape><Polygon POINTS="(1,2) (3,4) (5,0)"/></Shape>'
    line = of_line(polygon, 'HPOS="x" VPOS="0" WIDTH="0" HEIGHT="0"')
    assert line.polygon.tolist() == [[1, 2], [3, 4], [5, 0]] and not line.problem
    line = of_line("", 'HPOS="1" VPOS="1" WIDTH="0" HEIGHT="0" BASELINE="1 2 3 4"')
    assert line.polygon.shape == (0, 2) and line.baseline.tolist() == [[1, 2], [3, 4]] and not line.problem


def test_baselines_that_are_a_height() -> None:
    assert of_line("", f'{BOX} BASELINE="45.5"').baseline.tolist() == [[10, 45.5], [110, 45.5]]
    for far in ("0", "-5", "66", "400"):  # counted from elsewhere
        line = of_line("", f'{BOX} BASELINE="{far}"')
        assert line.baseline.shape == (0, 2) and not line.problem
    # The box is 30 high, from 20 to 50: half of that above or below it may be a slip, more is not.
    for near in (5, 20, 50, 65):
        assert of_line("", f'{BOX} BASELINE="{near}"').baseline.tolist() == [[10, near], [110, near]]
    for far in (4.9, 65.1):
        assert not len(of_line("", f'{BOX} BASELINE="{far}"').baseline)
    polygon = '<Shape><Polygon POINTS="0,0 9,1 9,9"/></Shape>'
    assert of_line(polygon, 'BASELINE="8"').baseline.tolist() == [[0, 8], [9, 8]]


@pytest.mark.parametrize(
    ("attributes", "inside", "problem"),
    [
        ("", "", "it has neither an outline, nor a baseline, nor a box with an area; draw one"),
        ('BASELINE="30"', "", "it has neither an outline, nor a baseline, nor a box with an area; draw one"),
        (BOX.replace("100", "0"), "", "it has neither an outline, nor a baseline, nor a box with an area; draw one"),
        (BOX.replace("30", "NaN"), "", "its box has a coordinate that is not finite (NaN or infinite); correct it"),
        (BOX.replace("30", "x"), "", "its box has 'x' where a number belongs; correct it"),
        (f'{BOX} BASELINE="5 6"', "", "its baseline has a single point, where 2 are needed; draw it again"),
        (f'{BOX} BASELINE="x"', "", "its baseline has 'x' where a number belongs; draw it again"),
        (f'{BOX} BASELINE="1 2 3"', "", "its baseline has 3 coordinates, an odd number; draw it again"),
        (
            BOX,
            '<Polygon POINTS="1 1 2 2"/>',
            "its outline has only 2 different points, where 3 are needed; draw it again",
        ),
        (BOX, '<Polygon POINTS="1 1 2 ?"/>', "its outline has '?' where a number belongs; draw it again"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(attributes: str, inside: str, problem: str) -> None:
    assert of_line(f"<Shape>{inside}</Shape>", attributes).problem == problem


def test_one_bad_line_spares_the_others() -> None:
    lines = page(alto_xml([*LINES, PageLine("l4", "d", points(1, 1, 2, 2), region="r3")])).lines
    assert [bool(line.problem) for line in lines] == [False, False, False, True]


# Types, ids, order


@pytest.mark.parametrize(
    ("tags", "attributes", "type"),
    [
        ('<OtherTag ID="t" LABEL="x" DESCRIPTION="line type x"/>', 'TAGREFS="t"', "x"),
        ('<LayoutTag ID="t" LABEL="x"/>', 'TAGREFS="gone t"', "x"),
        ('<StructureTag ID="t" LABEL="x" TYPE="Structural"/><OtherTag ID="u" LABEL="y"/>', 'TAGREFS="t u"', "x"),
        ('<OtherTag ID="t" LABEL="b" DESCRIPTION="block type b"/><OtherTag ID="u" LABEL="y"/>', 'TAGREFS="t u"', "y"),
        ('<OtherTag ID="t" LABEL="x"/><OtherTag ID="u" LABEL="y" TYPE="line"/>', 'TAGREFS="t u"', "y"),
        (
            '<OtherTag ID="t" LABEL="heb" TYPE="language"/><OtherTag ID="u" LABEL="y" TYPE="type"/>',
            'TAGREFS="t u"',
            "y",
        ),
        ('<OtherTag ID="t" LABEL="x"/><OtherTag ID="u" LABEL="y" DESCRIPTION="Line type y"/>', 'TAGREFS="t u"', "y"),
        ('<OtherTag ID="t" LABEL="b" TYPE="Region"/><OtherTag ID="u" LABEL="y"/>', 'TAGREFS="t u"', "y"),
        ('<OtherTag ID="t" LABEL="x" DESCRIPTION="the line type x"/>', 'TAGREFS="t"', "x"),
        ('<NamedEntityTag ID="t" LABEL="Europe"/>', 'TAGREFS="t"', ""),
        ('<OtherTag ID="t" DESCRIPTION="no label"/>', 'TAGREFS="t" TYPE="z"', "z"),
        ('<OtherTag ID="t" LABEL="x"/>', 'TAGREFS="t" TYPE="z"', "x"),
        ("", "", ""),
    ],
)
def test_types(tags: str, attributes: str, type: str) -> None:
    assert of_line("", attributes, tags).type == type


@pytest.mark.parametrize(
    ("tag", "type"),
    [
        ('DESCRIPTION="Block type b"', "b"),
        ('TYPE="block"', "b"),
        ('TYPE="region"', "b"),
        ('TYPE="line"', "a"),
        ('DESCRIPTION="line type b"', "a"),
    ],
)
def test_types_of_blocks(tag: str, type: str) -> None:
    tags = f'<OtherTag ID="t" LABEL="a"/><OtherTag ID="u" LABEL="b" {tag}/>'
    block = '<TextBlock ID="b" TAGREFS="t u"><TextLine ID="l"/></TextBlock>'
    (line,) = page(
        f"<alto><Tags>{tags}</Tags><Layout><Page><PrintSpace>{block}</PrintSpace></Page></Layout></alto>"
    ).lines
    assert line.region_type == type


def test_another_format_is_refused() -> None:
    with pytest.raises(DataError, match="its root element is 'PcGts'") as error:
        page("<PcGts/>")
    assert (error.value.kind, error.value.file) == ("unknown_format", Path("a.xml"))


def test_nested_blocks_and_margins() -> None:
    line = '<TextLine ID="l{0}" HPOS="0" VPOS="{0}" WIDTH="9" HEIGHT="9"/>'
    blocks = [f'<TextBlock ID="b{n}" TYPE="t{n}">{line.format(n)}</TextBlock>' for n in range(4)]
    xml = (
        f"<alto><Layout><Page><TopMargin>{blocks[0]}</TopMargin><PrintSpace>{blocks[1]}"
        f'<ComposedBlock ID="c" TYPE="table"><ComposedBlock ID="d">{blocks[2]}</ComposedBlock>{blocks[3]}'
        "</ComposedBlock></PrintSpace></Page></Layout></alto>"
    )
    found = [(line.id, line.region, line.region_type) for line in page(xml).lines]
    assert found == [(f"l{n}", f"b{n}", f"t{n}") for n in range(4)]
    ordered = xml.replace("<Layout>", '<ReadingOrder><OrderedGroup REF="d"/></ReadingOrder><Layout>')
    assert [line.id for line in page(ordered).lines] == ["l2", "l0", "l1", "l3"]


def test_reading_order() -> None:
    assert [line.id for line in page(alto_xml(LINES, order=["r2", "l2"])).lines] == ["l3", "l2", "l1"]
    nested = (
        '<ReadingOrder><UnorderedGroup ID="u"><OrderedGroup ID="o"><ElementRef ID="e1" REF="l2 r2"/></OrderedGroup>'
        '<ElementRef ID="e2" REF="gone"/></UnorderedGroup></ReadingOrder><Layout>'
    )
    assert [line.id for line in page(alto_xml(LINES).replace("<Layout>", nested)).lines] == ["l2", "l3", "l1"]


def test_ids_that_repeat_or_are_missing() -> None:
    xml = alto_xml([text_line(f"l{n}", str(n), 40 * n) for n in range(4)], order=["l1", "l3"])
    xml = xml.replace('ID="l2"', 'ID="l0"').replace('<TextLine ID="l3"', "<TextLine")
    assert [(line.id, line.text) for line in page(xml).lines] == [
        ("l1", "1"),
        ("l0", "0"),
        ("l0_2", "2"),
        ("line_0004", "3"),
    ]


def test_image_name() -> None:
    assert page(alto_xml([], image="file:///scans/a%20b.tif")).image_name == "/scans/a b.tif"
    xml = alto_xml([], image="  ").replace("</fileName>", "</fileName><fileName>b.tif</fileName>")
    assert page(xml).image_name == "b.tif"
    empty = page("<alto><Layout><Page/></Layout></alto>")
    assert (empty.image_name, empty.size, empty.lines) == ("", None, ())


def test_real_pages() -> None:
    root = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "pages"
    if not root.is_dir():
        pytest.skip(f"needs {root}; set HTR_DATA")
    pages = [read_alto(path) for path in sorted(root.rglob("*.xml"))]
    lines = [line for page in pages for line in page.lines]
    assert len(pages) == 15 and len(lines) == 272
    assert all(line.text and len(line.polygon) > 2 and len(line.baseline) > 1 and not line.problem for line in lines)
    assert {line.type for line in lines} == {"default", ""} and {line.region_type for line in lines} == {"text"}
    assert all(page.size and page.path.with_name(page.image_name).is_file() for page in pages)


def test_points_in_millimeters_need_the_size_of_the_page() -> None:
    lines = [text_line("l", "a")]
    for unit in ("mm10", "inch1200", "furlong"):
        assert page(alto_xml(lines, unit=unit)).size == (1000, 800)
        with pytest.raises(DataError, match=unit) as error:
            page(alto_xml(lines, unit=unit, size=None))
        assert error.value.kind == "unit" and error.value.remedy
        assert page(alto_xml([], unit=unit, size=None)).lines == ()
    assert page(alto_xml(lines, unit="pixel", size=None)).size is None


@pytest.mark.parametrize(("written", "number"), [("2", 2), (" 12 ", 12), ("0", None), ("ii", None), ("9" * 30, None)])
def test_number_of_the_page(written: str, number: int | None) -> None:
    assert page(alto_xml([]).replace('PHYSICAL_IMG_NR="1"', f'PHYSICAL_IMG_NR="{written}"')).number == number


def test_hyphens() -> None:
    string = '<String CONTENT="wort"/>'
    for content, text in (("-", "wort-"), ("\u00ad", "wort\u00ad"), ("¬", "wort¬")):
        line = of_line(f'{string}<HYP CONTENT="{content}"/>')
        assert (line.text, line.spans) == (text, ())
    for empty in ('<HYP CONTENT=""/>', "<HYP/>"):
        line = of_line(string + empty)
        assert (line.text, line.spans) == ("wort-", (Span(4, 1, "HYP"),))
        line = of_line(f'<String CONTENT="wort-"/>{empty}')
        assert (line.text, line.spans) == ("wort-", ())
