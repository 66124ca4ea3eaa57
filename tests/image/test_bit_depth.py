import numpy as np
import pytest
from PIL import Image, ImageOps

from htr_lightning.image import bit_depth
from htr_lightning.image.bit_depth import convert_to_8_bits


def draw(mode: str) -> Image.Image:
    """Return a small image of a mode in which every pixel differs, with transparency where the mode has it."""
    generator = np.random.default_rng(1)
    noise = Image.fromarray(generator.integers(0, 256, (7, 5, 4), dtype=np.uint8), "RGBA")
    if mode.startswith("I;16"):
        return Image.fromarray(generator.integers(0, 65536, (7, 5), dtype=np.uint16))
    if mode in ("I", "F"):
        deep = generator.integers(0, 90_000, (7, 5), dtype=np.int32)
        return Image.fromarray(deep if mode == "I" else deep.astype(np.float32))
    return noise.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_strips_give_the_pixels_of_the_whole_image(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = convert_to_8_bits(draw(mode))
    monkeypatch.setattr(bit_depth, "_STRIP_PIXELS", 10)  # two rows
    np.testing.assert_array_equal(convert_to_8_bits(draw(mode)), whole)
    assert whole.shape == ((7, 5) if mode in ("1", "L", "LA", "I;16", "I", "F") else (7, 5, 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_pillow(orientation: int) -> None:
    image = draw("RGB")
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    pixels = convert_to_8_bits(image)
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous and pixels.flags.writeable


def test_deep_gray_is_scaled_by_the_largest_value_of_all_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bit_depth, "_STRIP_PIXELS", 1)
    deep = Image.fromarray(np.array([[0, 1000], [131_070, 65_535]], np.int32))
    assert convert_to_8_bits(deep).tolist() == [[0, 2], [255, 128]]
