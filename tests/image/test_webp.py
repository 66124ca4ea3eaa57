"""Decoding of WebP files with OpenCV: the pixels of Pillow, and Pillow for what is not ordinary."""

from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
from PIL import Image

from htr_lightning.image.decode import decode_image, read_image
from htr_lightning.image.files import DataError


@pytest.fixture
def photo() -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((61, 43), Image.Resampling.BICUBIC)


def read_with_pillow(path: Path) -> np.ndarray:
    with mock.patch("htr_lightning.image.decode.decode_webp", lambda image, file, upright: None):
        return read_image(path)


@pytest.mark.parametrize("options", [{"quality": 70}, {"quality": 70, "method": 0}, {"lossless": True}])
def test_pixels_are_those_of_pillow(tmp_path: Path, photo: Image.Image, options: dict[str, Any]) -> None:
    path = tmp_path / "a.webp"
    photo.save(path, **options)
    with mock.patch("htr_lightning.image.decode.convert_to_8_bits", side_effect=AssertionError):
        pixels = read_image(path)
        np.testing.assert_array_equal(decode_image(path.read_bytes(), "a"), pixels)
    np.testing.assert_array_equal(pixels, read_with_pillow(path))
    assert pixels.flags.c_contiguous and pixels.flags.writeable and pixels.shape == (43, 61, 3)


def test_pillow_decodes_what_is_not_ordinary(tmp_path: Path, photo: Image.Image) -> None:
    exif = photo.getexif()
    exif[0x0112] = 6
    clear = photo.convert("RGBA")
    clear.putalpha(0)
    photo.save(tmp_path / "turned.webp", exif=exif)
    clear.save(tmp_path / "clear.webp", lossless=True)
    photo.save(tmp_path / "moving.webp", save_all=True, append_images=[photo.rotate(90)], lossless=True)
    with mock.patch.object(cv2, "imdecode", side_effect=AssertionError):
        assert read_image(tmp_path / "turned.webp").shape == (61, 43, 3)
        assert (read_image(tmp_path / "clear.webp") == 255).all()
        np.testing.assert_array_equal(read_image(tmp_path / "moving.webp"), np.asarray(photo))
    assert read_image(tmp_path / "turned.webp", upright=False).shape == (43, 61, 3)


def test_a_file_that_opencv_refuses_is_left_to_pillow(tmp_path: Path, photo: Image.Image) -> None:
    path = tmp_path / "a.webp"
    photo.save(path)
    pixels = read_image(path)
    for refusal in ({"side_effect": cv2.error("too large")}, {"return_value": None}):
        with mock.patch.object(cv2, "imdecode", **refusal):
            np.testing.assert_array_equal(read_image(path), pixels)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"a\.webp: the image is truncated or damaged"):
        read_image(path)
