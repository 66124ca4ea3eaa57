"""Positions and confidences of characters and words in a line."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Outline = tuple[Point, Point, Point, Point]
PointMap = Callable[[NDArray[np.floating]], NDArray[np.float64]]
"""Maps points ``(..., 2)`` of a preprocessed line to the source image (`Transform.to_source`)."""

_INK = 77  # a pixel darker than the paper by more gray levels than this is ink
_MAX_MARGIN = 1.0  # in line heights: how far the first and last characters may extend outwards


@dataclass(frozen=True, slots=True)
class Character:
    """A predicted character with its position.

    Attributes:
        text: one character.
        confidence: 0..1, the probability that the character is correct; calibrated if the model is.
        start_px: left edge in the preprocessed line (`Prediction.pixels`), in px.
        end_px: right edge in the preprocessed line, in px.
        outline: corners in the source image, (x, y) in px: top left, top right, bottom right, bottom left. A
            parallelogram if preprocessing straightened the line.
    """

    text: str
    confidence: float
    start_px: float
    end_px: float
    outline: Outline


@dataclass(frozen=True, slots=True)
class Word:
    """A predicted word with its position: the characters between two spaces.

    Its confidence is the product of the confidences of its characters: the probability that all are correct, if their
    errors are independent. The other attributes are those of `Character`.
    """

    text: str
    confidence: float
    start_px: float
    end_px: float
    outline: Outline


def bounding_box(outline: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return the axis-aligned bounding box of an outline: left, top, right, bottom."""
    xs, ys = zip(*outline, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def locate_characters(
    text: str,
    confidences: Sequence[float] | NDArray[np.float64],
    spans: NDArray[np.int64],
    pixels: NDArray[np.uint8],
    frame_px: int,
    to_source: PointMap,
) -> list[Character]:
    """Find the extent of each character.

    A CTC network predicts a character in a frame or two near its center, not where it starts and ends. Therefore two
    neighbors are separated at the column with the least ink between their centers, and the extent of each is then
    trimmed to its ink. A space extends from its left to its right neighbor.

    Args:
        text: L characters.
        confidences: of the characters.
        spans: ``(L, 2)`` frames, see `htr_lightning.decode.alignment.align`.
        pixels: ``(H, W)`` uint8, paper 255, the preprocessed line.
        frame_px: width of a frame in px.
        to_source: maps points of the preprocessed line to the source image.
    """
    if not text:
        return []
    bounds = _find_boundaries(spans.mean(1) * frame_px, pixels)
    has_ink = np.asarray((pixels < 255 - _INK).any(0))
    extents = [_trim_to_ink(start, end, has_ink) for start, end in itertools.pairwise(bounds)]
    extents = [_compute_gap(extents, i) if text[i] == " " else extent for i, extent in enumerate(extents)]
    outlines = _compute_outlines(extents, pixels, to_source)
    return [
        Character(character, float(confidence), *extent, outline)
        for character, confidence, extent, outline in zip(text, confidences, extents, outlines, strict=True)
    ]


def group_words(characters: Sequence[Character], pixels: NDArray[np.uint8], to_source: PointMap) -> list[Word]:
    """Group the characters between spaces into words.

    Args:
        characters: of a line.
        pixels: see `locate_characters`.
        to_source: see `locate_characters`.
    """
    groups = itertools.groupby(characters, lambda character: character.text == " ")
    words = [list(inside) for is_space, inside in groups if not is_space]
    extents = [(min(c.start_px for c in word), max(c.end_px for c in word)) for word in words]
    outlines = _compute_outlines(extents, pixels, to_source)
    return [
        Word("".join(c.text for c in word), math.prod(c.confidence for c in word), *extent, outline)
        for word, extent, outline in zip(words, extents, outlines, strict=True)
    ]


def _find_boundaries(centers: NDArray[np.float64], pixels: NDArray[np.uint8]) -> list[float]:
    """Return the L + 1 columns between which the characters lie: those with the least ink between two centers."""
    height, width = pixels.shape
    ink = (255.0 - pixels).sum(0) / 255
    bounds = [max(0.0, centers[0] - _MAX_MARGIN * height)]
    for left, right in itertools.pairwise(centers):
        low, high = int(left) + 2, int(right) - 1
        columns = np.arange(low, min(high, width))
        if len(columns) < 2:
            bounds.append((left + right) / 2)
            continue
        distance = np.abs(columns + 0.5 - (left + right) / 2)
        # A small penalty favors columns near the middle.
        bounds.append(float(columns[(ink[columns] + 0.02 * distance).argmin()]) + 0.5)
    return [*bounds, min(float(width), centers[-1] + _MAX_MARGIN * height)]


def _trim_to_ink(start: float, end: float, has_ink: NDArray[np.bool_]) -> tuple[float, float]:
    """Trim an extent to the columns with ink; one without ink is returned unchanged."""
    first, last = math.floor(start), max(math.floor(start) + 1, math.ceil(end))
    columns = np.flatnonzero(has_ink[first:last])
    if not len(columns):
        return start, end
    return max(start, float(first + columns[0])), min(end, float(first + columns[-1] + 1))


def _compute_gap(extents: Sequence[tuple[float, float]], i: int) -> tuple[float, float]:
    """Return the extent of a space: the gap between its neighbors, or its own extent if there is no gap."""
    start = extents[i - 1][1] if i > 0 else extents[i][0]
    end = extents[i + 1][0] if i + 1 < len(extents) else extents[i][1]
    return (start, end) if end > start else extents[i]


def _compute_outlines(
    extents: Sequence[tuple[float, float]], pixels: NDArray[np.uint8], to_source: PointMap
) -> list[Outline]:
    """Return the corners of extents in the source image: as high as their ink, or as the line if they have no ink."""
    is_ink = pixels < 255 - _INK
    corners = []
    for start, end in extents:
        first, last = math.floor(start), max(math.floor(start) + 1, math.ceil(end))
        rows = np.flatnonzero(is_ink[:, first:last].any(1))
        top, bottom = (float(rows[0]), float(rows[-1] + 1)) if len(rows) else (0.0, float(len(pixels)))
        corners.append([(start, top), (end, top), (end, bottom), (start, bottom)])
    return map_outlines(corners, to_source)


def map_outlines(outlines: Sequence[Sequence[Point]], to_source: PointMap) -> list[Outline]:
    """Map the corners of outlines, four each, to another image, rounded to tenths of a pixel."""
    if not outlines:
        return []
    corners = np.round(to_source(np.array(outlines, np.float64)), 1).tolist()
    return [((ax, ay), (bx, by), (cx, cy), (dx, dy)) for (ax, ay), (bx, by), (cx, cy), (dx, dy) in corners]
