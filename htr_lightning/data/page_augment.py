"""Crops of pages for training a line finder: scaled, turned, bent, and varied in light and ink."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.page_targets import TargetLine
from htr_lightning.errors import InputError
from htr_lightning.image.straighten import Points

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class PageAugment:
    """Cuts a random square out of a page, and varies it.

    Args:
        crop_px: height and width of a crop; a multiple of 32.
        scale: smallest and largest factor by which pages are scaled, drawn on a logarithmic scale.
        rotation_degrees: standard deviation of the rotation.
        bend: standard deviation of the slopes of a smooth vertical distortion, in degrees.
        turn_probability: of turning a page by one, two or three quarter turns.
        mirror_probability: of mirroring a page; lines remain lines.
        fade_probability: of pale ink.
        invert_probability: of light writing on dark paper.
        shade_probability: of uneven light, blur and noise, each.
        border_probability: of a dark border or edge, and of ruling lines, each.

    Raises:
        InputError: a value is out of its range; ``key`` is ``augment.<name>``.
    """

    crop_px: int = 640
    scale: Sequence[float] = (0.6, 1.4)
    rotation_degrees: float = 1.5
    bend: float = 1.5
    turn_probability: float = 0.12
    mirror_probability: float = 0.1
    fade_probability: float = 0.3
    invert_probability: float = 0.03
    shade_probability: float = 0.3
    border_probability: float = 0.12

    def __post_init__(self) -> None:
        if self.crop_px < 64 or self.crop_px % 32:
            remedy = "give a multiple of 32, at least 64"
            raise InputError("not a size of a crop", key="augment.crop_px", value=self.crop_px, remedy=remedy)
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1]:
            remedy = "give two positive numbers, the smaller one first"
            raise InputError("not a range", key="augment.scale", value=list(self.scale), remedy=remedy)
        for name in ("turn", "mirror", "fade", "invert", "shade", "border"):
            key = f"{name}_probability"
            if not 0 <= getattr(self, key) <= 1:
                remedy = "give a number from 0 to 1"
                raise InputError("not a probability", key=f"augment.{key}", value=getattr(self, key), remedy=remedy)

    def __call__(
        self, page: Pixels, lines: Sequence[TargetLine], generator: np.random.Generator
    ) -> tuple[Pixels, list[TargetLine]]:
        """Cut a crop.

        Args:
            page: ``(H, W)`` gray.
            lines: of the page, in its px.
            generator: the only source of randomness.

        Returns:
            ``(crop_px, crop_px)``; and the lines in px of the crop, those outside of it included.
        """
        turns = int(generator.integers(1, 4)) if generator.random() < self.turn_probability else 0
        scale = float(np.exp(generator.uniform(*np.log(self.scale))))
        degrees = float(np.clip(generator.normal(0, self.rotation_degrees), -8, 8)) + 90 * turns
        mirror = -1.0 if generator.random() < self.mirror_probability else 1.0
        center = _choose_center(page.shape, lines, self.crop_px / 2 / scale, generator)
        matrix = _build_matrix(center, self.crop_px / 2, scale, degrees, mirror)
        bend = self._sample_bend(generator)
        crop = _warp(page, matrix, bend, self.crop_px)
        moved = [_move(line, matrix, bend, scale, turns, mirror) for line in lines]
        return self._vary(crop, generator), moved

    def _sample_bend(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """Return how far each column of the crop is shifted down, smooth, ``(crop_px,)``."""
        slope = np.tan(np.radians(self.bend))
        period = float(generator.uniform(0.6, 2.0)) * self.crop_px
        height = float(generator.normal(0, 1)) * slope * period / (2 * np.pi)
        phase = float(generator.uniform(0, 2 * np.pi))
        return np.asarray(height * np.sin(2 * np.pi * np.arange(self.crop_px) / period + phase), np.float32)

    def _vary(self, crop: Pixels, generator: np.random.Generator) -> Pixels:
        """Vary ink and light."""
        image = crop.astype(np.float32)
        if generator.random() < self.border_probability:
            _draw_rules(image, generator)
        if generator.random() < self.fade_probability:
            paper = cv2.blur(cv2.dilate(image, np.ones((15, 15), np.uint8)), (31, 31))
            image = np.asarray(paper + (image - paper) * float(generator.uniform(0.25, 0.8)), np.float32)
        if generator.random() < self.shade_probability:
            grid = generator.uniform(0.55, 1.1, (3, 3)).astype(np.float32)
            shade = cv2.resize(grid, image.shape[::-1], interpolation=cv2.INTER_CUBIC)
            image = np.asarray(image * shade, np.float32)
        if generator.random() < self.border_probability:
            _draw_border(image, generator)
        if generator.random() < self.shade_probability:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(generator.uniform(0.4, 1.3))), np.float32)
        levels = 255 * (image.clip(0, 255) / 255) ** float(np.exp(generator.normal(0, 0.25)))
        levels = (levels - 128) * float(generator.uniform(0.7, 1.15)) + 128 + float(generator.uniform(-20, 20))
        if generator.random() < self.shade_probability:
            levels = levels + generator.normal(0, generator.uniform(1, 10), levels.shape)
        if generator.random() < self.invert_probability:
            levels = 255 - levels
        return np.asarray(levels.clip(0, 255), np.uint8)


def _choose_center(
    shape: tuple[int, ...], lines: Sequence[TargetLine], reach: float, generator: np.random.Generator
) -> Points:
    """Return a point near a random line, or sometimes anywhere on the page, around which a crop shows no outside.

    What is beyond the page is never seen by a line finder, and what is cut off cannot be known: whether a line goes on
    behind a wide gap, for example.

    Args:
        shape: of the page.
        lines: of the page.
        reach: half the size of the crop, in px of the page.
        generator: source of randomness.
    """
    size = np.array([shape[1], shape[0]], np.float64)
    if lines and generator.random() < 0.85:
        line = lines[int(generator.integers(len(lines)))].baseline
        point = line[int(generator.integers(len(line)))] + generator.normal(0, 120, 2)
    else:
        point = generator.uniform(0, 1, 2) * size
    inside = np.clip(point, reach, np.maximum(size - reach, reach))
    return np.asarray(np.where(size < 2 * reach, size / 2, inside), np.float32)


def _build_matrix(center: Points, middle: float, scale: float, degrees: float, mirror: float) -> NDArray[np.float64]:
    """Return the matrix ``(2, 3)`` from the page to the crop, whose middle shows ``center``."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # clockwise, as y points down
    linear = scale * turn @ np.diag([mirror, 1.0])
    return np.concatenate([linear, (middle - linear @ center)[:, None]], 1)


def _warp(page: Pixels, matrix: NDArray[np.float64], bend: NDArray[np.float32], size: int) -> Pixels:
    """Sample a crop; column x of it is shifted down by ``bend[x]`` px."""
    inverse = cv2.invertAffineTransform(matrix)
    if np.sqrt(abs(np.linalg.det(matrix[:, :2]))) < 0.75:  # else strokes alias
        page = np.asarray(cv2.GaussianBlur(page, (3, 3), 0.6), np.uint8)
    xs = np.arange(size, dtype=np.float32)[None]
    ys = np.arange(size, dtype=np.float32)[:, None] - bend[None]
    map_x = (inverse[0, 0] * xs + inverse[0, 1] * ys + inverse[0, 2]).astype(np.float32)
    map_y = (inverse[1, 0] * xs + inverse[1, 1] * ys + inverse[1, 2]).astype(np.float32)
    return np.asarray(cv2.remap(page, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _move(
    line: TargetLine, matrix: NDArray[np.float64], bend: NDArray[np.float32], scale: float, turns: int, mirror: float
) -> TargetLine:
    points = line.baseline @ matrix[:, :2].T + matrix[:, 2]
    points[:, 1] += np.interp(points[:, 0], np.arange(len(bend)), bend)
    orientation = line.orientation if mirror > 0 else -line.orientation
    orientation = (orientation + turns) % 4
    return TargetLine(points.astype(np.float32), scale * line.above, scale * line.below, orientation)


def _draw_rules(image: NDArray[np.float32], generator: np.random.Generator) -> None:
    """Draw ruling lines, horizontal or vertical, in place."""
    size = len(image)
    level = float(generator.uniform(0.3, 0.9))
    thickness = int(generator.integers(1, 4))
    if generator.random() < 0.6:
        for x in generator.uniform(0, size, int(generator.integers(1, 5))):
            end = x + generator.normal(0, 0.01) * size
            cv2.line(image, (int(x), 0), (int(end), size), float(image.mean()) * level, thickness, cv2.LINE_AA)
        return
    spacing = float(generator.uniform(0.04, 0.3)) * size
    for y in np.arange(generator.uniform(0, spacing), size, spacing):
        end = y + generator.normal(0, 0.005) * size
        cv2.line(image, (0, int(y)), (size, int(end)), float(image.mean()) * level, thickness, cv2.LINE_AA)


def _draw_border(image: NDArray[np.float32], generator: np.random.Generator) -> None:
    """Darken what lies beyond a slanted edge at one side, in place: a scanner bed, a table, a shadow of the book."""
    size = len(image)
    depth = float(generator.uniform(0.02, 0.2)) * size
    tilt = float(generator.normal(0, 0.03)) * size
    corners = np.array([(-9, -9), (depth, -9), (depth + tilt, size + 9), (-9, size + 9)])
    mask = np.zeros_like(image)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1.0)
    mask = np.rot90(mask, int(generator.integers(4)))
    soft = cv2.GaussianBlur(np.ascontiguousarray(mask), (0, 0), float(generator.uniform(0.5, 12)))
    image += soft * (float(generator.uniform(0, 90)) - image)
