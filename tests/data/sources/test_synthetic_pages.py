"""Synthetic pages: the same from the same seed, with lines where their ink is."""

import numpy as np
import pytest

from htr_lightning.data.sources.synthetic_pages import SyntheticPages
from htr_lightning.errors import InputError
from htr_lightning.image.page_pixels import PagePreprocess

PREPROCESS = PagePreprocess()


def test_pages_depend_on_the_seed_alone() -> None:
    first = SyntheticPages(num_train=3).pages("train")
    again = SyntheticPages(num_train=2).pages("train")
    other = SyntheticPages(num_train=2, seed=2).pages("train")
    assert len(first) == 3 and [page.id for page in first[:2]] == [page.id for page in again]
    pixels, lines = first[1].read(PREPROCESS)
    first[0].read(PREPROCESS)
    for page in (first[1], again[1]):
        more_pixels, more_lines = page.read(PREPROCESS)
        np.testing.assert_array_equal(more_pixels, pixels)
        assert [line.baseline.tolist() for line in more_lines] == [line.baseline.tolist() for line in lines]
    assert first[1].fingerprint == again[1].fingerprint != first[0].fingerprint
    assert other[1].fingerprint != first[1].fingerprint
    assert not np.array_equal(other[1].read(PREPROCESS)[0][:100, :100], pixels[:100, :100])


def test_lines_are_on_the_page_and_have_extents() -> None:
    for page in SyntheticPages(num_train=4).pages("train"):
        pixels, lines = page.read(PREPROCESS)
        assert max(pixels.shape) == 1500 and pixels.dtype == np.uint8 and lines
        for line in lines:
            x, y = line.baseline.mean(0)
            assert 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]
            assert 3 < line.above < 90 and 0 <= line.below < 60 and line.orientation in range(4)


def test_only_training_pages() -> None:
    source = SyntheticPages(num_train=2)
    assert source.pages("val") == source.pages("test") == SyntheticPages(num_train=0).pages("train") == []
    with pytest.raises(InputError, match="num_train"):
        SyntheticPages(num_train=-1)
