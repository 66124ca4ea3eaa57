"""How much memory decoding takes, and the refusal of files that would take more."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from htr_lightning.image import limits
from htr_lightning.image.decode import read_image
from htr_lightning.image.files import HAS_AVIF, DataError

MEMORY = """
import re, sys
from pathlib import Path
from htr_lightning.image.decode import read_image

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])

read_image(sys.argv[2])  # for what a decoder needs once
before = peak()
pixels = read_image(sys.argv[1])
print((peak() - before) / (pixels.shape[0] * pixels.shape[1]))
"""


SIDE = 3000
UPSIDE_DOWN, QUARTER_TURN = 3, 6


def draw(mode: str, side: int) -> Image.Image:
    """Return a gradient, in which strips differ, of any mode."""
    row, column = np.mgrid[0:side, 0:side] * 255 // side
    pixels = np.stack([row, column, row // 2 + column // 2, 255 - row], axis=2).astype(np.uint8)
    if mode in ("I;16", "I"):
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16 if mode == "I;16" else np.int32) * 257)
    return Image.fromarray(pixels).convert(mode)


def measure(folder: Path, mode: str, suffix: str, **options: Any) -> float:
    """Return the bytes that decoding an image takes for each pixel, at its peak."""
    if "orientation" in options:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = options.pop("orientation")
    if suffix == "png":
        options["compress_level"] = 1  # compressing takes longer than all else
    paths = [folder / f"{side}.{suffix}" for side in (SIDE, 64)]
    for path, side in zip(paths, (SIDE, 64), strict=True):
        draw(mode, side).save(path, **options)
    command = [sys.executable, "-c", MEMORY, *map(str, paths)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/status")
@pytest.mark.parametrize(
    ("mode", "suffix", "options", "most"),
    [
        ("L", "jpg", {}, 3),
        ("RGB", "jpg", {}, 5.5),
        ("RGB", "jpg", {"orientation": UPSIDE_DOWN}, 5.5),
        ("RGB", "jpg", {"orientation": QUARTER_TURN}, 5.5),
        ("CMYK", "jpg", {}, 5.5),
        ("1", "png", {}, 3),
        ("L", "png", {}, 3),
        ("LA", "png", {}, 5.5),
        ("I;16", "png", {}, 5),
        ("P", "png", {}, 5.5),
        ("RGB", "png", {}, 5.5),
        ("RGBA", "png", {}, 5.5),
        ("RGB", "tif", {"tiffinfo": {0x0112: QUARTER_TURN}}, 5.5),
        ("I", "tif", {}, 7),
        ("RGB", "bmp", {}, 5.5),
        ("RGB", "jp2", {"tile_size": (256, 256)}, 6.5),
    ],
)
def test_decoding_takes_about_four_bytes_for_a_pixel(
    tmp_path: Path, mode: str, suffix: str, options: dict[str, Any], most: float
) -> None:
    assert 0.9 < measure(tmp_path, mode, suffix, **options) < most


HUNGRY = [
    ("RGB", "jpg", {"progressive": True, "subsampling": 0}, 10),
    ("RGB", "jpg", {"progressive": True, "subsampling": 2}, 7),
    ("RGB", "tif", {"compression": "tiff_lzw", "tiffinfo": {278: SIDE}}, 7),
    ("L", "jp2", {}, 6),
    ("RGB", "jp2", {}, 19),
    ("RGB", "webp", {"method": 0}, 17),
    *([("RGB", "avif", {"speed": 10}, 11)] if HAS_AVIF else []),
]


@pytest.mark.parametrize(("mode", "suffix", "options", "estimate"), HUNGRY)
def test_what_a_decoder_takes_is_held_against_the_limit(
    tmp_path: Path, mode: str, suffix: str, options: dict[str, Any], estimate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_FREE_BYTES", 0)
    if sys.platform == "linux":
        assert measure(tmp_path, mode, suffix, **options) < estimate + 1.5
    else:
        draw(mode, SIDE).save(tmp_path / f"{SIDE}.{suffix}", **options)
    path = tmp_path / f"{SIDE}.{suffix}"
    enough = int(SIDE**2 * estimate / 4) + 100
    assert read_image(path, max_pixels=enough).shape[:2] == (SIDE, SIDE)
    with pytest.raises(DataError, match=rf"{SIDE} x {SIDE} px.*preprocess\.max_pixels={enough * 9 // 10};") as error:
        read_image(path, max_pixels=enough * 9 // 10)
    assert error.value.kind == "too_large"


@pytest.mark.parametrize(("mode", "suffix", "options", "_"), HUNGRY)
def test_small_images_of_all_formats_are_read_whatever_they_take(
    tmp_path: Path, mode: str, suffix: str, options: dict[str, Any], _: float
) -> None:
    path = tmp_path / f"a.{suffix}"
    draw(mode, 64).save(path, **options)
    assert read_image(path, max_pixels=64 * 64).shape[:2] == (64, 64)


def test_a_tiff_with_tiles_larger_than_any_image_is_refused(tmp_path: Path) -> None:
    def entry(tag: int, kind: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, kind, 1, value)

    values = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 30_000, 324: 0, 325: 8}
    directory = struct.pack("<H", len(values)) + b"".join(entry(tag, 4, value) for tag, value in values.items())
    path = tmp_path / "tiles.tif"
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8) + directory + bytes(4))
    with pytest.raises(DataError, match=r"tiles\.tif: .*preprocess\.max_pixels=178000000;") as error:
        read_image(path)
    assert error.value.kind == "too_large"
