"""Skew and slant are found and removed, and what is ink."""

from typing import Any

import cv2
import numpy as np
import pytest
from helpers.slanted import writing
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htr_lightning.image.deslant import (
    MIN_CONTRAST,
    deskew,
    deslant,
    ink_mask,
    rotate,
    shear,
    skew_degrees,
    slant_degrees,
)
from htr_lightning.image.preprocess import Preprocess

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize("angle", [-30, -15, 15, 30])
def test_deslant_removes_a_planted_slant(angle: int) -> None:
    slanted = shear(writing(), angle)
    assert slant_degrees(slanted) == pytest.approx(angle, abs=4)
    assert abs(slant_degrees(deslant(slanted))) <= 6
    assert not np.array_equal(Preprocess(deslant=True)(slanted), Preprocess()(slanted))


@pytest.mark.parametrize("angle", [-6.0, -2.0, 1.5, 4.0])
def test_deskew_removes_a_planted_angle(angle: float) -> None:
    tilted = rotate(writing(), angle)
    assert skew_degrees(tilted) == pytest.approx(angle, abs=0.4)
    straight = deskew(tilted)
    assert abs(skew_degrees(straight)) <= 0.3
    assert Preprocess(deskew=True)(tilted).shape != Preprocess()(tilted).shape


def test_straight_lines_and_blank_sheets_are_left_alone() -> None:
    line, blank = writing(), np.full((96, 400), 255, np.uint8)
    assert np.array_equal(deslant(line), line)
    assert np.array_equal(deskew(line), line)
    assert np.array_equal(deslant(blank), blank)
    assert np.array_equal(deskew(blank), blank)


@pytest.mark.parametrize("turn", [lambda x: shear(x, 30), lambda x: shear(x, -30), lambda x: rotate(x, 5)])
def test_geometry_cuts_no_ink_off_and_keeps_the_margins(turn: Any) -> None:
    line = writing()
    turned = turn(line)
    assert (255 - turned.astype(int)).sum() == pytest.approx((255 - line.astype(int)).sum(), rel=0.02)
    rows = np.flatnonzero(ink_mask(line).any(axis=1))
    turned_rows = np.flatnonzero(ink_mask(turned).any(axis=1))
    assert turned_rows[0] == pytest.approx(rows[0], abs=1)
    assert turned.shape[0] - turned_rows[-1] == pytest.approx(96 - rows[-1], abs=1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), paper=st.integers(150, 255), ink=st.integers(0, 149), noise=st.floats(0, 30))
def test_ink_is_what_otsu_parts(seed: int, paper: int, ink: int, noise: float) -> None:
    generator = np.random.default_rng(seed)
    clean = np.where(generator.random((24, 90)) < 0.2, ink, paper)
    image = (clean + noise * generator.standard_normal(clean.shape)).clip(0, 255).astype(np.uint8)
    _, expected = cv2.threshold(image, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    contrast = image[expected == 0].mean() - image[expected == 1].mean()
    np.testing.assert_array_equal(ink_mask(image), expected * (contrast >= MIN_CONTRAST))
