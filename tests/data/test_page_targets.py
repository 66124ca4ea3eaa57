"""What a line finder learns from the lines of a page."""

import numpy as np
import pytest
from helpers.layouts import points, text_line
from helpers.page_maps import target

from htr_lightning.data.page_targets import TargetLine, build_target_lines, draw_targets
from htr_lightning.layout.page import PageLine

NONE: frozenset[str] = frozenset()


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return points(left, top, right, top, right, bottom, left, bottom)


def line(id: str, *, left: float = 0, y: float = 100, above: float = 30, below: float = 10) -> PageLine:
    outline = box(left, y - above, left + 200, y + below)
    return PageLine(id, polygon=outline, baseline=points(left, y, left + 200, y))


def test_extents_are_those_of_the_outline() -> None:
    (found,) = build_target_lines([line("a")], 50, NONE)
    assert (found.above, found.below, found.orientation) == (pytest.approx(30), pytest.approx(10), 0)


def test_lines_without_a_usable_outline_get_the_extents_of_the_others() -> None:
    lines = [line("a"), line("b", above=34, below=14), text_line("c", polygon=points()), line("sliver", above=4)]
    lines += [line("huge", above=900)]
    found = build_target_lines(lines, 50, frozenset({"sliver"}))
    assert [(t.above, t.below) for t in found[2:]] == 3 * [(pytest.approx(32), pytest.approx(12))]
    (alone,) = build_target_lines([text_line("c", polygon=points())], 50, NONE)
    assert (alone.above, alone.below) == (30, 12.5)


def test_lines_without_a_baseline_are_left_out() -> None:
    assert (
        build_target_lines([text_line("a", baseline=points()), text_line("b", baseline=points(1, 1))], 50, NONE) == []
    )


@pytest.mark.parametrize(
    ("baseline", "said", "orientation", "start"),
    [
        (points(0, 50, 200, 50), 0, 0, (0, 50)),
        (points(200, 50, 0, 50), 0, 0, (0, 50)),  # drawn from right to left
        (points(200, 50, 0, 50), 2, 2, (200, 50)),
        (points(0, 50, 200, 50), 2, 2, (200, 50)),
        (points(50, 0, 50, 200), 0, 1, (50, 0)),
        (points(50, 200, 50, 0), 0, 3, (50, 200)),
    ],
)
def test_orientations(baseline: np.ndarray, said: int, orientation: int, start: tuple[float, float]) -> None:
    given = PageLine("a", baseline=baseline, polygon=box(0, 0, 200, 200), orientation=said)
    (found,) = build_target_lines([given], 400, NONE)
    assert found.orientation == orientation and tuple(found.baseline[0]) == start


def test_extents_of_turned_lines() -> None:
    given = PageLine("a", baseline=points(50, 0, 50, 200), polygon=box(40, 0, 80, 200))  # its top is at the right
    (found,) = build_target_lines([given], 50, NONE)
    assert (found.above, found.below) == (pytest.approx(30), pytest.approx(10))


def test_the_maps_of_a_line() -> None:
    targets = draw_targets([target(40, 200, 64, above=24, below=8)], 128, 256)
    baselines, ends, above, below = targets.lines
    assert targets.lines.shape == (4, 64, 128) and targets.orientations.shape == (16, 32)
    assert baselines[32, 60] == 1 and baselines[26, 60] == baselines[38, 60] == baselines[32, 4] == 0
    assert above[32, 60] == 24 and below[32, 60] == 8 and above[10, 60] == 0
    assert ends[30, 20] == 1 and ends[30, 100] == 1 and ends[:, 30:90].max() == 0
    assert targets.orientations[7, 15] == 1 and targets.orientations[2, 15] == 0


def test_turned_lines_are_writing_but_no_baselines() -> None:
    turned = TargetLine(points(64, 10, 64, 110), 24, 8, 1)
    targets = draw_targets([turned], 128, 128)
    assert targets.lines.max() == 0 and set(np.unique(targets.orientations)) == {0, 2}
    assert targets.orientations[8, 9] == 2 and targets.orientations[8, 4] == 0  # its top is at the right
