"""Synthetic paper and ink."""

import cv2
import numpy as np
from numpy.typing import NDArray

_PENCIL_PROBABILITY = 0.35  # of the others, the strokes are ink
_SUBPIXEL_BITS = 4  # cv2.line takes fixed-point coordinates


def generate_smooth_noise(size: tuple[int, int], cell_px: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return ``(H, W)`` noise that varies over about ``cell_px``; mean 0, standard deviation about 0.7, within ±2."""
    height, width = size
    coarse = (int(height / cell_px) + 2, int(width / cell_px) + 2)
    noise = cv2.resize(generator.standard_normal(coarse, np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(noise, -2, 2).astype(np.float32, copy=False)


def draw_paper(
    size: tuple[int, int], baseline_px: float, texture: float, ruling: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Draw an empty strip of paper.

    Args:
        size: height and width in px.
        baseline_px: y of the baseline of the text, near which one ruling line runs.
        texture: strength of gradient and stains, as in `rendering.Style`.
        ruling: probability of ruled or squared paper, 0..1.
        generator: source of randomness.

    Returns:
        ``(H, W)`` reflectance, 0 is black and 1 is white.
    """
    height, width = size
    paper = np.ones(size, np.float32)
    if texture:
        level = 1 - texture * generator.uniform(0.02, 0.25)
        slopes = texture * generator.normal(0, 0.03, 2)
        x = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(slopes[0])
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(slopes[1])
        stains = generate_smooth_noise(size, height / 2, generator) * np.float32(0.02 * texture)
        paper = np.float32(level) + x + y + stains
    if generator.random() < ruling:
        paper *= 1 - np.float32(generator.uniform(0.08, 0.35) / 255) * _draw_ruling(size, baseline_px, generator)
    return paper


def _draw_ruling(size: tuple[int, int], baseline_px: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw parallel ruling lines, or squares, 255 on 0."""
    height, width = size
    ruling = np.zeros(size, np.uint8)
    is_squared = generator.random() < 0.4
    pitch = height * (generator.uniform(0.22, 0.5) if is_squared else generator.uniform(0.7, 1.1))
    slope = generator.normal(0, 0.004)
    thickness = int(generator.integers(1, 3))
    start = baseline_px + generator.normal(0.03, 0.06) * height
    first = -int(start / pitch) - 1
    for k in range(first, first + int(height / pitch) + 4):
        y = start + k * pitch
        _draw_line(ruling, (0, y), (width, y + slope * width), thickness)
    if is_squared:
        offset = generator.uniform(0, pitch)
        for k in range(int(width / pitch) + 1):
            x = offset + k * pitch
            _draw_line(ruling, (x, 0), (x - slope * height, height), thickness)
    return ruling


def _draw_line(image: NDArray[np.uint8], start: tuple[float, float], end: tuple[float, float], thickness: int) -> None:
    a, b = (tuple(round(c * 2**_SUBPIXEL_BITS) for c in point) for point in (start, end))
    cv2.line(image, a, b, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def apply_ink(
    paper: NDArray[np.float32],
    ink: NDArray[np.float32],
    lightness: float,
    texture: float,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Draw ink or pencil strokes on paper, with the blur and the grain of a scanner.

    Args:
        paper: ``(H, W)`` reflectance, 0..1.
        ink: ``(H, W)`` fraction of each pixel that strokes cover, 0..1.
        lightness: how much lighter than black the ink may be, 0..1.
        texture: strength of blur and grain, as in `rendering.Style`.
        generator: source of randomness.

    Returns:
        ``(H, W)`` gray ``uint8``.
    """
    height = paper.shape[0]
    is_pencil = generator.random() < _PENCIL_PROBABILITY
    grain = generator.standard_normal(paper.shape, np.float32)
    darkness = 1 - lightness * (generator.uniform(0.3, 1.0) if is_pencil else generator.uniform(0, 0.7))
    if lightness:
        pressure = 1 + np.float32(0.2 * lightness) * generate_smooth_noise(paper.shape, height / 2, generator)
        if is_pencil:
            # Graphite stays on top of the paper fibers, so its strokes have fine gaps.
            pressure += np.float32(0.9 * lightness) * cv2.GaussianBlur(grain, (3, 3), 0.7)
        ink = np.clip(ink * pressure, 0, 1)
    image = paper * (1 - np.float32(darkness) * ink)
    if texture:
        sigma = texture * generator.uniform(0.0, 0.8)
        if sigma > 0.25:  # a smaller value has no visible effect
            image = np.asarray(cv2.GaussianBlur(image, (5, 5), sigma), np.float32)
        # Rolled, so that the grain of the scanner differs from the gaps of the pencil.
        image += np.roll(grain, height // 3, axis=0) * np.float32(texture * generator.uniform(0.004, 0.03))
    return (np.clip(image, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
