"""How much each step of the augmentation changes a line: numbers by hand, and the ranges that its options promise."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from htr_lightning.data.augment import Augment

NUM = 200


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augment(images: Tensor, **options: Any) -> Tensor:
    """Augment lines without padding."""
    widths = torch.full((len(images),), images.shape[3])
    return Augment(**options)(images, widths, generator())[0]


def paper(height: int, width: int, ink: float = 0.0, num: int = NUM) -> Tensor:
    return torch.full((num, 1, height, width), ink)


def covers(values: Tensor, low: float, high: float) -> bool:
    """Whether numbers are in a range, and spread over all of it."""
    margin = 0.1 * (high - low)
    return low <= float(values.min()) < low + margin and high - margin < float(values.max()) <= high


# Strokes


def test_a_thin_stroke_gets_neighbors_or_fades_by_half_at_most() -> None:
    images = paper(9, 15)
    images[..., 7] = 1
    lines = augment(images, stroke_probability=1)[:, 0, 4]
    stroke, beside = lines[:, 7], lines[:, [6, 8]]
    assert torch.equal(beside[:, 0], beside[:, 1]) and not lines[:, :6].any() and not lines[:, 9:].any()
    is_thicker = beside[:, 0] > 0
    assert bool((stroke[is_thicker] == 1).all()) and covers(beside[is_thicker, 0], 0, 1)
    assert covers(stroke[~is_thicker], 0.5, 1), "erosion alone would remove the stroke"
    assert float(is_thicker.float().mean()) == pytest.approx(2 / 3, abs=0.1)


# Tone


def test_contrast_multiplies_the_ink() -> None:
    images = torch.rand(3, 1, 8, 20, generator=generator())
    torch.testing.assert_close(augment(images, contrast=[0.5, 0.5]), images / 2)
    assert covers(augment(paper(4, 4, 0.5), contrast=[0.6, 1.4])[:, 0, 0, 0], 0.3, 0.7)


def test_each_line_has_a_gamma_of_its_own() -> None:
    got = augment(paper(4, 4, 0.5), gamma=[0.5, 2.0])
    assert covers(got[:, 0, 0, 0].log() / math.log(0.5), 0.5, 2.0)
    assert torch.equal(got, got[..., :1, :1].expand_as(got))


# Geometry


def centers_of_dots(images: Tensor, dots: list[tuple[int, int]], **options: Any) -> tuple[Tensor, Tensor]:
    """Return where dots ``(x, y)`` of one line are in each of its variants ``(N, dots, 2)``, and the new widths."""
    found = []
    for x, y in dots:
        marked = images.clone()
        marked[..., y - 1 : y + 1, x - 1 : x + 1] = 1  # centered on (x, y)
        got, widths = Augment(**options)(marked, torch.full((NUM,), images.shape[3]), generator())
        mass = got.sum((1, 2, 3))
        columns, rows = (torch.arange(size) + 0.5 for size in (got.shape[3], got.shape[2]))
        found.append(
            torch.stack(((got.sum((1, 2)) * columns).sum(1), (got.sum((1, 3)) * rows).sum(1)), 1) / mass[:, None]
        )
    return torch.stack(found, 1), widths


def test_geometry_is_scale_then_shear_then_rotation_about_the_center() -> None:
    options = {"shear_degrees": 20, "rotate_degrees": 6, "scale_x": [0.8, 1.3], "scale_y": [0.7, 0.9], "shift_y": 0.1}
    dots = [(60, 32), (90, 32), (60, 42)]
    found, widths = centers_of_dots(paper(64, 120), dots, **options)
    center, right, lower = found.unbind(1)
    assert float((center[:, 0] - widths / 2).abs().max()) < 0.2
    assert covers(center[:, 1] - 32, -6.4, 6.4)
    first, second = (right - center) / 30, (lower - center) / 10
    scale_x, angle = first.norm(dim=1), torch.atan2(first[:, 1], first[:, 0])
    cos, sin = angle.cos(), angle.sin()
    tangent_y, scale_y = cos * second[:, 0] + sin * second[:, 1], cos * second[:, 1] - sin * second[:, 0]
    # The centers of resampled dots are exact to about a hundredth.
    assert covers(scale_x, 0.79, 1.31) and covers(scale_y, 0.68, 0.92)
    limit = torch.atan(0.25 * 64 / (scale_x * 120)).clamp(max=math.radians(6))
    assert covers(angle / limit, -1.02, 1.02)
    assert covers(torch.rad2deg(torch.atan(tangent_y / scale_y)), -21, 21)
    needed = first[:, 0].abs() * 120 + second[:, 0].abs() * 64
    assert float((widths - needed).abs().max()) < 2.5


def test_long_lines_are_rotated_less() -> None:
    found, _ = centers_of_dots(paper(32, 480), [(40, 16), (440, 16)], rotate_degrees=10)
    ends = (found[:, 1, 1] - found[:, 0, 1]) * 480 / 400 / 2
    assert covers(ends, -32 / 8 - 0.1, 32 / 8 + 0.1)


def test_the_canvas_is_a_multiple_and_no_wider_than_needed() -> None:
    for scale, canvas in ((1.6, 64), (1.59, 64), (1.61, 128)):
        got, widths = Augment(scale_x=[scale, scale])(paper(8, 40), torch.full((NUM,), 40), generator())
        assert got.shape[3] == canvas and int(widths[0]) == math.ceil(scale * 40 - 1e-3)


@pytest.mark.parametrize("axis", [0, 1], ids=["horizontal", "vertical"])
def test_elastic_displacements_reach_their_maximum_in_every_direction(axis: int) -> None:
    # With nodes as far apart as the image is large, each corner of the canvas moves on its own.
    images = paper(32, 32)
    (found, widths), size = centers_of_dots(images, [(2, 8)], elastic_px=3, elastic_cell_px=64), 3
    assert widths.tolist() == [38] * NUM
    moved = found[:, 0, axis] - torch.tensor([5, 8])[axis]
    assert -size - 1 < float(moved.min()) < -size / 2 and size / 2 < float(moved.max()) < size + 1
    assert float(moved.mean()) == pytest.approx(0, abs=0.5)


def test_zones_move_rows_up_and_down_to_their_maximum() -> None:
    images = paper(48, 48)
    images[:, :, [23, 24]] = 1
    got = augment(images, zone_px=4)
    middle = (got.sum((1, 3)) * (torch.arange(48) + 0.5)).sum(1) / got.sum((1, 2, 3))
    assert -5 < float((middle - 24).min()) < -3 and 3 < float((middle - 24).max()) < 5
    assert float((middle - 24).mean()) == pytest.approx(0, abs=0.5)


# Paper


def test_ruling_lines_have_the_distances_of_ruled_and_of_squared_paper() -> None:
    height = 100
    got = augment(paper(height, 90, num=400), ruling_probability=1)[:, 0]
    is_squared = got.amin(1).amax(1) > 0  # some columns have ink from top to bottom
    is_dotted = ~is_squared & (got.amax(1)[:, 3:6].amax(1) == 0)
    assert float(is_squared.float().mean()) == pytest.approx(0.3, abs=0.07)
    assert float(is_dotted[~is_squared].float().mean()) == pytest.approx(0.3, abs=0.07)
    columns = torch.arange(90)
    assert not got[is_dotted][..., columns % 6 >= 3].any()
    assert bool((got[is_dotted].amax(1)[:, columns % 6 < 3] > 0).all())
    assert covers(got.amax((1, 2)), 0.09, 0.7)
    distances: dict[bool, list[float]] = {False: [], True: []}
    inks: list[float] = []
    for line, squared in zip(got[~is_dotted], is_squared[~is_dotted].tolist(), strict=True):
        profile = line.amin(1) if squared else line[:, 0]  # without the columns of squared paper
        profile = (line[:, 0] - line[:, 0].min()) if squared and line[:, 0].min() > 0 else profile
        rows = torch.nonzero(profile > 0)[:, 0]
        groups = [group for group in rows.tensor_split((torch.diff(rows) > 1).nonzero()[:, 0] + 1) if len(group)]
        inside = [group for group in groups if group[0] > 0 and group[-1] < height - 1]
        middles = [float((profile[group] * group).sum() / profile[group].sum()) for group in inside]
        distances[squared] += [b - a for a, b in itertools.pairwise(middles)]
        if not squared:
            inks += [float(profile[group].sum() / line.max()) for group in inside]
    assert covers(torch.tensor(distances[True]), 29, 61)
    assert 69 < min(distances[False]) < 75 and 85 < max(distances[False]) < 101
    # A line as thick as t has 2 t px of ink in a column, and as much less at its darkest as its pixels straddle it.
    assert 1.1 < min(inks) < 1.7 and 2.4 < max(inks) < 2.9


def test_ruling_never_lightens_ink() -> None:
    images = torch.rand(NUM, 1, 20, 30, generator=generator())
    got = augment(images, ruling_probability=1)
    assert bool((got >= images).all()) and not torch.equal(got, images)


def test_show_through_is_faint_and_mirrored_within_the_line() -> None:
    images = paper(12, 140)
    images[1::2, :, :, 10:14] = 1
    widths = torch.full((NUM,), 100)
    got, _ = Augment(show_through_probability=1)(images, widths, generator())
    shown = got[0::2, 0, 6]  # the lines without ink of their own
    # Column 10 is mirrored to 100 - 1 - 10 = 89, column 13 to 86; the blur of 3 px reaches one column farther.
    assert torch.equal((shown > 0).nonzero()[:, 1].unique(), torch.arange(85, 91))
    assert covers(shown[:, 87], 0.05, 0.25)
    torch.testing.assert_close(shown[:, 85], shown[:, 87] / 3)
    torch.testing.assert_close(got[1::2], images[1::2])


# Scan


def test_a_blur_is_a_mean_with_two_box_filters() -> None:
    images = paper(9, 9)
    images[..., 4, 4] = 1
    got = augment(images, blur_probability=1)[:, 0]
    # Two box filters of 3 px weigh 1 2 3 2 1, in ninths: 9/81 of the dot stay in the middle.
    amount = (1 - got[:, 4, 4]) * 9 / 8
    assert covers(amount, 0.2, 1.0)
    torch.testing.assert_close(got[:, 4, 6], amount * 3 / 81)
    torch.testing.assert_close(got[:, 2, 2], amount / 81)
    torch.testing.assert_close(got.sum((1, 2)), torch.ones(NUM))


def test_noise_has_at_most_its_standard_deviation() -> None:
    got = augment(paper(32, 64, 0.5), noise_std=0.1)
    assert covers(got.std((1, 2, 3)), 0.0, 0.105)
    assert float(got.mean()) == pytest.approx(0.5, abs=0.002)


# Masked spans


def spans(**options: Any) -> tuple[Tensor, Tensor]:
    """Return the masked columns of lines ``(N, W)``, and the number of spans of each."""
    masked = (augment(paper(4, 800, 1.0), span_mask_probability=1, **options) == 0)[:, 0, 0]
    starts = masked & ~torch.nn.functional.pad(masked, (1, 0))[:, :-1]
    return masked, starts.sum(1)


def test_spans_are_between_a_quarter_and_all_of_the_maximum_width() -> None:
    masked, numbers = spans(span_mask_count=1, span_mask_width_px=80)
    assert numbers.tolist() == [1] * NUM
    assert covers(masked.sum(1), 19, 81)
    columns = masked.any(0).nonzero()[:, 0]
    assert int(columns[0]) < 40 and int(columns[-1]) > 760
    masked, _ = spans(span_mask_count=1, span_mask_width_px=400)
    assert covers(masked.sum(1), 24, 101), "an eighth of the line at most"


def test_one_to_all_of_the_spans_are_used() -> None:
    _, numbers = spans(span_mask_count=4, span_mask_width_px=8)
    fractions = numbers.bincount(minlength=5) / NUM  # spans that overlap count as one
    assert len(fractions) == 5 and float(fractions[0]) == 0
    assert all(float(fraction) == pytest.approx(0.25, abs=0.1) for fraction in fractions[1:])


# Values


@pytest.mark.parametrize(
    "options",
    [
        {"blur_probability": 1},
        {"scale_x": [0.1, 0.1]},
        {"gamma": [1, 1]},
        {"contrast": [0, 0]},
        {"shear_degrees": 59},
        {"rotate_degrees": 44},
        {"shift_y": 0.5},
        {"noise_std": 1},
        {"elastic_cell_px": 1},
        {"span_mask_count": 1},
        {"span_mask_width_px": 1},
        {"width_multiple_px": 1},
    ],
)
def test_values_at_their_limits_are_valid(options: dict[str, Any]) -> None:
    augment(paper(8, 16, 0.5, num=2), **options)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale_x", [0.05, 1]),
        ("scale_y", [1, 2, 3]),
        ("gamma", [0.0, 1]),
        ("contrast", [0, math.inf]),
        ("rotate_degrees", 45),
        ("shear_degrees", -1),
        ("shift_y", -0.1),
        ("elastic_px", math.inf),
        ("zone_px", math.inf),
        ("noise_std", -0.1),
        ("span_mask_count", 0),
        ("span_mask_width_px", 0),
    ],
)
def test_an_error_names_key_and_value(key: str, value: object) -> None:
    with pytest.raises(ValueError) as info:
        Augment(**{key: value})  # type: ignore[arg-type]
    assert (info.value.key, info.value.value, info.value.kind) == (f"augment.{key}", value, "range")  # type: ignore[attr-defined]
