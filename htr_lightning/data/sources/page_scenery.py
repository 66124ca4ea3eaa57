"""What scans show besides writing: paper, edges, gutters, facing pages, fingers, color targets."""

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.sources.paper import generate_smooth_noise


def draw_sheet(height: int, width: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw an empty sheet: reflectance ``(height, width)`` float32, 0..1."""
    level = float(generator.uniform(0.55, 1.0))
    sheet = np.full((height, width), level, np.float32)
    sheet += 0.05 * generate_smooth_noise((height, width), 200, generator)
    sheet += float(generator.uniform(0, 0.03)) * generate_smooth_noise((height, width), 6, generator)
    if generator.random() < 0.3:  # stains
        stains = cv2.blur((generate_smooth_noise((height, width), 120, generator) > 1).astype(np.float32), (9, 9))
        sheet -= 0.25 * float(generator.uniform(0.2, 1)) * stains
    if generator.random() < 0.25:  # ruled or squared paper
        _rule_paper(sheet, generator)
    return np.asarray(sheet.clip(0.05, 1), np.float32)


def _rule_paper(sheet: NDArray[np.float32], generator: np.random.Generator) -> None:
    step = float(generator.uniform(15, 60))
    level = float(generator.uniform(0.5, 0.9))
    for y in np.arange(step, len(sheet), step):
        cv2.line(sheet, (0, round(y)), (sheet.shape[1], round(y)), level * float(sheet.mean()), 1)
    if generator.random() < 0.4:
        for x in np.arange(step, sheet.shape[1], step):
            cv2.line(sheet, (round(x), 0), (round(x), len(sheet)), level * float(sheet.mean()), 1)


def add_scenery(sheet: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Add what surrounds a sheet, within its borders, and the noise of a camera: gray ``(H, W)`` uint8."""
    if generator.random() < 0.6:
        for side in generator.permutation(4)[: int(generator.integers(1, 5))]:
            _draw_surround(sheet, int(side), generator)
    if generator.random() < 0.25:
        _draw_facing_strip(sheet, generator)
    if generator.random() < 0.2:
        _draw_target(sheet, generator)
    if generator.random() < 0.15:
        _draw_finger(sheet, generator)
    light = cv2.resize(
        generator.uniform(0.75, 1.0, (3, 3)).astype(np.float32), sheet.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    noisy = sheet * light + generator.normal(0, float(generator.uniform(0, 0.02)), sheet.shape)
    blurred = cv2.GaussianBlur(noisy, (0, 0), float(generator.uniform(0.3, 1.0)))
    return np.asarray((blurred * 255).clip(0, 255), np.uint8)


def _draw_surround(sheet: NDArray[np.float32], side: int, generator: np.random.Generator) -> None:
    """Draw a scanner bed, a table or the edges of the leaves below at one side, in place."""
    turned = np.rot90(sheet, side)  # a view
    height = len(turned)
    depth = float(generator.uniform(0.01, 0.04)) * turned.shape[1]
    tilt = float(generator.normal(0, 0.004)) * height
    ends = depth + tilt * (np.arange(height) / height - 0.5)
    inside = np.arange(turned.shape[1])[None] < ends[:, None]
    level = float(generator.choice([0.02, 0.1, 0.3, 0.95]))
    values = np.full(turned.shape, level, np.float32)
    if generator.random() < 0.4:  # leaves
        stripes = 0.5 + 0.4 * np.sin(np.arange(turned.shape[1]) * float(generator.uniform(0.5, 2)))
        values *= stripes.astype(np.float32)[None]
    turned[inside] = values[inside]


def _draw_facing_strip(sheet: NDArray[np.float32], generator: np.random.Generator) -> None:
    """Draw a strip of the facing page, with the ends of its lines, behind a dark gutter, in place."""
    height, width = sheet.shape
    strip = int(width * float(generator.uniform(0.02, 0.06)))
    turned = sheet if generator.random() < 0.5 else sheet[:, ::-1]
    turned[:, :strip] = float(generator.uniform(0.5, 0.95))
    step = float(generator.uniform(18, 50))
    for y in np.arange(step, height, step):
        if generator.random() < 0.7:
            end = strip * float(generator.uniform(0.3, 0.9))
            points = np.stack([np.linspace(0, end, 12), y + generator.normal(0, step / 8, 12)], 1)
            stroke = np.ascontiguousarray(turned[int(y - step / 2) : int(y + step / 2), :strip])
            cv2.polylines(stroke, [np.asarray(points - [0, int(y - step / 2)], np.int32)], False, 0.2, 2, cv2.LINE_AA)
            turned[int(y - step / 2) : int(y + step / 2), :strip] = stroke
    gutter = np.exp(-(((np.arange(width) - strip) / (0.012 * width)) ** 2)).astype(np.float32)
    turned *= 1 - float(generator.uniform(0.3, 0.9)) * gutter[None]


def _draw_target(sheet: NDArray[np.float32], generator: np.random.Generator) -> None:
    """Draw a color target or a scale at an edge, in place."""
    height, width = sheet.shape
    size = int(generator.integers(18, 40))
    count = int(generator.integers(6, 20))
    horizontal = generator.random() < 0.5
    left, top = int(generator.uniform(0, 0.4) * width), height - size - int(generator.integers(0, 10))
    for number in range(count):
        x, y = (left + number * size, top) if horizontal else (2, int(0.2 * height) + number * size)
        sheet[y : y + size, x : x + size] = float(generator.uniform(0, 1))


def _draw_finger(sheet: NDArray[np.float32], generator: np.random.Generator) -> None:
    """Draw a finger that holds the sheet, in place."""
    height, width = sheet.shape
    x = 0 if generator.random() < 0.5 else width
    center = x, int(generator.uniform(0.2, 0.9) * height)
    axes = int(0.05 * width), int(0.02 * height)
    cv2.ellipse(sheet, center, axes, float(generator.normal(0, 20)), 0, 360, float(generator.uniform(0.3, 0.7)), -1)
