"""Synthetic pages: the same from the same seed, with lines where their ink is."""

import numpy as np
import pytest

from htr_lightning.data.sources.rendered_lines import lay_sideways
from htr_lightning.data.sources.rendering import RenderedLine
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


def test_vertical_pages_are_added_and_half_of_them_turned() -> None:
    source = SyntheticPages(num_train=1, num_vertical=8)
    pages = source.pages("train")
    assert [page.id for page in pages[:2]] == ["synthetic/00000", "synthetic/vertical/00000"] and len(pages) == 9
    np.testing.assert_array_equal(
        pages[0].read(PREPROCESS)[0], SyntheticPages(num_train=1).pages("train")[0].read(PREPROCESS)[0]
    )
    orientations = []
    for page in pages[1:]:
        pixels, lines = page.read(PREPROCESS)
        (orientation,) = {line.orientation for line in lines if line.orientation in (0, 1)}
        orientations.append(orientation)
        for line in lines:
            across, down = line.baseline[-1] - line.baseline[0]
            assert line.orientation > 1 or (abs(across) < down if line.orientation else abs(down) < across)
            x, y = line.baseline.mean(0)
            assert 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]
    assert set(orientations) == {0, 1}


def test_characters_of_a_line_are_laid_on_their_side() -> None:
    image = np.full((20, 30), 255, np.uint8)
    image[4:16, 2:5], image[4:7, 5:9] = 0, 0  # like a gamma, 7 px wide and 12 high
    image[4:16, 20:23] = 0
    boxes = np.array([(2, 9), (10, 18), (20, 23)], np.float32)  # the second is a space
    turned = lay_sideways(RenderedLine(image, boxes, 16.0))
    assert turned.boxes.tolist() == [[0, 12], [12, 16], [16, 28]] and turned.image.shape == (8, 28)
    np.testing.assert_array_equal(turned.image[0:7, 0:12] < 128, np.rot90(image[4:16, 2:9] < 128))
    assert (turned.image[:, 12:16] == 255).all()


def test_only_training_pages() -> None:
    source = SyntheticPages(num_train=2)
    assert source.pages("val") == source.pages("test") == SyntheticPages(num_train=0).pages("train") == []
    with pytest.raises(InputError, match="num_vertical"):
        SyntheticPages(num_vertical=-1)
    with pytest.raises(InputError, match="num_train"):
        SyntheticPages(num_train=-1)
