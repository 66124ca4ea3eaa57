"""Skew and slant are estimated and removed."""

from typing import Any

import numpy as np
import pytest
from helpers.slanted import writing
from numpy.typing import NDArray

from htr_lightning.image.deslant import (
    compute_ink_mask,
    deskew,
    deslant,
    estimate_skew,
    estimate_slant,
    rotate,
    shear,
)
from htr_lightning.image.preprocess import Preprocess

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize("angle", [-30, -15, 15, 30])
def test_deslant_removes_a_planted_slant(angle: int) -> None:
    slanted = shear(writing(), angle)
    assert estimate_slant(slanted) == pytest.approx(angle, abs=4)
    assert abs(estimate_slant(deslant(slanted))) <= 6
    assert not np.array_equal(Preprocess(deslant=True)(slanted), Preprocess()(slanted))


@pytest.mark.parametrize("angle", [-6.0, -2.0, 1.5, 4.0])
def test_deskew_removes_a_planted_angle(angle: float) -> None:
    tilted = rotate(writing(), angle)
    assert estimate_skew(tilted) == pytest.approx(angle, abs=0.4)
    straight = deskew(tilted)
    assert abs(estimate_skew(straight)) <= 0.3
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
    rows = np.flatnonzero(compute_ink_mask(line).any(axis=1))
    turned_rows = np.flatnonzero(compute_ink_mask(turned).any(axis=1))
    assert turned_rows[0] == pytest.approx(rows[0], abs=1)
    assert turned.shape[0] - turned_rows[-1] == pytest.approx(96 - rows[-1], abs=1)
