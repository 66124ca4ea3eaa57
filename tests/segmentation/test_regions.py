"""Regions and their reading order on pages whose layout is known."""

import numpy as np
import pytest

from htr_lightning.segmentation.grouping import group_page
from htr_lightning.segmentation.regions import DetectedLine, DetectedRegion, Direction

WIDTH, HEIGHT = 1000, 1400
Named = dict[str, list[DetectedLine]]


def line(left: float, right: float, y: float) -> DetectedLine:
    baseline = np.array([[left, y], [right, y]], np.float32)
    box = np.array([[left, y - 25], [right, y - 25], [right, y + 8], [left, y + 8]], np.float32)
    return DetectedLine(baseline, box)


def block(left: float, right: float, top: float, count: int, spacing: float = 40) -> list[DetectedLine]:
    """Lines below each other, whose right ends vary a little."""
    return [line(left, right - 9 * (k % 3), top + spacing * k) for k in range(count)]


def read(parts: Named, direction: Direction = "ltr", width: float = WIDTH) -> tuple[str, list[DetectedRegion]]:
    """Group the lines of parts, shuffled; return the names of the parts in reading order, and the regions."""
    lines = [line for part in parts.values() for line in part]
    shuffled = [lines[i] for i in np.random.default_rng(0).permutation(len(lines))]
    regions = group_page(shuffled, width, HEIGHT, direction=direction).regions
    names = {id(line.baseline): name for name, part in parts.items() for line in part}
    order = [names[id(line.baseline)] for region in regions for line in region.lines]
    assert len(order) == len(lines)
    for name, part in parts.items():
        places = [id(line.baseline) for region in regions for line in region.lines]
        own = [places.index(id(line.baseline)) for line in part]
        assert own == sorted(own), f"{name} is read from top to bottom"
    return " ".join(name for k, name in enumerate(order) if not k or order[k - 1] != name), regions


def test_the_date_of_a_letter_comes_first() -> None:
    letter = {
        "date": block(620, 880, 100, 2),
        "address": block(150, 380, 230, 2),
        "text": block(150, 880, 350, 15),
        "signature": block(650, 850, 1020, 1),
    }
    assert read(letter)[0] == "date address text signature"
    beside = {
        "date": block(620, 880, 100, 1),
        "address": block(150, 400, 130, 3),
        "text": block(150, 880, 290, 15),
        "postscript": block(150, 870, 1000, 3),
    }
    assert read(beside)[0] == "date address text postscript"
    # On one height with the address, the date is read after it.
    assert read(beside | {"date": block(620, 880, 170, 1)})[0] == "address date text postscript"


@pytest.mark.parametrize("left", [True, False])
def test_marginalia_are_regions_of_their_own(left: bool) -> None:
    text = block(300, 900, 100, 20) if left else block(100, 700, 100, 20)
    note = block(60, 230, 300, 4) if left else block(760, 950, 300, 4)
    order, regions = read({"text": text, "note": note})
    assert order == ("note text" if left else "text note")
    assert sorted(region.kind for region in regions) == ["marginalia", "paragraph"]
    assert {len(region.lines) for region in regions if region.kind == "marginalia"} == {4}


def test_columns_are_read_one_after_the_other() -> None:
    columns = {
        "heading": block(300, 700, 60, 1),
        "left": block(80, 470, 150, 20),
        "right": block(530, 920, 150, 20),
        "end": block(80, 920, 1050, 3),
    }
    assert read(columns)[0] == "heading left right end"
    assert read(columns, "rtl")[0] == "heading right left end"


def test_paragraphs_of_columns_stay_in_their_column() -> None:
    columns = {
        "a": block(80, 470, 100, 8),
        "b": block(80, 470, 520, 8),
        "c": block(530, 920, 100, 5),
        "d": block(530, 920, 400, 12),
    }
    assert read(columns)[0] == "a b c d"
    assert read(columns, "rtl")[0] == "c d a b"


def test_a_paragraph_beside_a_gap_of_the_other_column_stays_in_its_own() -> None:
    columns = {
        "a": block(80, 470, 100, 8),
        "b": block(80, 470, 620, 8),
        "c": block(530, 920, 100, 8),
        "d": block(530, 920, 470, 2),
        "e": block(530, 920, 620, 8),
    }
    assert read(columns)[0] == "a b c d e"


def test_tables_are_read_by_rows_between_the_text_around_them() -> None:
    rows = [[line(100, 160, y), line(220, 480, y), line(560, 620, y), line(700, 760, y)] for y in range(300, 620, 40)]
    page = {"above": block(100, 900, 100, 4), "table": [line for row in rows for line in row]}
    page["below"] = block(100, 880, 700, 6)
    order, regions = read(page)
    assert order == "above table below" and [region.kind for region in regions] == ["paragraph", "table", "paragraph"]
    mirrored = page | {"table": [line for row in rows for line in row[::-1]]}
    assert read(mirrored, "rtl")[0] == "above table below"


@pytest.mark.parametrize(("direction", "order"), [("ltr", "left right"), ("rtl", "right left")])
def test_the_halves_of_a_double_page(direction: Direction, order: str) -> None:
    pages = {"left": block(100, 900, 100, 20), "right": block(1100, 1900, 100, 20)}
    found, regions = read(pages, direction, 2000)
    assert found == order and [region.half for region in regions] == ([0, 1] if direction == "ltr" else [1, 0])
