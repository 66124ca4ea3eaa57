"""Colors for pixels: by the character that they matter most for, and by what they say to one character."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.explain.attribution import Attributions

Color = tuple[int, int, int]
Rgb = NDArray[np.uint8]
_Floats = NDArray[np.float32]

COLORS: tuple[Color, ...] = ((38, 103, 186), (217, 116, 0), (18, 140, 110), (142, 68, 190))
"""Of characters in turn, so that neighbors differ; readable on white."""
FOR, AGAINST = (206, 38, 20), (30, 80, 200)

_SMOOTHED_PX = 1.5  # gradients of single pixels are noisy; a stroke is about 3 px wide
_FULL = 0.25  # share of a character's greatest attribution that is drawn at full strength
_FADED = 0.55  # how much of the ink's darkness is kept below a heat map


def color_of(place: int) -> Color:
    """Return the color of the character at a place of the text."""
    return COLORS[place % len(COLORS)]


def smoothed(attribution: _Floats) -> _Floats:
    """Blur ``(H, W)`` a little."""
    return np.asarray(cv2.GaussianBlur(attribution, (0, 0), _SMOOTHED_PX), np.float32)


def tinted(pixels: NDArray[np.uint8], found: Attributions) -> Rgb:
    """Color the ink of a line by the character that each pixel speaks for most.

    Args:
        pixels: ``(H, W)``, paper 255.
        found: the attributions of its characters.

    Returns:
        ``(H, W, 3)``; the paler the color, the less a pixel matters, down to gray.
    """
    most = np.zeros(pixels.shape, np.float32)
    colors = np.zeros((*pixels.shape, 3), np.float32)
    strength = np.zeros(pixels.shape, np.float32)
    for place, attribution in zip(found.places, found.maps, strict=True):
        speaks = smoothed(attribution)
        wins = speaks > most
        most[wins] = speaks[wins]
        colors[wins] = color_of(place)
        strength[wins] = np.minimum(1, speaks[wins] / (_FULL * speaks.max()))
    ink = (255 - pixels.astype(np.float32))[..., None] / 255
    gray = np.float32(120)
    drawn = gray + np.sqrt(strength)[..., None] * (colors - gray)
    return (255 - ink * (255 - drawn)).round().astype(np.uint8)


def heat(pixels: NDArray[np.uint8], attribution: _Floats) -> Rgb:
    """Draw the attribution of one character over its line: red speaks for it, blue against it.

    Args:
        pixels: ``(H, W)``, paper 255.
        attribution: ``(H, W)``, smoothed.
    """
    greatest = float(np.abs(attribution).max())
    share = attribution / greatest if greatest else attribution
    opacity = np.abs(share)[..., None] ** 0.75
    colors = np.where(share[..., None] > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    paper = 255 - _FADED * (255 - pixels.astype(np.float32))[..., None]
    drawn: Rgb = (paper + opacity * (colors - paper)).round().clip(0, 255).astype(np.uint8)
    return drawn


def enlarged(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Enlarge ``(H, W)`` or ``(H, W, 3)`` smoothly."""
    size = picture.shape[1] * factor, picture.shape[0] * factor
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def stacked(values: Sequence[tuple[NDArray[np.float64], Color]], height: int, ground: Color) -> Rgb:
    """Draw shares of one whole above each other, with smooth edges.

    Args:
        values: ``(W,)`` 0..1 each, the lowest first, and their colors; together at most 1.
        height: of the picture, in px.
        ground: what is left.
    """
    width = len(values[0][0])
    picture = np.empty((height, width, 3), np.float64)
    picture[:] = ground
    row = np.arange(height)[::-1, None]
    below = np.zeros(width)
    for value, color in values:
        low, high = below * height, (below + value) * height
        cover = (np.clip(high - row, 0, 1) - np.clip(low - row, 0, 1))[..., None]
        picture += cover * (np.array(color) - picture)
        below = below + value
    return picture.round().clip(0, 255).astype(np.uint8)
