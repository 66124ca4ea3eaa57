"""Orientations of EXIF, applied without a second copy of the image."""

import math
import mmap

import numpy as np
from numpy.typing import NDArray

ORIENTATION_TAG = 0x0112
"""The EXIF and TIFF tag."""
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
_STRIP_BYTES = 1 << 20
_NUM_PARTS = 8  # of height and width, in which an image is turned by a quarter


def turn_upright(flat: NDArray[np.uint8], shape: tuple[int, ...], orientation: int) -> NDArray[np.uint8]:
    """Return pixels as an EXIF orientation shows them. What is needed beside them is an eighth of their memory.

    Args:
        flat: the pixels as stored, in an array of one axis that owns its memory; it is used up.
        shape: ``(H, W)`` or ``(H, W, 3)``.
        orientation: the value of the EXIF tag; one that is undefined changes nothing.

    Returns:
        ``(H, W)`` or ``(W, H)``, or with 3 channels, C-contiguous.
    """
    exchanged, rows, columns = _TURNS.get(orientation, (False, False, False))
    pixels = _exchange_axes(flat, shape) if exchanged else flat.reshape(shape)
    height = len(pixels)
    step = max(1, _STRIP_BYTES // max(1, pixels[:1].size))
    if rows:
        for top in range(0, height // 2, step):
            bottom = min(top + step, height // 2)
            upper = pixels[top:bottom].copy()
            pixels[top:bottom] = pixels[height - bottom : height - top][::-1]
            pixels[height - bottom : height - top] = upper[::-1]
    if columns:
        for top in range(0, height, step):
            pixels[top : top + step] = pixels[top : top + step, ::-1].copy()
    return pixels


def _exchange_axes(flat: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Transpose an image by tiles: its memory is given back while they are cut, theirs while the result is filled."""
    height, width = shape[:2]
    tile_height, tile_width = math.ceil(height / _NUM_PARTS), math.ceil(width / _NUM_PARTS)
    tiles: dict[tuple[int, int], NDArray[np.uint8]] = {}
    for top in reversed(range(0, height, tile_height)):
        start = top * math.prod(shape[1:])
        strip = flat[start:].reshape(-1, *shape[1:]).swapaxes(0, 1)
        for left in range(0, width, tile_width):
            tiles[top, left] = _copy(strip[left : left + tile_width])
        del strip  # so that nothing refers to the memory
        flat.resize(start, refcheck=False)
    turned = np.empty((width, height, *shape[2:]), np.uint8)
    for top, left in sorted(tiles, key=lambda corner: corner[1]):
        turned[left : left + tile_width, top : top + tile_height] = tiles.pop((top, left))
    return turned


def _copy(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy pixels to pages of their own, which the system has back once they are dropped, unlike those of malloc."""
    copy = np.frombuffer(mmap.mmap(-1, pixels.size), np.uint8).reshape(pixels.shape)
    copy[:] = pixels
    return copy
