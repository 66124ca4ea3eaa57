"""Colored pictures of attributions and probabilities."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.explain.attribution import Attributions

Color = tuple[int, int, int]
Rgb = NDArray[np.uint8]
_Floats = NDArray[np.float32]

COLORS: tuple[Color, ...] = ((38, 103, 186), (217, 116, 0), (18, 140, 110), (142, 68, 190))
"""Of consecutive characters, so that neighbors differ; readable on white."""
FOR, AGAINST = (206, 38, 20), (30, 80, 200)

_SIGMA_PX = 1.5  # gradients of single pixels are noisy; a stroke is about 3 px wide
_SATURATION = 0.25  # fraction of a character's maximum attribution at which the color is saturated
_INK_OPACITY = 0.55  # below a heat map


def get_color(position: int) -> Color:
    """Return the color of the character at a position in the text."""
    return COLORS[position % len(COLORS)]


def smooth(attribution: _Floats) -> _Floats:
    """Blur a map ``(H, W)`` slightly."""
    return np.asarray(cv2.GaussianBlur(attribution, (0, 0), _SIGMA_PX), np.float32)


def tint_ink(pixels: NDArray[np.uint8], attributions: Attributions) -> Rgb:
    """Color each pixel of ink by the character with the greatest attribution to it.

    Args:
        pixels: ``(H, W)``, paper 255.
        attributions: of the characters of the line.

    Returns:
        ``(H, W, 3)``; the smaller the attribution, the grayer the pixel.
    """
    greatest = np.zeros(pixels.shape, np.float32)
    colors = np.zeros((*pixels.shape, 3), np.float32)
    strength = np.zeros(pixels.shape, np.float32)
    for position, attribution in zip(attributions.positions, attributions.maps, strict=True):
        smoothed = smooth(attribution)
        is_greater = smoothed > greatest
        greatest[is_greater] = smoothed[is_greater]
        colors[is_greater] = get_color(position)
        strength[is_greater] = np.minimum(1, smoothed[is_greater] / (_SATURATION * smoothed.max()))
    ink = (255 - pixels.astype(np.float32))[..., None] / 255
    gray = np.float32(120)
    tinted = gray + np.sqrt(strength)[..., None] * (colors - gray)
    return (255 - ink * (255 - tinted)).round().astype(np.uint8)


def draw_heat_map(pixels: NDArray[np.uint8], attribution: _Floats) -> Rgb:
    """Draw the attribution of one character over its line: evidence for it in red, against it in blue.

    Args:
        pixels: ``(H, W)``, paper 255.
        attribution: ``(H, W)``, smoothed.
    """
    greatest = float(np.abs(attribution).max())
    relative = attribution / greatest if greatest else attribution
    opacity = np.abs(relative)[..., None] ** 0.75
    colors = np.where(relative[..., None] > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    faded = 255 - _INK_OPACITY * (255 - pixels.astype(np.float32))[..., None]
    heat_map: Rgb = (faded + opacity * (colors - faded)).round().clip(0, 255).astype(np.uint8)
    return heat_map


def enlarge(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Enlarge ``(H, W)`` or ``(H, W, 3)`` with cubic interpolation."""
    size = picture.shape[1] * factor, picture.shape[0] * factor
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def draw_stacked(values: Sequence[tuple[NDArray[np.float64], Color]], height: int, background: Color) -> Rgb:
    """Draw stacked fractions of a whole, antialiased.

    Args:
        values: fractions 0..1 ``(W,)`` and their colors, from the bottom up; their sum is at most 1.
        height: of the picture in px.
        background: color of the rest.
    """
    width = len(values[0][0])
    picture = np.empty((height, width, 3), np.float64)
    picture[:] = background
    row = np.arange(height)[::-1, None]
    below = np.zeros(width)
    for value, color in values:
        low, high = below * height, (below + value) * height
        coverage = (np.clip(high - row, 0, 1) - np.clip(low - row, 0, 1))[..., None]
        picture += coverage * (np.array(color) - picture)
        below = below + value
    return picture.round().clip(0, 255).astype(np.uint8)
