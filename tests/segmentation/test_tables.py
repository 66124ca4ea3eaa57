"""Tables among lines whose place is known: their rows, columns and spans, and pages that hold none."""

import cv2
import numpy as np
import pytest

from htr_lightning.layout.page import Cell
from htr_lightning.segmentation.grouping import group_page
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion
from htr_lightning.segmentation.ruling import find_vertical_rules
from htr_lightning.segmentation.tables import find_tables

SPACING = 40.0
WIDTH, HEIGHT = 1000, 1400


def line(left: float, right: float, y: float, slope: float = 0.0) -> DetectedLine:
    """A line 25 px high above its baseline and 8 below; a slope of 0.1 sinks 10 px over 100."""
    xs = np.array([left, (left + right) / 2, right])
    ys = y + slope * xs
    upper, lower = np.stack([xs, ys - 25], 1), np.stack([xs, ys + 8], 1)[::-1]
    return DetectedLine(np.stack([xs, ys], 1).astype(np.float32), np.concatenate([upper, lower]).astype(np.float32))


def build_census(rows: int = 8, slope: float = 0.0, seed: int = 0) -> dict[tuple[int, int], DetectedLine]:
    """Lines by row and column: numbers, names, ages and places, some of them missing."""
    generator = np.random.default_rng(seed)
    columns = [(60, 110), (150, 400), (450, 490), (540, 800)]
    cells = {}
    for row in range(rows):
        for column, (left, right) in enumerate(columns):
            if column == 3 and row % 3 == 1:
                continue
            end = right - generator.uniform(0, 0.4) * (right - left)
            height = 100 + SPACING * row + generator.uniform(-4, 4)
            cells[row, column] = line(left + generator.uniform(-5, 5), end, height, slope)
    return cells


def shuffle(lines: list[DetectedLine]) -> list[DetectedLine]:
    return [lines[i] for i in np.random.default_rng(1).permutation(len(lines))]


def get_places(table: DetectedRegion) -> dict[int, Cell | None]:
    return {id(line.baseline): line.cell for line in table.lines}


@pytest.mark.parametrize("slope", [0.0, 0.02, -0.03])
def test_rows_and_columns_of_a_census(slope: float) -> None:
    cells = build_census(slope=slope)
    tables, others = find_tables(shuffle(list(cells.values())), SPACING)
    assert len(tables) == 1 and tables[0].kind == "table" and not others
    places = get_places(tables[0])
    assert {key: places[id(line.baseline)] for key, line in cells.items()} == {key: Cell(*key) for key in cells}
    order = [(line.cell.row, line.cell.column) for line in tables[0].lines if line.cell]
    assert order == sorted(cells)


def test_columns_are_counted_in_the_direction_of_writing() -> None:
    cells = build_census()
    (table,), _ = find_tables(list(cells.values()), SPACING, direction="rtl")
    places = get_places(table)
    assert {key: places[id(line.baseline)] for key, line in cells.items()} == {
        (row, column): Cell(row, 3 - column) for row, column in cells
    }


def test_a_line_over_several_columns_has_a_span() -> None:
    cells = build_census()
    del cells[2, 1], cells[2, 2]
    over = line(150, 480, 100 + 2 * SPACING)
    (table,), _ = find_tables([*cells.values(), over], SPACING)
    assert get_places(table)[id(over.baseline)] == Cell(2, 1, column_span=2)


def build_register() -> tuple[list[DetectedLine], list[list[DetectedLine]]]:
    """Six entries of a register: number, date, a text of two to four lines, and a price beside its last line."""
    entries, y = [], 100.0
    for number in range(6):
        count = 2 + number % 3
        text = [line(220, 640 - 20 * k, y + SPACING * k) for k in range(count)]
        price = line(720, 790, y + SPACING * (count - 1) + 3)
        entries.append([line(60, 100, y + 2), line(140, 180, y - 3), *text, price])
        y += SPACING * (count + 0.2)
    return [line for entry in entries for line in entry], entries


def test_a_row_has_all_lines_of_its_text() -> None:
    lines, entries = build_register()
    (table,), others = find_tables(shuffle(lines), SPACING)
    places = get_places(table)
    for row, (number, date, *text, price) in enumerate(entries):
        assert places[id(number.baseline)] == Cell(row, 0) and places[id(date.baseline)] == Cell(row, 1)
        assert all(places[id(line.baseline)] == Cell(row, 2) for line in text)
        assert places[id(price.baseline)] == Cell(row, 3)
    assert not others
    assert [id(line.baseline) for line in table.lines] == [id(line.baseline) for line in lines], "in row order"


def test_rules_part_columns_that_alignment_cannot() -> None:
    # The texts of the second column run to the very start of the third.
    rows = [100 + SPACING * row for row in range(9)]
    cells = [[line(60, 118, y), line(125, 397 + 4 * (y % 3), y), line(400, 640, y), line(660, 700, y)] for y in rows]
    lines = [line for row in cells for line in row]
    rules = [np.array([[x, 50.0], [x, 500.0]]) for x in (20, 122, 399, 650, 760)]
    (table,), others = find_tables(lines, SPACING, rules)
    places = get_places(table)
    for row, own in enumerate(cells):
        assert [places[id(line.baseline)] for line in own] == [Cell(row, k) for k in range(4)]
    assert not others
    # A rule that writing crosses everywhere, such as a fold, parts nothing.
    fold = np.array([[250.0, 0.0], [250.0, 1000.0]])
    (table,), _ = find_tables(lines, SPACING, [*rules, fold])
    assert max(line.cell.column for line in table.lines if line.cell) == 3


def test_text_above_and_below_is_not_in_the_table() -> None:
    cells = build_census()
    above = [line(60, 800, y) for y in (-180.0, -140.0, -100.0, -60.0)]
    below = [line(60, 780, y) for y in (520.0, 560.0, 600.0, 640.0)]
    regions = group_page([*above, *cells.values(), *below], WIDTH, HEIGHT).regions
    assert [region.kind for region in regions] == ["paragraph", "table", "paragraph"]
    assert [len(region.lines) for region in regions] == [4, len(cells), 4]


def build_prose(count: int = 25, left: float = 150, right: float = 850) -> list[DetectedLine]:
    generator = np.random.default_rng(2)
    ends = right - generator.uniform(0, 0.15, count) * (right - left)
    return [line(left, end, 200 + SPACING * row) for row, end in enumerate(ends)]


PAGES = {
    "prose": build_prose(),
    "a letter": [line(600, 850, 80), line(640, 850, 120), line(200, 400, 160), *build_prose(15), line(600, 800, 850)],
    "two columns": [*build_prose(25, 80, 470), *build_prose(25, 530, 920)],
    "three columns of text": [*build_prose(25, 50, 330), *build_prose(25, 360, 640), *build_prose(25, 670, 950)],
    "a list with numbers": [*build_prose(12), *(line(90, 120, 200 + SPACING * row) for row in range(12))],
    "notes on both sides": [
        *build_prose(25, 250, 750),
        *(line(60, 200, 208 + SPACING * row) for row in (2, 3, 4, 15)),
        *(line(800, 950, 213 + SPACING * row) for row in (7, 8, 9, 20, 21)),
    ],
    "verses with numbers": [*build_prose(20, 300, 600), *(line(660, 690, 200 + 5 * SPACING * row) for row in range(4))],
    "few lines": list(build_census(2).values()),
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("ruled", [False, True])
def test_other_pages_have_no_table(name: str, ruled: bool) -> None:
    edges = [np.array([[x, 0.0], [x, 1400.0]]) for x in (20.0, 135.0, 980.0)] if ruled else []
    tables, others = find_tables(shuffle(PAGES[name]), SPACING, edges)
    assert not tables and len(others) == len(PAGES[name])


def test_turned_tables_keep_their_cells() -> None:
    cells = build_census()
    upright = list(cells.values())
    # Turned clockwise by a quarter on a page of 1400 x 1000 px: x becomes WIDTH - y of the page turned back.
    turned = [
        DetectedLine(
            np.stack([HEIGHT - line.baseline[:, 1], line.baseline[:, 0]], 1),
            np.stack([HEIGHT - line.polygon[:, 1], line.polygon[:, 0]], 1),
            orientation=1,
        )
        for line in upright
    ]
    (region,) = group_page(turned, HEIGHT, WIDTH).regions
    assert region.kind == "table" and region.orientation == 1
    places = {id(line.baseline): line.cell for line in region.lines}
    assert [places[id(line.baseline)] for line in turned] == [Cell(*key) for key in cells]


@pytest.mark.parametrize("channels", [1, 3])
def test_vertical_rules_are_found(channels: int) -> None:
    image = np.full((1600, 1200), 220, np.uint8)
    for x in (200, 500, 900):
        cv2.line(image, (x, 150), (x + 12, 1400), 60, 3)
    for y in range(200, 1400, 60):
        cv2.putText(image, "lines of writing", (230, y), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 40, 2)
    rules = find_vertical_rules(image if channels == 1 else np.repeat(image[..., None], 3, 2))
    found = sorted(float(np.interp(775, rule[:, 1], rule[:, 0])) for rule in rules)
    np.testing.assert_allclose(found, [206, 506, 906], atol=3)
    assert all(rule[0, 1] < 250 and rule[-1, 1] > 1300 for rule in rules)
    assert find_vertical_rules(np.full((20, 20), 255, np.uint8)) == []
