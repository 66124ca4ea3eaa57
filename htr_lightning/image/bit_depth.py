"""Conversion of images of any depth to 8 bits, a strip at a time, so that the pixels are in memory about once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIP_PIXELS = 1 << 19
_ORIENTATION = 0x0112  # the EXIF tag
# EXIF orientation -> whether the upright image has its axes exchanged, then its rows, then its columns reversed.
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def convert_to_8_bits(image: Image.Image, *, upright: bool = True, release: bool = False) -> NDArray[np.uint8]:
    """Convert an image to 8 bits without transparency.

    16- and 32-bit gray is scaled (see `_find_white`); transparent pixels become white. While it works, the result is in
    memory beside Pillow's image (which has 1 byte for a gray pixel, 2 for 16 bits, 4 for a color), and one strip.

    Args:
        image: of any mode.
        upright: apply the EXIF orientation.
        release: close the image as soon as its pixels are converted.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB, C-contiguous and writable.
    """
    image.load()
    orientation = image.getexif().get(_ORIENTATION, 1) if upright else 1
    width, height = image.size
    is_deep = image.mode.startswith(("I", "F"))
    white = _find_white(image) if is_deep else 0.0
    is_gray = is_deep or image.mode in ("1", "L", "LA", "La")
    pixels = np.empty((height, width) if is_gray else (height, width, 3), np.uint8)
    for top, strip in _cut_strips(image):
        part = _scale(np.asarray(strip), white) if is_deep else _flatten(strip, is_gray)
        pixels[top : top + strip.height] = part
    if release:
        image.close()
    return _turn(pixels, orientation)


def _cut_strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of full width and the row where each begins."""
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _flatten(strip: Image.Image, is_gray: bool) -> NDArray[np.uint8]:
    """Lay a strip on white paper if it has transparency, and convert it to gray or RGB."""
    mode = "L" if is_gray else "RGB"
    if strip.has_transparency_data:
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip.convert("RGBA"))
    return np.asarray(strip.convert(mode))


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


def _turn(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the pixels as an EXIF orientation shows them."""
    exchanged, rows, columns = _TURNS.get(orientation, (False, False, False))
    view = pixels.swapaxes(0, 1) if exchanged else pixels
    view = view[::-1] if rows else view
    view = view[:, ::-1] if columns else view
    return np.ascontiguousarray(view)
