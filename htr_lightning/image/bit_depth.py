"""Conversion of images of any depth to 8 bits, a strip at a time, so that the pixels are in memory about once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.orientation import ORIENTATION_TAG, turn_upright

_STRIP_PIXELS = 1 << 19
_BYTES_PER_PIXEL = 4  # of Pillow's images, unless it is one of:
_SMALL_MODES = ("1", "L", "P", "I;16", "I;16L", "I;16B", "I;16N")


def convert_to_8_bits(image: Image.Image, *, upright: bool = True, release: bool = False) -> NDArray[np.uint8]:
    """Convert an image to 8 bits without transparency.

    16- and 32-bit gray is scaled (see `_find_white`); transparent pixels become white. An image that may be released
    has its pixels overwritten by the result, which needs 4 bytes for a pixel, and one strip; otherwise the result is in
    memory beside Pillow's image.

    Args:
        image: of any mode.
        upright: apply the orientation of EXIF or TIFF.
        release: the image was opened and not decoded yet; it is closed as soon as its pixels are converted.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB, C-contiguous and writable.
    """
    stored = _take_tiff_orientation(image)
    flat = _give_memory(image) if release else None
    image.load()
    orientation = (stored or image.getexif().get(ORIENTATION_TAG, 1)) if upright else 1
    width, height = image.im.size
    is_gray = image.mode.startswith(("I", "F")) or image.mode in ("1", "L", "LA", "La")
    shape = (height, width) if is_gray else (height, width, 3)
    size = height * width * (1 if is_gray else 3)
    flat = np.empty(size, np.uint8) if flat is None else flat
    _fill(flat[:size].reshape(shape), image)
    if release:
        image.close()
    flat.resize(size, refcheck=False)  # nothing reads the image any more whose memory it may have been
    return turn_upright(flat, shape, orientation)


def _take_tiff_orientation(image: Image.Image) -> int | None:
    """Take the orientation out of a TIFF file that is not decoded yet, so that Pillow does not apply it to a copy."""
    tags = getattr(image, "tag_v2", {})
    if not getattr(image, "tile", None) or ORIENTATION_TAG not in tags:
        return None
    orientation = int(tags.pop(ORIENTATION_TAG))
    image.getexif().pop(ORIENTATION_TAG, None)
    return orientation


def _give_memory(image: Image.Image) -> NDArray[np.uint8] | None:
    """Let Pillow decode an image of 4 bytes for a pixel into an array; None for others, which need no more in all.

    If a decoder takes other memory after all, that of the array stays untouched until the result is written to it.
    """
    if image.mode in _SMALL_MODES or not getattr(image, "tile", None):  # without tiles there may be nothing to decode
        return None
    size = getattr(image, "_tile_size", image.size)  # of TIFF files: as stored, not as shown
    flat = np.zeros(size[0] * size[1] * _BYTES_PER_PIXEL, np.uint8)
    image.im = Image.core.map_buffer(flat, size, "raw", 0, (image.mode, 0, 1))  # type: ignore[attr-defined]
    return flat


def _fill(pixels: NDArray[np.uint8], image: Image.Image) -> None:
    """Convert an image a strip at a time. The pixels may begin where those of the image do: a strip is copied first."""
    is_deep = image.mode.startswith(("I", "F"))
    white = _find_white(image) if is_deep else 0.0
    for top, strip in _cut_strips(image):
        part = _scale(np.asarray(strip), white) if is_deep else _flatten(strip, pixels.ndim == 2)
        pixels[top : top + strip.height] = part


def _cut_strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of full width and the row where each begins."""
    width, height = image.im.size
    rows = max(1, _STRIP_PIXELS // width)
    if rows >= height and image.size == image.im.size:  # not a TIFF file that is shown turned
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _flatten(strip: Image.Image, is_gray: bool) -> NDArray[np.uint8]:
    """Lay a strip on white paper if it has transparency, and convert it to gray or RGB."""
    mode = "L" if is_gray else "RGB"
    if strip.has_transparency_data:
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip.convert("RGBA"))
    return np.asarray(strip if strip.mode == mode else strip.convert(mode))


def _find_white(image: Image.Image) -> float:
    """Return the value that becomes 255: the full range of 16 bits, or the largest value if it is beyond.

    No file states the range of other depths. Floating-point values up to 1 or up to 255 have that as their range.
    """
    largest, is_float = -np.inf, image.mode.startswith("F")
    for _, strip in _cut_strips(image):
        largest = max(largest, float(np.nan_to_num(np.asarray(strip)).max()))
    full = 65535.0
    if is_float and largest <= 255:
        full = 1.0 if largest <= 1 else 255.0
    return max(full, largest)


def _scale(deep: NDArray[np.generic], white: float) -> NDArray[np.uint8]:
    values = np.nan_to_num(deep.astype(np.float64))
    return (values * (255 / white)).round().clip(0, 255).astype(np.uint8)
