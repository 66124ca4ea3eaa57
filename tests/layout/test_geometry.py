from pathlib import Path

import pytest

from htr_lightning.image.files import DataError
from htr_lightning.layout.geometry import Shape, format_box, parse_page_number, parse_page_size, parse_shape
from htr_lightning.layout.xml import parse_points

OUTLINE, BASELINE = "0,0 9,0 9,9", "0,8 9,8"


@pytest.mark.parametrize("written", ["1,2 3,4", "1 2 3 4", " 1, 2\n3,\t4 ", "(1,2) (3,4)", "1.0,2 +3e0,4."])
def test_points_in_every_form(written: str) -> None:
    assert parse_points(written).tolist() == [[1, 2], [3, 4]]


def test_shapes_with_one_good_half_are_fine() -> None:
    for outline, baseline in ((OUTLINE, BASELINE), (OUTLINE, ""), ("", BASELINE), (" ", BASELINE)):
        shape = parse_shape(outline, baseline)
        assert shape.problem == ""
        assert (len(shape.polygon), len(shape.baseline)) == (3 * bool(outline.strip()), 2 * bool(baseline))


@pytest.mark.parametrize(
    ("outline", "baseline", "problem"),
    [
        ("", "", "it has neither an outline nor a baseline; draw one"),
        (OUTLINE, "5,8", "its baseline has a single point, where 2 are needed; draw it again"),
        (OUTLINE, "5,8 5,8 5,8", "its baseline has a single point, where 2 are needed; draw it again"),
        ("0,0 9,9", BASELINE, "its outline has only 2 different points, where 3 are needed; draw it again"),
        ("1,1 1,1 1,1", "", "its outline has a single point, where 3 are needed; draw it again"),
        ("0,0 NaN,0 9,9", "", "its outline has a coordinate that is not finite (NaN or infinite); draw it again"),
        ("0,0 9;0 9,9", BASELINE, "its outline has '9;0' where a number belongs; draw it again"),
        ("0,0 9,0 9", "", "its outline has 5 coordinates, an odd number; draw it again"),
        ("0,0 9,0 9,1e9", "", "its outline has a coordinate beyond 10,000,000; draw it again"),
        (
            "None",
            "1,2,3",
            "its outline has 'None' where a number belongs and its baseline has 3 coordinates, an odd number; "
            "draw it again",
        ),
    ],
)
def test_what_is_wrong_with_a_shape_is_said(outline: str, baseline: str, problem: str) -> None:
    assert parse_shape(outline, baseline).problem == problem


def test_what_is_right_of_a_wrong_shape_is_kept() -> None:
    shape = parse_shape(OUTLINE, "x")
    assert len(shape.polygon) == 3 and len(shape.baseline) == 0 and shape.problem


def test_a_shape_has_nothing_unless_told() -> None:
    assert (len(Shape().polygon), len(Shape().baseline), Shape().problem) == (0, 0, "")


def test_corners() -> None:
    assert parse_points(format_box(1, 2, 10, 20.5)).tolist() == [[1, 2], [11, 2], [11, 22.5], [1, 22.5]]


def test_sizes() -> None:
    assert parse_page_size(Path("a.xml"), "10", "20.5") == (10, 20.5)
    for width, height in ((None, None), ("10", None), ("0", "0"), ("-1", "20"), ("", "20"), (" ", "20")):
        assert parse_page_size(Path("a.xml"), width, height) is None


@pytest.mark.parametrize("written", ["10px", "nan", "inf", "1,234", "1 2"])
def test_sizes_that_are_none(written: str) -> None:
    with pytest.raises(DataError) as error:
        parse_page_size(Path("a.xml"), "10", written)
    assert str(error.value).startswith(f"a.xml: the height of its page is {written!r}, which is not a number")
    assert (error.value.kind, error.value.file) == ("malformed", Path("a.xml"))
    with pytest.raises(DataError, match=r"the width of its page is"):
        parse_page_size(Path("a.xml"), written, "10")


@pytest.mark.parametrize(
    ("written", "number"),
    [("1", 1), (" 12\n", 12), ("007", 7), ("9" * 9, 999_999_999), ("9" * 10, None)]
    + [(text, None) for text in ("0", "-1", "1.5", "ii", "", " ", None)],
)
def test_page_numbers(written: str | None, number: int | None) -> None:
    assert parse_page_number(written) == number
