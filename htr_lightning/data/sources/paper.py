"""Paper and ink: what a line is written on, and what a pen or pencil leaves there."""

import cv2
import numpy as np
from numpy.typing import NDArray

_PENCILS = 0.35  # share of the lines written in pencil rather than ink
_SUBPIXEL_BITS = 4  # cv2.line takes fixed-point coordinates


def smooth_noise(size: tuple[int, int], cell_px: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return ``(H, W)`` noise that changes over about ``cell_px``; mean 0, deviation about 0.7, within ±2."""
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
        baseline_px: y of the line to be written, which a ruled line goes along.
        texture: strength of gradient and stains, as in `rendering.Style`.
        ruling: probability of ruled or squared paper, 0..1.
        generator: decides everything else.

    Returns:
        ``(H, W)`` reflectance, 0 = black, 1 = white.
    """
    height, width = size
    paper = np.ones(size, np.float32)
    if texture:
        level = 1 - texture * generator.uniform(0.02, 0.25)
        slopes = texture * generator.normal(0, 0.03, 2)
        x = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(slopes[0])
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(slopes[1])
        stains = smooth_noise(size, height / 2, generator) * np.float32(0.02 * texture)
        paper = np.float32(level) + x + y + stains
    if generator.random() < ruling:
        paper *= 1 - np.float32(generator.uniform(0.08, 0.35) / 255) * _rules(size, baseline_px, generator)
    return paper


def _rules(size: tuple[int, int], baseline_px: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw parallel lines, or squares, 255 on 0."""
    height, width = size
    rules = np.zeros(size, np.uint8)
    squared = generator.random() < 0.4
    pitch = height * (generator.uniform(0.22, 0.5) if squared else generator.uniform(0.7, 1.1))
    slope = generator.normal(0, 0.004)
    thickness = int(generator.integers(1, 3))
    start = baseline_px + generator.normal(0.03, 0.06) * height
    first = -int(start / pitch) - 1
    for k in range(first, first + int(height / pitch) + 4):
        y = start + k * pitch
        _draw_rule(rules, (0, y), (width, y + slope * width), thickness)
    if squared:
        offset = generator.uniform(0, pitch)
        for k in range(int(width / pitch) + 1):
            x = offset + k * pitch
            _draw_rule(rules, (x, 0), (x - slope * height, height), thickness)
    return rules


def _draw_rule(rules: NDArray[np.uint8], start: tuple[float, float], end: tuple[float, float], thickness: int) -> None:
    a, b = (tuple(round(c * 2**_SUBPIXEL_BITS) for c in point) for point in (start, end))
    cv2.line(rules, a, b, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def apply_ink(
    paper: NDArray[np.float32],
    ink: NDArray[np.float32],
    lightness: float,
    texture: float,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Put ink on paper and look at it through a scanner.

    Args:
        paper: ``(H, W)`` reflectance, 0..1.
        ink: ``(H, W)`` share of each pixel that strokes cover, 0..1.
        lightness: how much lighter than black the ink may be, 0..1.
        texture: strength of blur and grain, as in `rendering.Style`.
        generator: decides everything else.

    Returns:
        ``(H, W)`` gray ``uint8``.
    """
    height = paper.shape[0]
    pencil = generator.random() < _PENCILS
    grain = generator.standard_normal(paper.shape, np.float32)
    darkness = 1 - lightness * (generator.uniform(0.3, 1.0) if pencil else generator.uniform(0, 0.7))
    if lightness:
        pressure = 1 + np.float32(0.2 * lightness) * smooth_noise(paper.shape, height / 2, generator)
        if pencil:
            # Graphite sits on the fibres: fine gaps, the same for no two strokes.
            pressure += np.float32(0.9 * lightness) * cv2.GaussianBlur(grain, (3, 3), 0.7)
        ink = np.clip(ink * pressure, 0, 1)
    image = paper * (1 - np.float32(darkness) * ink)
    if texture:
        sigma = texture * generator.uniform(0.0, 0.8)
        if sigma > 0.25:  # less changes nothing
            image = np.asarray(cv2.GaussianBlur(image, (5, 5), sigma), np.float32)
        # Shifted, so that the scanner's grain is not the pencil's.
        image += np.roll(grain, height // 3, axis=0) * np.float32(texture * generator.uniform(0.004, 0.03))
    return (np.clip(image, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
