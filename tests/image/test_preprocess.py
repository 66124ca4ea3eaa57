"""Preprocessing: every switch does what it says, and paper is 255 whatever is switched on."""

import json
import os
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.slanted import writing
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htr_lightning.image.decode import read_image
from htr_lightning.image.deslant import estimate_slant, shear
from htr_lightning.image.files import DataError
from htr_lightning.image.levels import compute_histogram, stretch_contrast
from htr_lightning.image.preprocess import Preprocess, to_gray

Pixels = NDArray[np.uint8]


def test_result_has_the_height_and_keeps_the_aspect_ratio() -> None:
    line = Preprocess(height_px=48)(writing(96, 800))
    assert line.shape == (48, 400)
    assert line.dtype == np.uint8
    assert line.flags.c_contiguous
    assert Preprocess(height_px=128)(writing(96, 800)).shape == (128, 1067)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(2, 200), width=st.integers(2, 400), height_px=st.integers(8, 96), pad=st.integers(0, 9))
def test_shape_law(height: int, width: int, height_px: int, pad: int) -> None:
    blank = np.full((height, width), 190, np.uint8)
    line = Preprocess(height_px=height_px, pad_px=pad, max_width_px=100_000)(blank)
    # Tall images are scaled in two steps, each of which rounds the width.
    assert line.shape[0] == height_px
    assert line.shape[1] == pytest.approx(max(1, width * height_px / height) + 2 * pad, abs=1)
    assert (line == 255).all()


@settings(max_examples=20, deadline=None)
@given(width=st.integers(100, 600), contrast=st.booleans())
def test_a_preprocessed_line_stays_as_it_is(width: int, contrast: bool) -> None:
    preprocess = Preprocess(height_px=96, contrast=contrast)
    once = preprocess(writing(96, width, paper=200, ink=40))
    np.testing.assert_array_equal(preprocess(once), once)


@pytest.mark.parametrize(
    ("background", "binarize", "contrast", "straight"),
    list(product(["none", "flatten"], ["none", "otsu", "sauvola"], [True, False], [True, False])),
)
def test_plain_paper_is_255(background: Any, binarize: Any, contrast: bool, straight: bool) -> None:
    preprocess = Preprocess(
        background=background, binarize=binarize, contrast=contrast, deskew=straight, deslant=straight
    )
    line = preprocess(writing(paper=170, ink=30))
    assert np.median(line) == 255
    assert (line[:6] == 255).all()
    assert line.min() < 60


def test_the_input_is_neither_changed_nor_shared() -> None:
    source = writing(48, 300)
    kept = source.copy()
    result = Preprocess(height_px=48, contrast=False)(source)
    result[:] = 3
    np.testing.assert_array_equal(source, kept)


def test_contrast_makes_faint_pencil_as_dark_as_ink() -> None:
    faint = writing(paper=200, ink=120)
    assert Preprocess(contrast=True)(faint).min() < 20
    assert Preprocess(contrast=False)(faint).min() > 100


@pytest.mark.parametrize("contrast", [True, False])
def test_a_noisy_blank_sheet_stays_blank(contrast: bool) -> None:
    noise = np.random.default_rng(1).normal(190, 3, (96, 900)).clip(0, 255).astype(np.uint8)
    assert Preprocess(contrast=contrast)(noise).min() > 215
    assert (Preprocess(binarize="otsu", contrast=contrast)(noise) == 255).all()


def test_ink_of_less_than_one_percent_is_kept() -> None:
    sparse = np.full((96, 3000), 200, np.uint8)
    sparse[40:60, 100:110] = 60
    line = Preprocess()(sparse)
    assert line.min() == 0
    assert np.median(line) == 255


def test_polarity() -> None:
    negative = np.bitwise_not(writing(paper=230, ink=20))
    upright = Preprocess()(writing(paper=230, ink=20))
    for polarity in ("auto", "light_on_dark"):
        np.testing.assert_allclose(Preprocess(polarity=polarity)(negative), upright, atol=2)
    assert not np.allclose(Preprocess(polarity="dark_on_light")(negative), upright, atol=50)


def test_gray_by_the_darkest_channel_sees_colored_ink() -> None:
    image = np.full((20, 40, 3), 255, np.uint8)
    image[5:15, 10:20] = (200, 220, 30)
    assert to_gray(image, "luminance").min() > 180
    assert to_gray(image, "darkest_channel").min() == 30
    assert Preprocess(gray="darkest_channel", contrast=False)(image).min() < 40


def test_flatten_removes_a_gradient() -> None:
    shade = np.linspace(1.0, 0.4, 800)[None, :]
    shaded = (writing(paper=240, ink=30) * shade).astype(np.uint8)
    blank_rows = slice(2, 10)
    assert np.ptp(Preprocess(contrast=False)(shaded)[blank_rows]) > 80
    flat = Preprocess(contrast=False, background="flatten")(shaded)
    assert np.ptp(flat[blank_rows, 10:-10]) < 12
    assert flat.min() < 80


@pytest.mark.parametrize("denoise", ["median", "bilateral"])
def test_denoise(denoise: Any) -> None:
    random = np.random.default_rng(1)
    clean = writing(paper=230, ink=30)
    if denoise == "median":
        noisy = np.where(random.random(clean.shape) < 0.01, np.uint8(0), clean)
    else:
        noisy = (clean + random.normal(0, 12, clean.shape)).clip(0, 255).astype(np.uint8)
    want = Preprocess(height_px=96, contrast=False)(clean).astype(int)

    def error(preprocess: Preprocess) -> float:
        return float(np.abs(preprocess(noisy) - want)[:, 10:-10].mean())

    before, after = (error(Preprocess(height_px=96, contrast=False, denoise=d)) for d in ("none", denoise))
    assert after < 0.6 * before


@pytest.mark.parametrize("binarize", ["otsu", "sauvola"])
def test_binarize_gives_two_levels(binarize: Any) -> None:
    blurred = np.asarray(cv2.GaussianBlur(writing(paper=220, ink=40), (7, 7), 0), np.uint8)
    assert len(np.unique(Preprocess(height_px=96)(blurred))) > 10
    line = Preprocess(height_px=96, binarize=binarize)(blurred)
    assert set(np.unique(line)) == {0, 255}
    share = (line == 0).mean() / (writing() == 0).mean()
    assert 0.7 < share < 1.7


def test_padding_is_blank_and_comes_last() -> None:
    line, padded = Preprocess()(writing()), Preprocess(pad_px=7)(writing())
    np.testing.assert_array_equal(padded[:, 7:-7], line)
    assert (padded[:, :7] == 255).all()
    assert (padded[:, -7:] == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_tiny_images_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=rf"{shape[1]} x {shape[0]} px, too small to hold a line"):
        Preprocess()(np.zeros(shape, np.uint8))


def test_wide_images_are_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("worked on an image that it had to refuse")

    monkeypatch.setattr("htr_lightning.image.preprocess.to_gray", fail)
    with pytest.raises(DataError, match=r"60000 x 96 px would become 30000 x 48 px.*max_width_px=8192"):
        Preprocess()(np.zeros((96, 60_000), np.uint8))


def test_padding_counts_towards_the_width_limit() -> None:
    line = writing(48, 100)
    assert Preprocess(max_width_px=110, pad_px=5)(line).shape == (48, 110)
    with pytest.raises(DataError, match=r"preprocess\.max_width_px=109"):
        Preprocess(max_width_px=109, pad_px=5)(line)


def test_other_arrays_are_refused() -> None:
    for wrong in (np.zeros((9, 9), np.float32), np.zeros((9, 9, 4), np.uint8), np.zeros(9, np.uint8)):
        with pytest.raises(DataError, match=r"must be \(H, W\) or \(H, W, 3\) uint8"):
            Preprocess()(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"height_px": 7}, r"preprocess\.height_px=7: .* at least 8"),
        ({"height_px": 48.0}, r"preprocess\.height_px=48\.0: .* int"),
        ({"pad_px": -1}, r"preprocess\.pad_px=-1: "),
        ({"deskew": "yes"}, r"preprocess\.deskew=yes: .* bool"),
        ({"binarize": "otus"}, r"preprocess\.binarize=otus: .*none, otsu, sauvola"),
        ({"hieght_px": 48}, r"preprocess: .*hieght_px"),
    ],
)
def test_values_are_checked(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocess.from_dict(values)


def test_dict_round_trip_through_json() -> None:
    preprocess = Preprocess(height_px=64, binarize="sauvola", deslant=True, pad_px=3)
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess


@pytest.mark.parametrize("settings", [{}, {"contrast": False}, {"polarity": "light_on_dark"}, {"denoise": "median"}])
def test_the_histogram_follows_the_pixels(settings: dict[str, Any]) -> None:
    for image in (writing(paper=230, ink=90), 255 - writing(paper=230, ink=90)):
        line, histogram = Preprocess(**settings)._normalize_levels(image)
        assert histogram is not None
        np.testing.assert_array_equal(histogram, compute_histogram(line))


def test_real_lines() -> None:
    root = os.environ.get("HTR_DATA")
    if not root or not (Path(root) / "copiste" / "val").is_dir():
        pytest.skip("HTR_DATA names no folder with copiste/val")
    for path in sorted((Path(root) / "copiste" / "val").glob("*.webp"))[:100:10]:
        image = to_gray(read_image(path), "luminance")
        line = Preprocess()(image)
        assert np.median(line) == 255
        assert line.min() < 30
        slant = estimate_slant(stretch_contrast(image))
        if abs(slant) < 15:
            assert estimate_slant(shear(stretch_contrast(image), 20)) == pytest.approx(slant + 20, abs=8)


def test_sauvola_keeps_ink_in_the_bright_part_of_a_shaded_line() -> None:
    shaded = (writing(paper=240, ink=110) * np.linspace(1.0, 0.4, 800)[None, :]).astype(np.uint8)
    line = Preprocess(height_px=96, binarize="sauvola")(shaded)
    assert (line != writing()).mean() < 0.03
    noise = np.random.default_rng(1).normal(190, 3, (96, 900)).clip(0, 255).astype(np.uint8)
    assert (Preprocess(binarize="sauvola")(noise) == 255).all()
