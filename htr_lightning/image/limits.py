"""Limits of what an image file may take, checked before it is decoded."""

import math
from pathlib import Path
from typing import Any

from PIL import Image

from htr_lightning.image.files import REPLACE_FILE, DataError
from htr_lightning.image.jpeg2000 import read_tile_size

BYTES_PER_PIXEL = 4
"""What decoding takes at most, for each of `max_pixels`: Pillow's pixels, which the result overwrites."""
_FREE_BYTES = 1 << 24  # that no image is refused for
# What the decoders of these formats take for a pixel, Pillow's pixels included (experiments/decode_memory).
_WEBP_BYTES, _AVIF_BYTES = 17, 11
_COEFFICIENT_BYTES = 2  # of JPEG: all coefficients of a progressive file are in memory
_SAMPLE_BYTES = 5  # of JPEG 2000: 32 bits, and what they become
_TILE_SIZE, _ROWS_PER_STRIP = (322, 323), 278  # tags of TIFF
_BITS_PER_SAMPLE, _SAMPLES_PER_PIXEL, _PLANAR = 258, 277, 284


def check_size(image: Image.Image, name: Path | str, max_pixels: int) -> None:
    """Check width and height of an image that is not decoded yet.

    Raises:
        DataError: it has no pixels, or too many.
    """
    width, height = image.size
    if width * height == 0:
        raise DataError(f"the image has no pixels ({width} x {height})", file=name, remedy=REPLACE_FILE, kind="empty")
    if width * height > max_pixels:
        raise DataError(
            f"{width} x {height} px is more than preprocess.max_pixels={max_pixels}",
            file=name,
            remedy="scale the image down, or increase the limit",
            kind="too_large",
        )


def check_memory(image: Image.Image, name: Path | str, max_pixels: int) -> None:
    """Check how much memory the decoder of an image will take: at most `BYTES_PER_PIXEL` for each of ``max_pixels``.

    Raises:
        DataError: it is more, because of the format, or because of strips or tiles that are decoded as a whole.
    """
    needed = math.ceil((_estimate_bytes(image) - _FREE_BYTES) / BYTES_PER_PIXEL)
    if needed > max_pixels:
        width, height = image.size
        raise DataError(
            f"decoding {width} x {height} px of this {image.format} file takes as much memory as {needed} px of "
            f"others, which is more than preprocess.max_pixels={max_pixels}",
            file=name,
            remedy="save it as PNG, scale it down, or increase the limit",
            kind="too_large",
        )


def _estimate_bytes(image: Any) -> int:
    """Return about how many bytes decoding takes: Pillow's pixels, and what its decoder has in memory beside them."""
    area: int = math.prod(image.size)
    pixels = area * (1 if image.mode in ("1", "L", "P") else BYTES_PER_PIXEL)
    match image.format:
        case "WEBP":
            return area * _WEBP_BYTES
        case "AVIF":
            return area * _AVIF_BYTES
        case "JPEG2000":
            tile = read_tile_size(image.fp) or image.size
            tile_area: int = math.prod(map(min, tile, image.size))
            return pixels + tile_area * len(image.getbands()) * _SAMPLE_BYTES
        case "JPEG" if image.info.get("progressive"):
            return pixels + math.ceil(area * _count_samples(image.layer) * _COEFFICIENT_BYTES)
        case "TIFF":
            return pixels + _measure_tiff_part(image)
    return pixels


def _count_samples(layers: list[tuple[int, int, int, int]]) -> float:
    """Return the samples for each pixel of a JPEG file; its layers hold the sampling factors of a channel each."""
    areas = sum(across * down for _, across, down, _ in layers)
    return areas / max(1, max(layer[1] for layer in layers) * max(layer[2] for layer in layers))


def _measure_tiff_part(image: Any) -> int:
    """Return the bytes of a tile of a TIFF file, or of a strip if it is compressed: they are decoded as a whole."""
    tags = image.tag_v2
    area = math.prod(int(tags.get(tag, 0)) for tag in _TILE_SIZE)
    if not area:
        if not any(tile[0] == "libtiff" for tile in image.tile):
            return 0
        width, height = max(image.size), min(image.size)  # as stored, or an upper bound
        area = min(int(tags.get(_ROWS_PER_STRIP, height)) * width, width * height)
    bits = max(int(bits) for bits in tags.get(_BITS_PER_SAMPLE, (1,)))
    num_channels = int(tags.get(_SAMPLES_PER_PIXEL, 1)) if tags.get(_PLANAR, 1) == 1 else 1
    return math.ceil(area * bits * num_channels / 8)
