"""Augmentation: reproducible, nothing cut off, no ink to the right of a line, and every option has an effect."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import Tensor

from htr_lightning.data.augment import Augment

CONF = Path(__file__).parents[2] / "conf" / "augment"

STRONG: dict[str, Any] = {
    "shear_degrees": 30,
    "rotate_degrees": 2,
    "scale_x": [0.75, 1.25],
    "scale_y": [0.85, 1.0],
    "shift_y": 0.05,
    "elastic_px": 2.0,
    "zone_px": 2.0,
    "stroke_probability": 0.5,
    "gamma": [0.6, 1.5],
    "contrast": [0.6, 1.1],
    "ruling_probability": 0.5,
    "show_through_probability": 0.5,
    "blur_probability": 0.5,
    "noise_std": 0.1,
    "span_mask_probability": 0.5,
}


def batch(num: int = 5, height: int = 32, width: int = 160) -> tuple[Tensor, Tensor]:
    """Lines of bars, each with ink at its very first and last column, padded with paper."""
    images = torch.zeros(num, 1, height, width)
    widths = torch.tensor([width - 24 * index for index in range(num)])
    for image, line_width in zip(images, widths.tolist(), strict=True):
        for x in range(0, line_width, 12):
            image[0, height // 4 : height * 3 // 4, x : x + 3] = 0.9
        image[0, height // 4 : height * 3 // 4, line_width - 3 : line_width] = 0.9
        image[0, :, line_width:] = 0
    return images, widths


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def load(name: str) -> Augment:
    values = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    assert isinstance(values, dict)
    assert values.pop("_target_") == "htr_lightning.data.augment.Augment"
    return Augment(**values)


def test_off_is_the_identity_and_draws_nothing() -> None:
    images, widths = batch()
    random = generator()
    state = random.get_state()
    for augment in (Augment(), load("none")):
        got, got_widths = augment(images, widths, random)
        assert got is images
        assert got_widths is widths
    assert torch.equal(random.get_state(), state)


@pytest.mark.parametrize("augment", [Augment(**STRONG), load("light"), load("strong")])
def test_reproduced_from_its_generator_only(augment: Augment) -> None:
    images, widths = batch()
    first, first_widths = augment(images, widths, generator())
    torch.manual_seed(99)  # the global generator is not used
    second, second_widths = augment(images, widths, generator())
    other, _ = augment(images, widths, generator(2))
    assert torch.equal(first, second)
    assert torch.equal(first_widths, second_widths)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_views_share_their_geometry_and_nothing_else() -> None:
    images, widths = batch()
    geometry = {
        key: STRONG[key] for key in ("shear_degrees", "rotate_degrees", "scale_x", "scale_y", "elastic_px", "zone_px")
    }
    both, both_widths = Augment(**geometry)(images, widths, generator(), 2)
    alone, alone_widths = Augment(**geometry)(images, widths, generator())
    assert torch.equal(both, alone.repeat(2, 1, 1, 1)) and torch.equal(both_widths, alone_widths.repeat(2))
    for key in STRONG.keys() - geometry.keys() - {"shift_y"}:
        first, second = Augment(**{key: STRONG[key]})(images, widths, generator(), 2)[0].split(len(images))
        assert not torch.equal(first, second), key


def test_input_is_not_changed() -> None:
    images, widths = batch()
    kept, kept_widths = images.clone(), widths.clone()
    for key, value in STRONG.items():
        Augment(**{key: value})(images, widths, generator())
    Augment(**STRONG)(images, widths, generator())
    assert torch.equal(images, kept)
    assert torch.equal(widths, kept_widths)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), num=st.integers(1, 6), multiple=st.sampled_from([1, 8, 16, 32]))
def test_laws_of_the_result(seed: int, num: int, multiple: int) -> None:
    images, widths = batch(num)
    got, got_widths = Augment(**STRONG, width_multiple_px=multiple)(images, widths, generator(seed))
    assert got.shape[:3] == (num, 1, 32)
    assert got.shape[3] % multiple == 0
    assert got.shape[3] - multiple < int(got_widths.max()) <= got.shape[3]
    assert got.dtype == torch.float32
    assert got_widths.dtype == torch.int64
    assert 0 <= float(got.min()) <= float(got.max()) <= 1
    assert torch.isfinite(got).all()
    for image, width in zip(got, got_widths.tolist(), strict=True):
        assert not image[..., width:].any()


@pytest.mark.parametrize(
    "options",
    [
        {"shear_degrees": 30},
        {"rotate_degrees": 5},
        {"scale_x": [0.7, 0.9]},
        {"scale_x": [1.1, 1.4]},
        {"elastic_px": 3.0},
        {"shear_degrees": 30, "rotate_degrees": 2, "scale_x": [0.75, 1.25], "elastic_px": 2.0},
    ],
)
def test_geometry_cuts_nothing_off(options: dict[str, Any]) -> None:
    images, widths = batch()
    got, got_widths = Augment(**options)(images, widths, generator())
    stretch = got_widths / widths if "scale_x" in options and len(options) == 1 else None
    for index in range(len(images)):
        before, after = images[index].sum(), got[index].sum()
        factor = 1.0 if stretch is None else float(stretch[index])
        tolerance = 0.35 if "elastic_px" in options else 0.05
        assert float(after) == pytest.approx(float(before) * factor, rel=tolerance)
        # The first and the last bar, which touch the line's ends, are both still there.
        columns = torch.nonzero(got[index, 0].sum(0) > 0.5)[:, 0]
        margin = 32 * 0.6 * 1.0 + 8
        assert int(columns[0]) <= margin
        assert int(columns[-1]) >= int(got_widths[index]) - 1 - margin
        bars_before, bars_after = (_num_bars(x[index, 0, 16]) for x in (images, got))
        assert bars_after == bars_before


def test_sheared_corners_stay_on_the_canvas() -> None:
    images, widths = torch.zeros(16, 1, 32, 64), torch.full((16,), 40)
    images[..., :40] = 1  # ink up to every corner
    got, got_widths = Augment(shear_degrees=40)(images, widths, generator())
    torch.testing.assert_close(got.sum((1, 2, 3)), images.sum((1, 2, 3)), rtol=0.01, atol=0)
    assert int(got_widths.max()) > 50


def test_elastic_distortion_widens_the_canvas_at_both_ends() -> None:
    images, widths = torch.zeros(16, 1, 32, 64), torch.full((16,), 40)
    images[..., :40] = 1
    got, got_widths = Augment(elastic_px=5, elastic_cell_px=8)(images, widths, generator())
    assert got_widths.tolist() == [50] * 16
    assert float(got[..., 0].mean()) < 0.2
    assert float(got[..., 49].mean()) < 0.2
    assert float(got[..., 25].mean()) > 0.7


def _num_bars(row: Tensor) -> int:
    ink = (row > 0.2).int()
    return int((torch.diff(ink, prepend=torch.zeros(1, dtype=torch.int32)) == 1).sum())


def test_scale_above_one_widens() -> None:
    images, widths = batch()
    for scale in (0.5, 1.5):
        _, got = Augment(scale_x=[scale, scale])(images, widths, generator())
        assert torch.equal(got, (widths * scale - 1e-3).ceil().long())


def test_scale_y_and_shift_y_move_ink_vertically() -> None:
    images, widths = batch()
    low, _ = Augment(scale_y=[0.5, 0.5])(images, widths, generator())
    assert int((low[0, 0].sum(1) > 0.5).sum()) == pytest.approx(8, abs=1)
    shifted, _ = Augment(shift_y=0.2)(images, widths, generator())
    tops = {int(torch.nonzero(image[0].sum(1) > 1)[0]) for image in shifted}
    assert len(tops) > 1
    assert min(tops) >= 8 - 7


def test_zones_shift_uniformly_along_a_line_and_independently_of_each_other() -> None:
    images = torch.zeros(9, 1, 64, 96)
    images[:, :, [20, 40]] = 1.0
    got = Augment(zone_px=4)(images, torch.full((9,), 96), generator())[0][..., 1:95]
    torch.testing.assert_close(got, got[..., :1].expand_as(got), atol=1e-5, rtol=0)
    upper, lower = got[:, 0, :32, 0].argmax(1), got[:, 0, 32:, 0].argmax(1) + 32
    assert len(set((lower - upper).tolist())) > 3
    assert int((upper - 20).abs().max()) <= 5 and int((lower - 40).abs().max()) <= 5


def test_positive_and_negative_shear_both_happen() -> None:
    images, widths = batch()
    got, _ = Augment(shear_degrees=30)(images.repeat(4, 1, 1, 1), widths.repeat(4), generator())
    top, bottom = (got[:, 0, row] for row in (9, 22))
    column = torch.arange(got.shape[3])
    lean = (top * column).sum(1) / top.sum(1) - (bottom * column).sum(1) / bottom.sum(1)
    assert float(lean.min()) < -1
    assert float(lean.max()) > 1


def test_rotation_of_long_lines_is_limited() -> None:
    images = torch.zeros(8, 1, 32, 1600)
    images[:, :, 15:17] = 1
    got, _ = Augment(rotate_degrees=10)(images, torch.full((8,), 1600), generator())
    rows = torch.nonzero(got.sum((0, 1, 3)) > 1)[:, 0]
    assert int(rows[0]) >= 32 / 2 - 32 / 8 - 2
    assert int(rows[-1]) <= 32 / 2 + 32 / 8 + 2
    assert int(rows[-1] - rows[0]) > 2


@pytest.mark.parametrize("key", [key for key in STRONG if key != "stroke_probability"])
def test_every_option_has_an_effect(key: str) -> None:
    images, widths = batch()
    value = 1.0 if key.endswith("_probability") else STRONG[key]
    got, _ = Augment(**{key: value})(images, widths, generator())
    changed = [got.shape != images.shape or not torch.equal(a, b) for a, b in zip(got, images, strict=True)]
    # A masked span may fall between two strokes; every other option changes every line.
    assert any(changed) if key == "span_mask_probability" else all(changed)


def test_strokes_become_thicker_or_thinner_but_never_vanish() -> None:
    images, widths = batch(6, width=200)
    got, _ = Augment(stroke_probability=1.0)(images.repeat(4, 1, 1, 1), widths.repeat(4), generator())
    ratio = got.sum((1, 2, 3)) / images.repeat(4, 1, 1, 1).sum((1, 2, 3))
    assert float(ratio.min()) < 0.95
    assert float(ratio.max()) > 1.2
    assert float(got.amax((1, 2, 3)).min()) > 0.4


def test_gamma_and_contrast_leave_paper_alone() -> None:
    images, widths = batch()
    got, _ = Augment(gamma=[0.5, 0.5])(images, widths, generator())
    torch.testing.assert_close(got, images.sqrt())
    images[0, 0, 0, 0] = -1e-7  # a rounding error of 1 - x / 255
    assert torch.isfinite(Augment(gamma=[0.5, 0.5])(images, widths, generator())[0]).all()
    got, _ = Augment(contrast=[2, 2])(images, widths, generator())
    assert set(got.unique().tolist()) == {0.0, 1.0}


def test_show_through_comes_from_another_line() -> None:
    images, widths = torch.zeros(2, 1, 32, 100), torch.tensor([100, 100])
    images[1, 0, 10:20, 5:15] = 1
    images = torch.nn.functional.pad(images, (0, 60))  # a longer line elsewhere in the batch changes nothing
    got, _ = Augment(show_through_probability=1.0)(images, widths, generator())
    assert 0 < float(got[0, 0, 10:20, 85:95].mean()) < 0.3  # mirrored and faint
    assert not got[0, ..., :80].any()


def test_span_masks_take_whole_columns_and_few_of_them() -> None:
    images, widths = torch.ones(40, 1, 32, 160), torch.full((40,), 160)
    augment = Augment(span_mask_probability=1.0, span_mask_count=2, span_mask_width_px=10)
    got, _ = augment(images, widths, generator())
    masked = (got == 0).all(2)[:, 0]
    assert torch.equal(masked, (got == 0).any(2)[:, 0])
    assert 1 <= int(masked.sum(1).max()) <= 22
    assert (masked.sum(1) > 0).float().mean() > 0.8


def test_probability_is_a_fraction_of_the_lines() -> None:
    images, widths = torch.ones(400, 1, 8, 64), torch.full((400,), 64)
    augment = Augment(span_mask_probability=0.25, span_mask_width_px=8)
    changed = (augment(images, widths, generator())[0] != 1).any(-1).any(-1).float().mean()
    assert 0.15 < float(changed) < 0.35


def test_an_empty_batch_and_a_single_narrow_line() -> None:
    empty = torch.zeros(0, 1, 32, 16)
    assert Augment(**STRONG)(empty, torch.zeros(0, dtype=torch.int64), generator())[0] is empty
    got, widths = Augment(**STRONG)(torch.ones(1, 1, 32, 16), torch.tensor([1]), generator())
    assert int(widths[0]) >= 1
    assert torch.isfinite(got).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_x": [1.2, 0.8]}, r"augment\.scale_x=\[1\.2, 0\.8\]: .*; give \[low, high\]"),
        ({"scale_y": [0, 1]}, r"augment\.scale_y"),
        ({"gamma": [1.0]}, r"augment\.gamma"),
        ({"contrast": [-1, 1]}, r"augment\.contrast"),
        ({"blur_probability": 1.5}, r"augment\.blur_probability=1\.5: .*; give a probability, 0 to 1"),
        ({"span_mask_probability": -0.1}, r"augment\.span_mask_probability"),
        ({"shear_degrees": 60}, r"augment\.shear_degrees"),
        ({"rotate_degrees": -1}, r"augment\.rotate_degrees"),
        ({"shift_y": 0.6}, r"augment\.shift_y"),
        ({"elastic_px": float("nan")}, r"augment\.elastic_px"),
        ({"zone_px": -1}, r"augment\.zone_px"),
        ({"noise_std": 2}, r"augment\.noise_std"),
        ({"width_multiple_px": 0}, r"augment\.width_multiple_px"),
        ({"elastic_cell_px": 0}, r"augment\.elastic_cell_px"),
    ],
)
def test_values_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augment(**options)
