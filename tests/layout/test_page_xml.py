from pathlib import Path

import numpy as np
import pytest
from helpers.layouts import STYLES, facts, page_xml, points, text_line
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.image.files import DataError
from htr_lightning.layout.page import Cell, Page, PageLine, Span
from htr_lightning.layout.page_xml import matches, parse_page, read_page_xml
from htr_lightning.layout.xml import read_xml

LINES = [
    text_line(
        "l1",
        'Un  <b> & "l\'été" ',
        10,
        type="heading",
        region_type="MainZone",
        spans=(Span(0, 2, "strikethrough"), Span(4, 3, "abbrev"), Span(3, 0, "gap"), Span(17, 1, "unclear")),
    ),
    text_line("l2", "", 50, type="$pac", region_type="MainZone"),
    text_line("l3", "trois\u00a0\r\n\t ", 90, region="r2", region_type="page-number"),
]
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc", "Cn"])
COORDS = '<Coords points="1,2 30,2 30,9"/>'


def page(xml: str) -> Page:
    return parse_page(etree.fromstring(xml.encode()), Path("a.xml"))


def of_line(inside: str, custom: str = "", before: str = COORDS) -> PageLine:
    """Read a file without namespace that has one line."""
    line = f"<TextLine id='l' custom='{custom}'>{before}{inside}</TextLine>"
    (read,) = page(f"<PcGts><Page imageFilename='a'><TextRegion id='r'>{line}</TextRegion></Page></PcGts>").lines
    return read


def text(content: str, more: str = "") -> str:
    return f"<TextEquiv{more}><Unicode>{content}</Unicode></TextEquiv>"


@pytest.mark.parametrize("version", ["", "2010-03-19", "2013-07-15", "2019-07-15"])
def test_all_that_is_written_is_read_back(version: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(page_xml(LINES, version=version, image="images/a.png"), encoding="utf-8")
    read = read_page_xml(path)
    assert [facts(line) for line in read.lines] == [facts(line) for line in LINES]
    assert (read.path, read.image_name, read.size) == (path, "images/a.png", (1000, 800))
    assert matches(read_xml(path)) and not matches(etree.fromstring("<alto/>"))


@st.composite
def marked(draw: st.DrawFn) -> tuple[str, tuple[Span, ...]]:
    # Characters beyond U+FFFF are a case of their own: their offsets are counted differently.
    content = draw(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc", "Cn"]), max_size=30))
    place = st.integers(0, len(content))
    pairs = draw(st.lists(st.tuples(place, place, st.sampled_from([*STYLES, "unclear", "gap"])), max_size=4))
    spans = [Span(min(a, b), abs(a - b), tag) for a, b, tag in pairs if a != b or tag == "gap"]
    return content, tuple(dict.fromkeys(spans))


@given(st.lists(marked(), min_size=1, max_size=4))
def test_any_text_with_any_spans_is_read_back(written: list[tuple[str, tuple[Span, ...]]]) -> None:
    lines = [text_line(f"l{n}", text, 40 * n, spans=spans) for n, (text, spans) in enumerate(written)]
    assert [(line.text, line.spans) for line in page(page_xml(lines)).lines] == written


# Text


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        (text("b", ' index="1"') + text("a", ' index="0"'), "a"),
        (text("a") + text("b"), "a"),
        (text("b") + text("a", ' index="2"'), "a"),
        (text("a", ' index="x"') + text("b"), "a"),
        ("<TextEquiv><PlainText>plain</PlainText><Unicode>a</Unicode></TextEquiv>", "a"),
        ("<TextEquiv><PlainText>plain</PlainText></TextEquiv>", ""),
        (f"<Word>{text('le')}</Word><Word>{text('roi')}</Word>", "le roi"),
        (f"<Word>{text('le')}</Word><Word>{text('roi')}</Word>{text('la reine')}", "la reine"),
        (f"<Word>{text('le')}</Word><Word/><Word>{text('roi')}</Word>{text('')}", "le roi"),
        (f"<Word><Glyph>{text('l')}</Glyph><Glyph>{text('e')}</Glyph></Word><Word>{text('roi')}</Word>", "le roi"),
        (text("œ&#339;&amp;&lt;&gt;&quot;<![CDATA[<&>]]>"), 'œœ&<>"<&>'),
        (text(" a \n b "), " a \n b "),
        ("", ""),
    ],
)
def test_text(inside: str, found: str) -> None:
    assert of_line(inside).text == found


# Spans


@pytest.mark.parametrize(
    ("custom", "spans"),
    [
        (
            "readingOrder {index:0;} textStyle {offset:0; length:3;strikethrough:true; bold:true; fontSize:12.0;}",
            (Span(0, 3, "strikethrough"), Span(0, 3, "bold")),
        ),
        (
            "unclear {offset:1; length:2; reason:a\\u0020b;} abbrev {offset:0; length:1; expansion:Le;}",
            (Span(1, 2, "unclear"), Span(0, 1, "abbrev")),
        ),
        ("person{offset:0;length:2;continued:true}", (Span(0, 2, "person"),)),
        ("textStyle {offset:0; length:2; continued:true;}", ()),
        ("textStyle {offset:0; length:2; italic:false;}", ()),
        ("textStyle {offset:2; length:0; italic:true;}", ()),
        ("unclear {offset:3; length:50;} sic {offset:-2; length:4;}", (Span(3, 3, "unclear"), Span(0, 2, "sic"))),
        ("unclear {offset:6; length:1;} sic {offset:-2; length:2;} x {offset:1; length:-1;}", ()),
        ("gap {offset:6; length:0;} gap {offset:0; length:0;}", (Span(6, 0, "gap"), Span(0, 0, "gap"))),
        ("gap {offset:7; length:0;} gap {offset:-1; length:0;}", ()),
        ("unclear {offset:a; length:1;} unclear {offset:1;} unclear {} structure {type:x;}", ()),
        ("unclear offset:1; length:1; } } {{ ; : unclear {offset:2; length:1;", (Span(2, 1, "unclear"),)),
        ("{offset:1; length:1;} unclear{offset:2;length:1;}", (Span(2, 1, "unclear"),)),
        ("unclear {offset:1; length:1;} unclear {offset:1; length:1;}", (Span(1, 1, "unclear"),)),
    ],
)
def test_spans(custom: str, spans: tuple[Span, ...]) -> None:
    assert of_line(text("le roi"), custom).spans == spans


def test_offsets_count_as_java_does() -> None:
    marks = "a {offset:0; length:2;} b {offset:2; length:1;} c {offset:3; length:9;} gap {offset:5; length:0;}"
    line = of_line(text("𝔐x𝔐"), marks)
    assert line.spans == (Span(0, 1, "a"), Span(1, 1, "b"), Span(2, 1, "c"), Span(3, 0, "gap"))
    assert of_line(text("𝔐x𝔐"), "gap {offset:6; length:0;}").spans == ()


def test_a_style_of_the_line_is_a_span_of_all_its_text() -> None:
    style = '<TextStyle fontSize="1" strikethrough="true" bold="false"/>'
    assert of_line(text("le roi") + style).spans == (Span(0, 6, "strikethrough"),)
    assert of_line(style).spans == ()
    marks = "textStyle {offset:0; length:6; strikethrough:true;}"
    assert of_line(text("le roi") + style, marks).spans == (Span(0, 6, "strikethrough"),)


def test_long_customs_take_no_time() -> None:
    assert of_line(text("a"), "x" * 1_000_000 + " {" * 10_000).spans == ()


# Shapes


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        ("", "it has neither an outline nor a baseline; draw one"),
        ('<Coords/><Baseline points=""/>', "it has neither an outline nor a baseline; draw one"),
        (f'{COORDS}<Baseline points="5,6"/>', "its baseline has a single point, where 2 are needed; draw it again"),
        (
            '<Coords points="1,1 NaN,2 3,3"/>',
            "its outline has a coordinate that is not finite (NaN or infinite); draw it again",
        ),
        ('<Coords points="0,0 1,1"/>', "its outline has only 2 different points, where 3 are needed; draw it again"),
        ('<Coords points="0,0 1,1 2"/>', "its outline has 5 coordinates, an odd number; draw it again"),
        (
            '<Coords><Point x="1" y="2"/><Point x="3"/><Point y="3"/></Coords>',
            "its outline has '?' where a number belongs; draw it again",
        ),
        (COORDS, ""),
        ('<Baseline points="5,6 7.5,-8"/>', ""),
        ('<Coords points=""/><Baseline points="5,6 7.5,-8"/>', ""),
    ],
)
def test_what_is_wrong_with_a_line_is_said(before: str, problem: str) -> None:
    assert of_line(text("a"), before=before).problem == problem


def test_lines_without_outline() -> None:
    line = PageLine("l", "a", baseline=points(1, 2, 3, 4), region="r1")
    (read,) = page(page_xml([line])).lines
    assert facts(read) == facts(line)


# Types, ids, order


@pytest.mark.parametrize(
    ("attributes", "type"),
    [
        ("type='paragraph' custom='readingOrder {index:0;} structure {type:MainZone;}'", "MainZone"),
        ("custom='structure {type:a\\u0020\\ud835\\udd10\\u007d;}'", "a 𝔐}"),
        ("custom='structure {score:1;}' type='paragraph'", "paragraph"),
        ("type='paragraph'", "paragraph"),
        ("", ""),
    ],
)
def test_types(attributes: str, type: str) -> None:
    line = f"<TextLine id='l' {attributes}>{COORDS}</TextLine>"
    region = f"<TextRegion id='r' {attributes}>{line}</TextRegion>"
    (read,) = page(f"<PcGts><Page imageFilename='a'>{region}</Page></PcGts>").lines
    assert (read.type, read.region_type, read.region) == (type, type, "r")


def region(id: str, *inside: str, more: str = "", name: str = "TextRegion") -> str:
    lines = (line if "<" in line else f"<TextLine id='{line}'>{COORDS}</TextLine>" for line in inside)
    return f"<{name} id='{id}' {more}>{COORDS}{''.join(lines)}</{name}>"


def ids(*inside: str) -> list[str]:
    return [line.id for line in page(f"<PcGts><Page imageFilename='a'>{''.join(inside)}</Page></PcGts>").lines]


def test_nested_regions_and_table_cells() -> None:
    cells = region("c1", "l3", name="TableCell") + region("c2", "l4", name="TableCell")
    regions = region("r1", "l1"), region("r2", region("r3", "l2")), region("t", cells, name="TableRegion")
    assert ids(*regions) == ["l1", "l2", "l3", "l4"]
    order = "<ReadingOrder><UnorderedGroup><RegionRef regionRef='{}'/><RegionRef regionRef='{}'/></UnorderedGroup>"
    assert ids(order.format("t", "r2") + "</ReadingOrder>", *regions) == ["l3", "l4", "l2", "l1"]
    assert ids(order.format("c2", "r1") + "</ReadingOrder>", *regions) == ["l4", "l1", "l2", "l3"]


def test_cells_have_a_row_and_a_column() -> None:
    role = "<Roles><TableCellRole rowIndex='{}' columnIndex='{}' rowSpan='2'/></Roles>"
    regions = region(
        "t", region("c1", role.format(3, 1), "l1"), region("c2", role.format(-1, 0), "l2"), name="TableRegion"
    )
    transkribus = region(
        "u",
        region("c3", "l3", name="TableCell", more="row='0' col='4' rowSpan='1' colSpan='2'"),
        region("c4", "l4", name="TableCell", more="row='999999999' col='0'"),
        region("c5", "l5"),
        name="TableRegion",
    )
    text = f"<PcGts><Page imageFilename='a'>{regions}{transkribus}{region('r', 'l6')}</Page></PcGts>"
    found = {line.id: (line.table, line.cell) for line in page(text).lines}
    assert found == {
        "l1": ("t", Cell(3, 1, row_span=2)),
        "l2": ("t", None),
        "l3": ("u", Cell(0, 4, column_span=2)),
        "l4": ("u", None),
        "l5": ("u", None),
        "l6": ("", None),
    }


def test_reading_order_of_nested_groups() -> None:
    order = (
        "<ReadingOrder><OrderedGroup id='o'><Labels/>"
        "<RegionRefIndexed index='10' regionRef='r1'/><OrderedGroupIndexed index='2' id='p' regionRef='r5'>"
        "<RegionRefIndexed index='1' regionRef='r3'/><RegionRefIndexed index='0' regionRef='r4'/>"
        "</OrderedGroupIndexed><UnorderedGroupIndexed index='1' id='q'><RegionRef regionRef='r2'/>"
        "<OrderedGroup id='s'><RegionRefIndexed index='0' regionRef='gone'/></OrderedGroup>"
        "</UnorderedGroupIndexed></OrderedGroup></ReadingOrder>"
    )
    assert ids(order, *(region(f"r{n}", f"l{n}") for n in range(7))) == ["l2", "l5", "l4", "l3", "l1", "l0", "l6"]
    assert [line.id for line in page(page_xml(LINES, order=["r2"])).lines] == ["l3", "l1", "l2"]


def test_order_of_lines_in_a_region() -> None:
    line = "<TextLine id='{}' custom='readingOrder {{index:{};}}' index='{}'>" + COORDS + "</TextLine>"
    custom = [line.format(*facts) for facts in (("a", 10, 0), ("b", 9, 1), ("c", 2, 2))]
    assert ids(region("r", *custom)) == ["c", "b", "a"]
    plain = [line.replace("custom", "comments").format(*facts) for facts in (("a", 0, 10), ("b", 0, 9))]
    assert ids(region("r", *plain)) == ["b", "a"]
    assert ids(region("r", *custom, "d")) == ["a", "b", "c", "d"]
    assert ids(region("r", *custom), region("s", "d"), region("t", *plain)) == ["c", "b", "a", "d", "b_2", "a_2"]


def test_order_of_regions_without_reading_order() -> None:
    regions = [region(f"r{n}", f"l{n}", more=f"custom='readingOrder {{index:{9 - n};}}'") for n in (0, 1, 2)]
    picture = region("p", name="ImageRegion")
    assert ids(picture, *regions) == ["l2", "l1", "l0"]
    assert ids(*regions, region("r3", "l3")) == ["l0", "l1", "l2", "l3"]


def test_ids_that_repeat_or_are_missing() -> None:
    nameless = f"<TextLine>{COORDS}</TextLine>"
    assert ids(region("r", "a", "a", nameless, "line_0003", "a")) == ["a", "a_2", "line_0003_2", "line_0003", "a_3"]


def test_image_and_size() -> None:
    read = page(page_xml([], image="https://host/x/images/a%20b.tif?raw=1", size=None))
    assert (read.image_name, read.size, read.lines) == ("x/images/a b.tif", None, ())
    assert page("<PcGts><Page/></PcGts>").image_name == ""
    assert np.array_equal(page(page_xml(LINES)).lines[0].baseline, LINES[0].baseline)


def test_index_of_the_text() -> None:
    both = text("truth", ' index="0"') + text("guess", ' index="1"')
    word = "<Word>" + COORDS + text("word", " index='2'") + "</Word>"
    for inside, index in ((both, 0), (text("guess", ' index="1"'), 1), (text("a"), None), (word, 2), ("", None)):
        assert of_line(inside).text_index == index
    line = f"<TextLine id='l'>{COORDS}%s</TextLine>"
    xml = f"<PcGts><Page imageFilename='a'><TextRegion id='r'>{line}</TextRegion></Page></PcGts>"

    def read(inside: str, index: int) -> str:
        return parse_page(etree.fromstring((xml % inside).encode()), Path("a.xml"), index).lines[0].text

    assert [read(both, index) for index in range(3)] == ["truth", "guess", ""]
    assert [read(text("plain"), index) for index in range(2)] == ["plain", ""]
    assert [read(word, index) for index in (0, 2)] == ["", "word"]


@pytest.mark.parametrize(
    ("metadata", "number"),
    [
        ('<MetadataItem type="imageProperties" name="page" value="12"/>', 12),
        ('<MetadataItem type="other" name="page" value="12"/>', None),
        ('<MetadataItem type="imageProperties" name="dpi" value="12"/>', None),
        ('<TranskribusMetadata docId="1" pageNr="3"/>', 3),
        ('<TranskribusMetadata pageNr="3"/><MetadataItem type="imageProperties" name="page" value="12"/>', 12),
        ('<MetadataItem type="imageProperties" name="page" value="x"/><TranskribusMetadata pageNr="3"/>', 3),
        ("", None),
    ],
)
def test_number_of_the_page(metadata: str, number: int | None) -> None:
    assert page(f"<PcGts><Metadata>{metadata}</Metadata><Page imageFilename='a'/></PcGts>").number == number


def test_another_format_is_refused() -> None:
    with pytest.raises(DataError, match="its root element is 'alto'") as error:
        page("<alto/>")
    assert (error.value.kind, error.value.file) == ("unknown_format", Path("a.xml"))
