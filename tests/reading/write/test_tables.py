"""Tables in all formats: cells in row order, and nothing lost when our own readers read them."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers.predicted_pages import TEXTS, build_line, build_page, build_region
from helpers.written_rules import check_alto, check_page_xml
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.layout import alto, page_xml
from htr_lightning.layout.page import Cell
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.alto import write_alto
from htr_lightning.reading.write.hocr import write_hocr
from htr_lightning.reading.write.page_csv import write_csv
from htr_lightning.reading.write.page_json import write_json
from htr_lightning.reading.write.page_xml import write_page_xml
from htr_lightning.reading.write.tokens import sanitize

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CELLS = [
    ("a", "Nr", Cell(0, 0)),
    ("b", "Name, Ort", Cell(0, 1, column_span=2)),
    ("c", "1", Cell(1, 0)),
    ("d", "Anna", Cell(1, 1)),
    ("e", "geb. 1830", Cell(1, 1)),
    ("f", "Bern", Cell(1, 2)),
    ("g", "3", Cell(2, 2, row_span=2)),
]


def build_table(*cells: tuple[str, str, Cell | None]) -> PredictedPage:
    """A page of a line, a table and a line."""
    lines = [build_line(id, text, 100 + 40 * n, cell=cell) for n, (id, text, cell) in enumerate(cells)]
    return build_page(
        build_region("r1", build_line("l1", "Liste", 20)),
        build_region("t", *lines, kind="table"),
        build_region("r3", build_line("l2", "Ende", 700)),
    )


@pytest.fixture
def page() -> PredictedPage:
    return build_table(*CELLS)


def test_page_xml_has_regions_with_the_role_of_cells(page: PredictedPage) -> None:
    root = check_page_xml(write_page_xml(page, NOW))
    table = root.find("{*}Page/{*}TableRegion")
    assert [e.get("regionRef") for e in root.iter("{*}RegionRefIndexed")] == ["r1", "t", "r3"]
    roles = [dict(role.attrib) for role in table.iterfind("{*}TextRegion/{*}Roles/{*}TableCellRole")]
    names = ("rowIndex", "columnIndex", "rowSpan", "colSpan")
    assert [tuple(int(role[name]) for name in names) for role in roles] == [
        (0, 0, 1, 1),
        (0, 1, 1, 2),
        (1, 0, 1, 1),
        (1, 1, 1, 1),
        (1, 2, 1, 1),
        (2, 2, 2, 1),
    ]
    two = table.findall("{*}TextRegion")[3]
    assert [line.get("id") for line in two.iterfind("{*}TextLine")] == ["d", "e"]
    assert two.findtext("{*}TextEquiv/{*}Unicode") == "Anna\ngeb. 1830"
    read = page_xml.parse_page(root, Path("a.xml"))
    assert [(line.id, line.cell, line.table) for line in read.lines] == [
        ("l1", None, ""),
        *((id, cell, "t") for id, _, cell in CELLS),
        ("l2", None, ""),
    ]


def test_alto_has_a_block_for_each_cell(page: PredictedPage) -> None:
    root = check_alto(write_alto(page, NOW))
    table = root.find(".//{*}ComposedBlock")
    assert table.get("TYPE") == "table"
    assert [[line.get("ID") for line in block.iterfind("{*}TextLine")] for block in table.iterfind("{*}TextBlock")] == [
        ["a"],
        ["b"],
        ["c"],
        ["d", "e"],
        ["f"],
        ["g"],
    ]
    read = alto.parse_page(root, Path("a.xml"))
    assert [(line.id, line.table) for line in read.lines] == [
        ("l1", ""),
        *((id, "t") for id, _, _ in CELLS),
        ("l2", ""),
    ]


@st.composite
def tables(draw: st.DrawFn) -> PredictedPage:
    """Draw a table in row order; some lines have no cell, some cells several lines."""
    places = sorted(draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)))
    spans = st.integers(1, 3)
    cells = [Cell(*place, draw(spans), draw(spans)) if draw(st.integers(0, 9)) else None for place in places]
    return build_table(*((f"x{n}", draw(TEXTS), cell) for n, cell in enumerate(cells)))


@given(tables())
@settings(max_examples=60, deadline=None)
def test_no_line_is_lost_and_the_order_stays(page: PredictedPage) -> None:
    expected = [(line.id, sanitize(line.text)) for line in page.lines]
    written = {alto: check_alto(write_alto(page, NOW)), page_xml: check_page_xml(write_page_xml(page, NOW))}
    for module, root in written.items():
        lines = module.parse_page(root, Path("a.xml")).lines
        assert [(line.id, line.text) for line in lines] == [(id, " ".join(text.split(" "))) for id, text in expected]
    read = page_xml.parse_page(written[page_xml], Path("a.xml"))
    if any(line.cell for line in page.lines):
        for line, parsed in zip(page.lines, read.lines, strict=True):
            assert (parsed.cell is None) == (line.cell is None)
            if line.cell and parsed.cell:
                assert (parsed.cell.row, parsed.cell.column) == (line.cell.row, line.cell.column)
    fields = [text for row in csv.reader(io.StringIO(write_csv(page).decode())) for text in row]
    assert sum(map(len, "".join(fields).replace("\n", ""))) == sum(len(text) for _, text in expected)


def read_csv(page: PredictedPage) -> list[list[str]]:
    return list(csv.reader(io.StringIO(write_csv(page).decode())))


def test_csv_has_tables_as_rows_and_columns(page: PredictedPage) -> None:
    assert read_csv(page) == [
        ["Liste"],
        [],
        ["Nr", "Name, Ort", ""],
        ["1", "Anna\ngeb. 1830", "Bern"],
        ["", "", "3"],
        ["", "", ""],
        [],
        ["Ende"],
    ]


def test_csv_of_several_tables_and_of_text() -> None:
    first, second = (
        build_region(f"t{n}", build_line(f"{n}a", 'a "b"', cell=Cell(0, 0)), build_line(f"{n}b", "", cell=Cell(0, 1)))
        for n in range(2)
    )
    assert read_csv(build_page(first, second)) == [['a "b"', ""], [], ['a "b"', ""]]
    text = build_region("r", build_line("l1", "one"), build_line("l2", "two"))
    assert read_csv(build_page(text, build_region("e"), first)) == [["one"], ["two"], [], ['a "b"', ""]]
    assert write_csv(build_page()) == b""


def test_json_and_hocr_name_the_cells(page: PredictedPage) -> None:
    _, table, after = json.loads(write_json(page))["regions"]
    assert [Cell(**line["cell"]) for line in table["lines"]] == [cell for _, _, cell in CELLS]
    assert after["lines"][0]["cell"] is None
    root = etree.fromstring(write_hocr(page))
    of_class = {name: root.findall(f".//*[@class='{name}']") for name in ("ocr_table", "ocr_carea", "ocr_line")}
    assert [len(found) for found in of_class.values()] == [1, 3, 2 + len(CELLS)]
    paragraphs = of_class["ocr_table"][0].findall("*[@class='ocr_par']")
    assert [[line.get("id") for line in p] for p in paragraphs] == [["a"], ["b"], ["c"], ["d", "e"], ["f"], ["g"]]


def test_lines_without_a_cell_stay_in_a_text_region() -> None:
    line: PredictedLine = replace(build_line("l", "text"), cell=None)
    page = build_page(build_region("r", line, kind="table"))
    assert check_page_xml(write_page_xml(page, NOW)).find(".//{*}TableRegion") is None
    assert check_alto(write_alto(page, NOW)).find(".//{*}ComposedBlock") is None
