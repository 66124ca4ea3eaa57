"""Layouts without texts, and the rotation of regions, in the formats that other programs correct."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_pages import small_page
from helpers.layouts import points
from helpers.predicted_pages import build_page, build_region
from helpers.written_rules import check_alto, check_page_xml

from htr_lightning.image.turn import from_upright
from htr_lightning.layout.formats import read_layout
from htr_lightning.layout.geometry import parse_orientation
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.pages import LineCropper
from htr_lightning.reading.write.alto import write_alto
from htr_lightning.reading.write.page_xml import write_page_xml

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASELINES = [
    points(100, 500, 400, 500),
    points(500, 100, 500, 400),
    points(400, 500, 100, 500),
    points(500, 400, 500, 100),
]


def build_line(turns: int, **more: object) -> PredictedLine:
    """Return a line on a page of 1000 x 800 px."""
    outline = points(90, 480, 410, 480, 410, 510, 90, 510)
    if turns % 2:
        outline = outline[:, ::-1].copy()
    return PredictedLine(f"l{turns}", polygon=outline, baseline=BASELINES[turns], orientation=turns, **more)  # type: ignore[arg-type]


def write_both(page: PredictedPage, folder: Path) -> list[Path]:
    """Write a page in both formats, and check them."""
    contents = {"a.xml": write_alto(page, NOW), "a.page.xml": write_page_xml(page, NOW)}
    check_alto(contents["a.xml"]), check_page_xml(contents["a.page.xml"])
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


@pytest.mark.parametrize(
    ("turns", "clockwise", "counterclockwise"), [(1, "-90", "270"), (2, "180", "180"), (3, "90", "90")]
)
def test_the_rotation_is_written_and_read_back(
    turns: int, clockwise: str, counterclockwise: str, tmp_path: Path
) -> None:
    page = build_page(build_region("r0", build_line(0)), build_region("r1", build_line(turns)))
    alto, page_xml = write_both(page, tmp_path)
    blocks = list(check_alto(alto.read_bytes()).iter("{*}TextBlock"))
    assert [block.get("ROTATION") for block in blocks] == [None, counterclockwise]
    regions = list(check_page_xml(page_xml.read_bytes()).iter("{*}TextRegion"))
    assert [region.get("orientation") for region in regions] == [None, clockwise]
    for path in (alto, page_xml):
        assert [line.orientation for line in read_layout(path).lines] == [0, turns]


def test_a_layout_alone_has_confidences_of_lines_and_no_texts(tmp_path: Path) -> None:
    lines = [build_line(0, line_confidence=0.875), build_line(2)]
    alto, page_xml = write_both(build_page(build_region("r1", *lines), is_recognized=False), tmp_path)
    strings = list(check_alto(alto.read_bytes()).iter("{*}String"))
    assert [(string.get("CONTENT"), string.get("WC")) for string in strings] == [("", "0.8750"), ("", None)]
    root = check_page_xml(page_xml.read_bytes())
    assert not list(root.iter("{*}TextEquiv"))
    for name in ("Coords", "Baseline"):
        assert [e.get("conf") for line in root.iter("{*}TextLine") for e in line.iter(f"{{*}}{name}")] == [
            "0.8750",
            None,
        ]
    recognized = check_alto(write_alto(build_page(build_region("r1", *lines)), NOW))
    assert all(float(string.get("WC", 0)) != 0.875 for string in recognized.iter("{*}String"))


@pytest.mark.parametrize(
    ("written", "baseline", "turns"),
    [
        (None, points(0, 0, 9, 0), 0),
        ("0.7", points(0, 0, 9, 0), 0),  # skew
        ("-90", points(0, 0, 0, 9), 1),
        ("-90", points(), 1),
        ("90.0", points(0, 9, 0, 0), 3),
        ("270", points(0, 0, 0, 9), 1),
        ("180", points(9, 0, 0, 0), 2),
        ("-179.5", points(9, 0, 0, 0), 2),
        ("90", points(0, 0, 9, 0), 0),  # the baseline contradicts it
        ("180", points(0, 0, 0, 9), 0),
        ("left", points(0, 0, 9, 0), 0),
        ("nan", points(0, 0, 9, 0), 0),
        ("inf", points(0, 0, 9, 0), 0),
    ],
)
def test_rotations_of_files(written: str | None, baseline: np.ndarray, turns: int) -> None:
    assert parse_orientation(written, baseline) == turns


@pytest.mark.parametrize("turns", range(4))
def test_turned_lines_are_cropped_upright(turns: int) -> None:
    page = small_page(lines=3)
    height, width = page.pixels.shape
    turned = np.ascontiguousarray(np.rot90(page.pixels, -turns))
    (left, y), (right, _) = page.baselines[1]
    outline = points(left - 5, y - 45, right + 5, y - 45, right + 5, y + 20, left - 5, y + 20)
    size = (height, width) if turns % 2 else (width, height)
    place = [from_upright(shape, turns, *size).astype(np.float32) for shape in (outline, page.baselines[1])]
    crops = [
        LineCropper(pixels, 60)(PredictedLine("l", polygon=shapes[0], baseline=shapes[1], orientation=orientation))
        for pixels, shapes, orientation in (
            (page.pixels, (outline, page.baselines[1].astype(np.float32)), 0),
            (turned, place, turns),
        )
    ]
    assert crops[0].pixels is not None and crops[1].pixels is not None
    np.testing.assert_array_equal(crops[0].pixels, crops[1].pixels)
    middle = np.array([[30.0, 20.0]])
    assert crops[0].to_page is not None and crops[1].to_page is not None
    expected = from_upright(crops[0].to_page(middle), turns, *size)
    np.testing.assert_allclose(crops[1].to_page(middle), expected, atol=1e-3)
