"""Lines are followed on maps."""

import dataclasses

import numpy as np
import pytest
from helpers.page_maps import draw_maps, target

from htr_lightning.data.page_targets import TargetLine
from htr_lightning.errors import InputError
from htr_lightning.segmentation.follower import LineFollower
from htr_lightning.segmentation.maps import PageMaps
from htr_lightning.segmentation.regions import DetectedLine


def follow(maps: PageMaps, follower: LineFollower | None = None) -> list[DetectedLine]:
    return sorted((follower or LineFollower())(maps), key=lambda line: (round(line.y_at(0) / 20), line.left))


def assert_found(found: list[DetectedLine], true: list[TargetLine], tolerance: float = 2.0) -> None:
    assert len(found) == len(true)
    for line, other in zip(found, true, strict=True):
        left, right = other.baseline[0, 0], other.baseline[-1, 0]
        assert abs(line.left - left) < 8 and abs(line.right - right) < 8
        xs = np.linspace(left + 5, right - 5, 20)
        ys = np.interp(xs, *other.baseline.T)
        np.testing.assert_allclose([line.y_at(x) for x in xs], ys, atol=tolerance)


def test_straight_and_sloping_lines() -> None:
    true = [target(40, 600, 60), target(40, 500, 130, drop=12), target(60, 590, 220, drop=-10)]
    assert_found(follow(draw_maps(true)), true)


def test_outlines_have_the_extents_of_the_maps_with_room_for_the_highest_strokes() -> None:
    (line,) = follow(draw_maps([target(40, 600, 100, above=30, below=10)]))
    assert line.polygon[:, 1].min() == pytest.approx(100 - 1.2 * 30, abs=2.5)
    assert line.polygon[:, 1].max() == pytest.approx(110, abs=2.5)
    assert line.confidence is not None and line.confidence > 0.9 and line.orientation == 0


def test_points_are_in_px_of_the_page() -> None:
    (line,) = follow(draw_maps([target(40, 600, 100)], scale=0.5))
    assert line.left == pytest.approx(80, abs=14) and line.y_at(600) == pytest.approx(200, abs=4)


def test_cells_beside_each_other_stay_apart_and_gaps_within_a_line_are_closed() -> None:
    cells = [target(40, 300, 100), target(310, 600, 100)]
    assert_found(follow(draw_maps(cells)), cells)
    maps = draw_maps([target(40, 600, 100)])
    maps.baselines[:, 150:158] = 0  # 16 px of the page, without an end
    assert len(follow(maps)) == 1
    maps.ends[35:55, 153:155] = 1
    assert len(follow(maps)) == 2


def test_far_gaps_stay_open() -> None:
    maps = draw_maps([target(40, 600, 100)])
    maps.baselines[:, 120:200] = 0
    left, right = follow(maps)
    assert left.right == pytest.approx(240, abs=8) and right.left == pytest.approx(400, abs=8)
    assert len(follow(maps, LineFollower(max_gap=8))) == 1


def test_a_weaker_copy_of_a_line_is_dropped() -> None:
    maps, copy = (draw_maps([target(40, 600, y, above=40)]) for y in (100, 112))
    both = dataclasses.replace(
        maps,
        baselines=np.maximum(maps.baselines, 0.6 * copy.baselines),
        above=np.maximum(maps.above, copy.above),
        below=np.maximum(maps.below, copy.below),
    )
    both.ends[:] = 0
    (line,) = follow(both)
    assert line.y_at(300) == pytest.approx(100, abs=3)


def test_unsure_lines_are_dropped_or_have_a_low_confidence() -> None:
    maps = draw_maps([target(40, 600, 100)])
    pale = dataclasses.replace(maps, baselines=0.45 * maps.baselines)
    assert follow(pale) == []
    (line,) = follow(pale, LineFollower(min_confidence=0.3, min_probability=0.2))
    assert line.confidence == pytest.approx(0.45, abs=0.02)


def test_short_lines_are_dropped() -> None:
    maps = draw_maps([target(100, 160, 100, above=40)])
    assert len(follow(maps)) == 1
    assert follow(maps, LineFollower(min_length=2)) == []


def test_an_outline_contains_no_whole_neighbor() -> None:
    upper, lower = follow(draw_maps([target(40, 600, 100, above=60), target(40, 600, 140, above=60, below=50)]))
    assert lower.polygon[:, 1].min() >= 97 and upper.polygon[:, 1].max() < 130


def test_blank_maps_have_no_lines() -> None:
    assert follow(draw_maps([])) == []


@pytest.mark.parametrize(
    ("name", "value"), [("min_probability", 0), ("min_confidence", 1.5), ("max_gap", -1), ("min_end", float("nan"))]
)
def test_values_out_of_range(name: str, value: float) -> None:
    with pytest.raises(InputError) as refused:
        LineFollower(**{name: value})
    assert refused.value.key == f"decoder.{name}"
