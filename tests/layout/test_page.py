"""What a page tells of its lines: the distance of baselines, and polygons too low for a line."""

from pathlib import Path

import pytest
from helpers.layouts import points

from htr_lightning.layout.page import Page, PageLine


def page(*lines: PageLine, size: tuple[float, float] | None = (1000, 800)) -> Page:
    return Page(Path("a.xml"), "a.png", size, lines)


def line(id: str, top: float, height: float = 40, baseline: bool = True) -> PageLine:
    """A line from x = 10 to 210, whose baseline slants from 3 above to 3 below three quarters of its height."""
    base = top + 0.75 * height
    return PageLine(
        id,
        polygon=points(10, top, 210, top, 210, top + height, 10, top + height),
        baseline=points(10, base - 3, 110, base, 210, base + 3) if baseline else points(),
    )


def test_a_line_and_a_page_have_nothing_unless_told() -> None:
    bare = PageLine("l")
    assert (bare.text, bare.type, bare.region, bare.region_type, bare.spans, bare.problem) == ("", "", "", "", (), "")
    assert bare.polygon.shape == bare.baseline.shape == (0, 2)
    assert bare.text_index is None and page().number is None


def test_the_line_spacing_is_the_median_distance_of_baselines() -> None:
    # In any order; steps are 50, 60 and 200; two columns share a height, which is no step.
    lines = [line("d", 410), line("a", 100), line("b", 150), line("b2", 150), line("c", 210)]
    assert page(*lines).line_spacing == 60
    assert page(*lines, PageLine("e", baseline=points(5, 0))).line_spacing == 60, "a point is no baseline"
    assert page(line("a", 100), line("b", 150)).line_spacing == 50
    straight = [PageLine(name, baseline=points(10, y, 210, y)) for name, y in (("a", 100), ("b", 170))]
    assert page(*straight).line_spacing == 70


@pytest.mark.parametrize(("size", "spacing"), [((1000.0, 800.0), 20), (None, 75)])
def test_a_single_line_has_a_fortieth_of_the_page(size: tuple[float, float] | None, spacing: float) -> None:
    assert page(line("a", 100), size=size).line_spacing == spacing
    assert page(line("a", 100), line("b", 100), size=size).line_spacing == spacing
    assert page(size=size).line_spacing == spacing


def test_slivers_are_lower_than_three_tenths_of_the_median_height() -> None:
    whole = [line(name, top) for name, top in (("a", 0), ("b", 50), ("c", 100))]
    assert page(*whole, line("low", 150, 11.9)).find_slivers() == {"low"}
    assert page(*whole, line("low", 150, 12.1)).find_slivers() == frozenset()
    assert page(*whole, line("low", 150, 12)).find_slivers() == frozenset()
    assert page(*whole, line("low", 150, 5, baseline=False)).find_slivers() == frozenset(), "nothing else to crop along"
    assert page(*whole, PageLine("bare", baseline=points(10, 170, 210, 170))).find_slivers() == frozenset()
    cut = PageLine("cut", polygon=points(0, 0, 200, 0), baseline=points(0, 0, 200, 0))
    assert page(*whole, cut).find_slivers() == frozenset(), "two points are no polygon"
    one_point = PageLine("low", polygon=line("", 0, 5).polygon, baseline=points(10, 3))
    assert page(*whole, one_point).find_slivers() == frozenset()


def test_few_lines_are_not_compared() -> None:
    assert page(line("a", 0), line("low", 50, 5)).find_slivers() == frozenset()
    assert page(line("a", 0), line("b", 50), line("low", 100, 5)).find_slivers() == {"low"}
    # Lines without a polygon do not count.
    assert (
        page(line("a", 0), line("low", 50, 5), PageLine("c", baseline=points(0, 0, 9, 0))).find_slivers() == frozenset()
    )


def test_the_height_of_a_polygon_is_its_area_by_its_longer_side() -> None:
    # A triangle is on average half as high as its box; a vertical line has its width as height.
    triangle = PageLine("t", polygon=points(0, 0, 200, 0, 200, 23), baseline=points(0, 0, 200, 0))
    vertical = PageLine("v", polygon=points(300, 0, 311, 0, 311, 200, 300, 200), baseline=points(305, 0, 305, 200))
    wide = PageLine("w", polygon=points(300, 0, 313, 0, 313, 200, 300, 200), baseline=points(305, 0, 305, 200))
    clockwise = PageLine("x", polygon=line("", 5000).polygon[::-1], baseline=points(10, 5030, 210, 5030))
    lines = [line(name, top) for name, top in (("a", 0), ("b", 50), ("c", 100), ("d", 150), ("e", 200))]
    assert page(*lines, triangle, vertical, wide, clockwise).find_slivers() == {"t", "v"}
    triangle = PageLine("t", polygon=points(9e5, 9e5, 900_200, 9e5, 900_200, 900_025), baseline=points(0, 0, 200, 0))
    assert page(*lines, triangle).find_slivers() == frozenset()
    dot = PageLine("o", polygon=points(5, 5, 5.5, 5, 5.5, 5.5), baseline=points(5, 5, 6, 5))
    assert page(*lines, dot).find_slivers() == {"o"}


def test_misplaced_outlines_miss_their_baseline_or_the_page() -> None:
    whole = [line(name, top) for name, top in (("a", 0), ("b", 50), ("c", 100))]
    far = PageLine("far", polygon=line("", 400).polygon, baseline=line("", 150).baseline)
    outside = PageLine("out", polygon=line("", 780).polygon, baseline=points(10, 795, 210, 795))
    near = PageLine("near", polygon=line("", 200).polygon, baseline=points(10, 270, 210, 270))
    bare = PageLine("bare", baseline=points(10, 270, 210, 270))
    assert page(*whole, far, outside, near, bare).find_misplaced_outlines() == {"far"}, (
        "half of an outline may stick out"
    )
    outside = PageLine("out", polygon=line("", 790).polygon, baseline=points(10, 795, 210, 795))
    assert page(*whole, outside).find_misplaced_outlines() == {"out"}
    assert page(*whole, outside, size=None).find_misplaced_outlines() == frozenset(), "of unknown size"
    # Outlines of a picture of another scale: none is trusted, not even one that its baseline meets.
    scaled = [PageLine(x.id, polygon=x.polygon * 0.3, baseline=x.baseline) for x in (*whole, line("d", 400))]
    assert page(*scaled[1:]).find_misplaced_outlines() == {"b", "c", "d"}
    assert page(scaled[0], *whole[1:]).find_misplaced_outlines() == {"a"}
    assert page(scaled[0], *scaled[2:]).find_misplaced_outlines() == {"a", "c", "d"}
    assert page(*scaled[2:]).find_misplaced_outlines() == frozenset(), "too few to tell how high a band has to be"
