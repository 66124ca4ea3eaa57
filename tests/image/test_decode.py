"""Decoding: every kind of file that people have, and every way in which it can be broken."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from htr_lightning.image.decode import read_image
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile


@pytest.fixture
def photo() -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_gray_and_color_come_back_as_they_are(tmp_path: Path, photo: Image.Image) -> None:
    color = read_image(save(photo, tmp_path / "a.png"))
    gray = read_image(str(save(photo.convert("L"), tmp_path / "b.png")))
    np.testing.assert_array_equal(color, np.asarray(photo))
    np.testing.assert_array_equal(gray, np.asarray(photo.convert("L")))
    for image in (color, gray):
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert image.flags.writeable


def test_line_image_files_are_read_by_it(tmp_path: Path, photo: Image.Image) -> None:
    assert ImageFile(save(photo, tmp_path / "a.png")).read().shape == (40, 60, 3)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif", "bmp", "gif", "ppm", "jp2"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    image = Image.new("L", (30, 20), 200)
    pixels = read_image(save(image, tmp_path / f"a.{suffix}"))
    assert pixels.shape[:2] == (20, 30)
    assert abs(int(pixels.mean()) - 200) <= 2


def test_16_bits_become_8(tmp_path: Path) -> None:
    deep = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    for suffix in ("png", "tif"):
        pixels = read_image(save(Image.fromarray(deep), tmp_path / f"a.{suffix}"))
        np.testing.assert_array_equal(pixels, [[0, 100, 255]])


def test_32_bits_become_8(tmp_path: Path) -> None:
    whole = read_image(save(Image.fromarray(np.array([[0, 65535]], np.int32)), tmp_path / "a.tif"))
    real = read_image(save(Image.fromarray(np.array([[0, 0.5, 1.0]], np.float32)), tmp_path / "b.tif"))
    np.testing.assert_array_equal(whole, [[0, 255]])
    np.testing.assert_array_equal(real, [[0, 128, 255]])


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    rgba = Image.new("RGBA", (4, 3), (10, 20, 30, 0))
    rgba.putpixel((0, 0), (10, 20, 30, 255))
    pixels = read_image(save(rgba, tmp_path / "a.png"))
    assert pixels.shape == (3, 4, 3)
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert (pixels[1:] == 255).all()
    gray = read_image(save(Image.new("LA", (4, 3), (50, 0)), tmp_path / "b.png"))
    np.testing.assert_array_equal(gray, np.full((3, 4), 255))


def test_palette_with_transparency_becomes_white(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 3), 1)
    palette.putpalette([9, 8, 7, 100, 110, 120])
    path = save(palette, tmp_path / "a.png", transparency=0)
    assert read_image(path)[0, 0].tolist() == [100, 110, 120]
    palette.putpixel((0, 0), 0)
    assert read_image(save(palette, tmp_path / "b.png", transparency=0))[0, 0].tolist() == [255] * 3


def test_one_bit_and_cmyk(tmp_path: Path) -> None:
    bit = Image.new("1", (4, 3), 1)
    bit.putpixel((0, 0), 0)
    pixels = read_image(save(bit, tmp_path / "a.png"))
    assert pixels.shape == (3, 4)
    assert pixels[0, :2].tolist() == [0, 255]
    cmyk = read_image(save(Image.new("CMYK", (8, 8), (0, 0, 0, 255)), tmp_path / "b.jpg"))
    assert cmyk.shape == (8, 8, 3)
    assert cmyk.max() < 10


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str) -> None:
    image = Image.new("L", (32, 16), 255)
    image.paste(0, (0, 0, 16, 16))  # the left half is dark
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter clockwise: left becomes top
    pixels = read_image(save(image, tmp_path / f"a.{suffix}", exif=exif))
    assert pixels.shape[:2] == (32, 16)
    assert pixels[:14].mean() < 10
    assert pixels[18:].mean() > 245


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), level) for level in (10, 200)]
    path = save(frames[0], tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    assert read_image(path).max() == 10


def test_one_pixel_and_very_wide_images_are_read(tmp_path: Path) -> None:
    assert read_image(save(Image.new("L", (1, 1), 7), tmp_path / "a.png")).tolist() == [[7]]
    assert read_image(save(Image.new("L", (60_000, 20), 7), tmp_path / "b.png")).shape == (20, 60_000)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png: there is no such file; check the path"):
        read_image(tmp_path / "gone.png")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this is a folder, not an image file"):
        read_image(tmp_path)


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    with pytest.raises(DataError, match=r"a\.png: the file is empty \(0 bytes\); copy or export it again"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif", "jp2"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_truncated(tmp_path: Path, photo: Image.Image, suffix: str, kept: float) -> None:
    path = save(photo, tmp_path / f"a.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=rf"a\.{suffix}: (the image is truncated or damaged|not an image)"):
        read_image(path)


def test_a_jpeg_file_that_ends_before_its_pixels_is_refused(tmp_path: Path, photo: Image.Image) -> None:
    path = save(photo, tmp_path / "a.jpg")
    start_of_scan, end_of_image = b"\xff\xda", b"\xff\xd9"
    path.write_bytes(path.read_bytes().replace(start_of_scan, end_of_image))
    with pytest.raises(DataError, match=r"a\.jpg: the image is truncated or damaged"):
        read_image(path)


def test_not_an_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("<html>404</html>")
    with pytest.raises(DataError, match=r"not an image, .*convert it to one of PNG, JPEG"):
        read_image(path)


def test_postscript_is_not_run(tmp_path: Path, photo: Image.Image) -> None:
    with pytest.raises(DataError, match="not an image"):
        read_image(save(photo, tmp_path / "a.eps"))


def test_pixel_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(Image.new("L", (100, 50)), tmp_path / "a.png")
    with pytest.raises(DataError, match=r"100 x 50 px is more than preprocess.max_pixels=4999"):
        read_image(path, max_pixels=4_999)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3_000)  # Pillow only warns up to twice this
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert read_image(path).shape == (50, 100)
    assert not seen
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(DataError, match=r"more than 2,000 pixels"):
        read_image(path)


def test_an_image_that_does_not_fit_into_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    path = save(Image.new("L", (20, 20)), tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "tobytes", fail)
    with pytest.raises(DataError, match=r"a\.png: the image does not fit into memory"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_read_as_shown_or_as_stored(
    tmp_path: Path, photo: Image.Image, suffix: str, orientation: int
) -> None:
    options = {} if suffix == "jpg" else {"compression": "tiff_lzw"} if suffix == "tif" else {"compress_level": 1}
    plain = read_image(save(photo, tmp_path / f"plain.{suffix}", **options))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(photo, tmp_path / f"turned.{suffix}", exif=exif, **options)
    stored = Image.fromarray(plain)
    stored.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(read_image(path), np.asarray(ImageOps.exif_transpose(stored)))
    np.testing.assert_array_equal(read_image(path, upright=False), plain)
