"""Crops of pages: lines move with their pixels."""

import numpy as np
import pytest

from htr_lightning.data.page_augment import PageAugment
from htr_lightning.data.page_targets import TargetLine
from htr_lightning.errors import InputError

CALM = {f"{name}_probability": 0.0 for name in ("fade", "invert", "shade", "border")}
DIRECTIONS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], float)  # of writing in each orientation


def page_with_dot(x: int, y: int) -> np.ndarray:
    page = np.full((640, 640), 255, np.uint8)
    page[y - 4 : y + 5, x - 4 : x + 5] = 0
    return page


@pytest.mark.parametrize("seed", range(12))
def test_points_move_with_the_pixels(seed: int) -> None:
    augment = PageAugment(rotation_degrees=4, bend=3, turn_probability=0.5, mirror_probability=0.3, **CALM)
    line = TargetLine(np.array([(320, 300), (400, 300)], np.float32), 20, 8)
    crop, (moved,) = augment(page_with_dot(320, 300), [line], np.random.default_rng(seed))
    assert crop.shape == (640, 640) and crop.dtype == np.uint8
    x, y = moved.baseline[0]
    if not (10 < x < 630 and 10 < y < 630):
        assert crop.min() > 100, "the dot is outside, too"
        return
    rows, columns = np.nonzero(crop < (int(crop.max()) + int(crop.min())) / 2)
    assert (columns.mean(), rows.mean()) == pytest.approx((x, y), abs=1.5)


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_sizes_and_orientations_follow(turn: float) -> None:
    augment = PageAugment(rotation_degrees=2, bend=0, turn_probability=turn, mirror_probability=0, **CALM)
    line = TargetLine(np.array([(200, 300), (400, 300)], np.float32), 20, 8)
    seen = set()
    for seed in range(8):
        _, (moved,) = augment(page_with_dot(320, 300), [line], np.random.default_rng(seed))
        along = moved.baseline[-1] - moved.baseline[0]
        scale = float(np.hypot(*along)) / 200
        assert 0.59 < scale < 1.41
        assert (moved.above, moved.below) == (pytest.approx(20 * scale, rel=1e-3), pytest.approx(8 * scale, rel=1e-3))
        assert float(along @ DIRECTIONS[moved.orientation]) > 0.98 * 200 * scale
        seen.add(moved.orientation)
    assert (seen == {0}) if turn == 0 else (0 not in seen and len(seen) > 1)


def test_the_same_generator_gives_the_same_crop() -> None:
    augment = PageAugment(crop_px=128)
    first, second, other = (augment(page_with_dot(99, 80), [], np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("name", "value"), [("crop_px", 100), ("scale", (1.4, 0.6)), ("scale", (0, 1)), ("fade_probability", 2)]
)
def test_values_out_of_range(name: str, value: object) -> None:
    with pytest.raises(InputError) as refused:
        PageAugment(**{name: value})  # type: ignore[arg-type]
    assert refused.value.key == f"augment.{name}"


@pytest.mark.parametrize("seed", range(12))
def test_crops_lie_on_the_page(seed: int) -> None:
    """A crop as wide as the page shows whole lines, whichever line it is near."""
    augment = PageAugment(
        crop_px=640, scale=(1, 1), rotation_degrees=0, bend=0, turn_probability=0, mirror_probability=0, **CALM
    )
    page = np.full((1500, 600), 255, np.uint8)
    lines = [TargetLine(np.array([(20, y), (580, y)], np.float32), 20, 8) for y in range(60, 1460, 60)]
    _, moved = augment(page, lines, np.random.default_rng(seed))
    for line in moved:
        assert 0 < line.baseline[0, 0] < line.baseline[1, 0] < 640
    assert sum(0 < line.baseline[0, 1] < 640 for line in moved) >= 10  # and no more outside than has to be
