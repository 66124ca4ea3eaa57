import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from htr_lightning.image.orientation import ORIENTATION_TAG, turn_upright


@pytest.mark.parametrize("channels", [(), (3,)])
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_images_are_turned_as_pillow_turns_them(
    channels: tuple[int, ...], height: int, width: int, orientation: int
) -> None:
    shape = (height, width, *channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION_TAG] = orientation
    turned = turn_upright(pixels.flatten(), shape, orientation)
    np.testing.assert_array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))
    assert turned.flags.c_contiguous and turned.flags.writeable


@pytest.mark.parametrize("orientation", range(2, 9))
def test_images_of_many_strips_are_turned(orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1501, 1003, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION_TAG] = orientation
    turned = turn_upright(pixels.flatten(), pixels.shape, orientation)
    np.testing.assert_array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))
