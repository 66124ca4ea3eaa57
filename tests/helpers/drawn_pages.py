"""Typeset pages to segment: on ruled paper, skewed, shaded."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from htr_lightning.report.panel import load_font

WORDS = [
    "le",
    "temps",
    "des",
    "moissons",
    "était",
    "venu",
    "et",
    "chacun",
    "partait",
    "aux",
    "champs",
    "avant",
    "que",
    "jour",
    "ne",
    "fût",
    "levé",
]
PITCH = 90


@dataclass
class Drawn:
    """A page, and the baselines of its lines, in reading order."""

    pixels: NDArray[np.uint8]
    baselines: list[NDArray[np.float64]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def blank(width: int = 1400, height: int = 1500, paper: int = 240) -> Drawn:
    return Drawn(np.full((height, width), paper, np.uint8))


def write(
    page: Drawn,
    left: int,
    right: int,
    top: int,
    num_lines: int,
    *,
    size_px: int = 44,
    pitch: int = PITCH,
    seed: int = 0,
) -> None:
    """Write lines from ``left`` to about ``right``, the first baseline at ``top``."""
    generator = np.random.default_rng(seed)
    font = load_font(size_px)
    image = Image.fromarray(page.pixels)
    draw = ImageDraw.Draw(image)
    for number in range(num_lines):
        text = str(generator.choice(WORDS))
        while font.getlength(longer := f"{text} {generator.choice(WORDS)}") < right - left:
            text = longer
        y = top + number * pitch
        draw.text((left, y), text, 40, font, anchor="ls")
        page.baselines.append(np.array([(left, y), (left + font.getlength(text), y)], np.float64))
        page.texts.append(text)
    page.pixels = np.asarray(image).copy()


def rule(page: Drawn, step: int = PITCH, first: int = 60, *, upright: bool = False, level: int = 170) -> None:
    """Draw horizontal ruling lines, and with ``upright`` also vertical ones: squared paper."""
    page.pixels[first::step] = np.minimum(page.pixels[first::step], level)
    page.pixels[first + 1 :: step] = np.minimum(page.pixels[first + 1 :: step], level)
    if upright:
        page.pixels[:, first::step] = np.minimum(page.pixels[:, first::step], level)


def bend(page: Drawn, degrees: float, bow_px: float = 0) -> None:
    """Turn the writing, and bow it."""
    height, width = page.pixels.shape
    slope = np.tan(np.radians(degrees))

    def down(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return slope * (x - width / 2) + bow_px * np.sin(np.pi * x / width)

    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    moved = (ys - down(xs)).astype(np.float32)
    page.pixels = cv2.remap(page.pixels, xs, moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=240)
    for number, line in enumerate(page.baselines):
        xs = np.linspace(*line[:, 0], 30)
        page.baselines[number] = np.stack([xs, np.interp(xs, *line.T) + down(xs)], axis=1)


def turn(page: Drawn, degrees: float) -> None:
    """Turn the sheet on white ground, falling to the right."""
    height, width = page.pixels.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    page.pixels = np.asarray(cv2.warpAffine(page.pixels, matrix, (width, height), borderValue=240), np.uint8)
    page.baselines = [line @ matrix[:, :2].T + matrix[:, 2] for line in page.baselines]


def shade(page: Drawn) -> None:
    """Photograph it: a shadow across, noise."""
    height, width = page.pixels.shape
    light = np.linspace(0.5, 1, width)[None] * np.linspace(0.9, 1, height)[:, None]
    noise = np.random.default_rng(0).normal(0, 4, (height, width))
    page.pixels = (page.pixels * light + noise).clip(0, 255).astype(np.uint8)


def match_baselines(
    true: list[NDArray[np.float64]], found: list[NDArray[np.float32]], pitch: float = PITCH
) -> list[int]:
    """Return the index of the found baseline that matches each true one (-1 for none).

    A match covers 70 % of the true baseline, at a mean distance of at most a quarter of the pitch.
    """
    result = []
    for line in true:
        start, end = line[0, 0], line[-1, 0]
        for number, other in enumerate(found):
            low, high = max(start, other[0, 0]), min(end, other[-1, 0])
            if number in result or high - low < 0.7 * (end - start):
                continue
            xs = np.linspace(low, high, 9)
            if np.abs(np.interp(xs, *line.T) - np.interp(xs, *other.T)).mean() <= pitch / 4:
                result.append(number)
                break
        else:
            result.append(-1)
    return result


def small_page(lines: int = 4, seed: int = 0) -> Drawn:
    """A page of 800 x 900 px with one block of lines."""
    drawn = blank(900, 800)
    write(drawn, 100, 800, 150, lines, seed=seed)
    return drawn
