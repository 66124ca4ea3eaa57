"""Histograms, polarity and binarization."""

import cv2
import numpy as np
from helpers.slanted import writing
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.image.levels import (
    MIN_CONTRAST,
    binarize_otsu,
    binarize_sauvola,
    compute_histogram,
    compute_ink_mask,
    compute_percentiles,
    is_light_on_dark,
)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), paper=st.integers(150, 255), ink=st.integers(0, 149), noise=st.floats(0, 30))
def test_ink_is_what_otsu_separates(seed: int, paper: int, ink: int, noise: float) -> None:
    generator = np.random.default_rng(seed)
    clean = np.where(generator.random((24, 90)) < 0.2, ink, paper)
    image = (clean + noise * generator.standard_normal(clean.shape)).clip(0, 255).astype(np.uint8)
    _, expected = cv2.threshold(image, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    contrast = image[expected == 0].mean() - image[expected == 1].mean()
    np.testing.assert_array_equal(compute_ink_mask(image), expected * (contrast >= MIN_CONTRAST))


@settings(max_examples=50, deadline=None)
@given(
    levels=st.lists(st.integers(0, 255), min_size=4, max_size=200),
    percent=st.sampled_from([1, 25, 50, 90, 99]),
)
def test_percentiles_are_those_of_numpy(levels: list[int], percent: int) -> None:
    image = np.array([levels], np.uint8)
    (got,) = compute_percentiles(compute_histogram(image), percent)
    assert got == np.percentile(image, percent, method="inverted_cdf")


def test_auto_polarity_leaves_dark_paper_and_white_borders_alone() -> None:
    assert not is_light_on_dark(compute_histogram(writing(paper=100, ink=20)))
    pencil = writing(paper=190, ink=140)
    pencil[:, :80] = 255
    assert not is_light_on_dark(compute_histogram(pencil))


def test_sauvola_follows_the_shade_where_otsu_does_not() -> None:
    clean = writing()
    shaded = (writing(paper=240, ink=60) * np.linspace(1.0, 0.25, 800)[None, :]).astype(np.uint8)
    otsu, sauvola = ((f(shaded) != clean).mean() for f in (binarize_otsu, binarize_sauvola))
    assert otsu > 0.1
    assert sauvola < 0.03
