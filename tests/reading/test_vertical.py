"""Vertical lines: read turned, with their direction in every layout."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_pages import small_page
from helpers.written_rules import check_alto, check_page_xml
from PIL import Image

import htr_lightning
from htr_lightning.image.turn import from_upright
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.folder import read_folder
from htr_lightning.reading.write.writers import PAGE_WRITERS

HEAD = '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">'


def write_page(folder: Path, turns: int, attributes: str = "", *, has_baselines: bool = True) -> Path:
    """Write a page of three lines that is turned clockwise, with its layout; return the layout."""
    page = small_page(lines=3)
    height, width = page.pixels.shape
    pixels = np.ascontiguousarray(np.rot90(page.pixels, -turns))
    size = (height, width) if turns % 2 else (width, height)
    lines = []
    for number, baseline in enumerate(page.baselines):
        (left, y), (right, _) = baseline
        outline = np.array([(left - 5, y - 45), (right + 5, y - 45), (right + 5, y + 20), (left - 5, y + 20)])
        points, base = (
            " ".join(f"{x:.0f},{y:.0f}" for x, y in from_upright(np.asarray(shape, np.float64), turns, *size))
            for shape in (outline, baseline)
        )
        written = f'<Baseline points="{base}"/>' if has_baselines else ""
        lines.append(f'<TextLine id="l{number}" {attributes}><Coords points="{points}"/>{written}</TextLine>')
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "page.png")
    xml = f'{HEAD}<Page imageFilename="page.png" imageWidth="{size[0]}" imageHeight="{size[1]}">'
    xml += f'<TextRegion id="r" {attributes}><Coords points="0,0 {size[0]},0 {size[0]},{size[1]}"/>'
    path = folder / "page.xml"
    path.write_text(f"{xml}{''.join(lines)}</TextRegion></Page></PcGts>", encoding="utf-8")
    return path


@pytest.mark.parametrize(("direction", "turns", "short"), [("top-to-bottom", 1, "ttb"), ("bottom-to-top", 3, "btt")])
def test_vertical_lines_are_read_turned_and_stay_vertical(
    direction: str, turns: int, short: str, tmp_path: Path
) -> None:
    reader = htr_lightning.load("zoo:latin-large", device="cpu")
    upright = reader.read(tmp_path / "a" / "page.png", layout=write_page(tmp_path / "a", 0))
    layout = write_page(tmp_path / "b", turns, f'readingDirection="{direction}"')
    page = reader.read(layout.with_suffix(".png"), layout=layout)
    assert len(upright.text) > 10 and page.text == upright.text
    first, last = page.lines[0].characters[0].outline, page.lines[0].characters[-1].outline
    assert (first[0][1] < last[0][1]) == (turns == 1)  # on the page, it runs down, or up

    read_folder(tmp_path / "b", tmp_path / "out", reader, formats=("alto", "page", "json", "pdf", "hocr"))
    record = json.loads((tmp_path / "out" / "page.json").read_text(encoding="utf-8"))
    assert {line["direction"] for line in record["regions"][0]["lines"]} == {short}
    for path in sorted((tmp_path / "out").glob("*.xml")):
        lines = read_layout(path).lines
        assert [(line.vertical, line.orientation) for line in lines] == 3 * [(direction, turns)]
        assert [line.text for line in lines] == [line.text for line in upright.lines]


def test_new_files_state_the_direction_and_no_rotation(tmp_path: Path) -> None:
    reader = htr_lightning.load("zoo:latin-large", device="cpu")
    layout = write_page(tmp_path / "a", 1, 'readingDirection="top-to-bottom"', has_baselines=False)
    page = reader.read(layout.with_suffix(".png"), layout=layout)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    alto = check_alto(PAGE_WRITERS["alto"].write(page, now))
    assert [line.get("BASEDIRECTION") for line in alto.iter("{*}TextLine")] == 3 * ["ttb"]
    assert not alto.xpath("//*[@ROTATION]")
    (region,) = check_page_xml(PAGE_WRITERS["page"].write(page, now)).iter("{*}TextRegion")
    assert region.get("readingDirection") == "top-to-bottom" and region.get("textLineOrder") == "right-to-left"
    assert region.get("orientation") is None


def test_lines_that_run_across_are_not_vertical_whatever_the_file_says(tmp_path: Path) -> None:
    for name, has_baselines in (("a", True), ("b", False)):
        path = write_page(tmp_path / name, 0, 'readingDirection="top-to-bottom"', has_baselines=has_baselines)
        assert [(line.vertical, line.orientation) for line in read_layout(path).lines] == 3 * [("", 0)]
