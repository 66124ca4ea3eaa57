"""Where characters and words stand in a line, and how sure the model is of them."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Outline = tuple[Point, Point, Point, Point]
PointMap = Callable[[NDArray[np.floating]], NDArray[np.float64]]
"""Takes points ``(..., 2)`` of a preprocessed line to those of the image that was read (`Transform.to_source`)."""

_INK = 77  # gray levels darker than paper that are a stroke
_REACH = 1.0  # line heights that the first and the last character reach out at most


@dataclass(frozen=True, slots=True)
class Character:
    """A character of a line that was read.

    Attributes:
        text: one character.
        confidence: 0..1, the probability that it is right; calibrated where the model is.
        start_px: where it starts in the line as the network saw it (`Prediction.pixels`), in px from its left edge.
        end_px: where it ends there.
        outline: its corners in the image that was read, (x, y) in px: top left, top right, bottom right, bottom left.
            A parallelogram where the line was set straight before it was read.
    """

    text: str
    confidence: float
    start_px: float
    end_px: float
    outline: Outline


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line that was read: what stands between two spaces.

    Its confidence is the product of those of its characters: the probability that all are right, if they are right or
    wrong independently. The other attributes are as those of `Character`.
    """

    text: str
    confidence: float
    start_px: float
    end_px: float
    outline: Outline


def bounding_box(outline: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return the upright box around an outline: left, top, right, bottom."""
    xs, ys = zip(*outline, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def locate_characters(
    text: str,
    confidences: Sequence[float] | NDArray[np.float64],
    spans: NDArray[np.int64],
    pixels: NDArray[np.uint8],
    frame_px: int,
    to_page: PointMap,
) -> list[Character]:
    """Find the room of each character.

    A CTC network names a character in a frame or two near its middle, not where it begins and ends. So neighbors are
    parted at the column with the least ink between their middles, and what remains at both sides is cut down to the
    ink; a space is what its neighbors leave.

    Args:
        text: L characters.
        confidences: of each.
        spans: ``(L, 2)`` frames, see `htr_lightning.decode.alignment.align`.
        pixels: ``(H, W)`` uint8, paper 255, the line as the network saw it.
        frame_px: columns for each frame.
        to_page: from the line to the image that was read.
    """
    if not text:
        return []
    bounds = _bounds(spans.mean(1) * frame_px, pixels)
    inked = np.asarray((pixels < 255 - _INK).any(0))
    places = [_trimmed(start, end, inked) for start, end in itertools.pairwise(bounds)]
    places = [_between(places, i) if text[i] == " " else place for i, place in enumerate(places)]
    return [
        Character(character, float(confidence), *place, _outline(*place, pixels, to_page))
        for character, confidence, place in zip(text, confidences, places, strict=True)
    ]


def group_words(characters: Sequence[Character], pixels: NDArray[np.uint8], to_page: PointMap) -> list[Word]:
    """Join the characters between spaces.

    Args:
        characters: of a line.
        pixels: as for `locate_characters`.
        to_page: as for `locate_characters`.
    """
    words: list[Word] = []
    begin = 0
    for i in range(len(characters) + 1):
        if i < len(characters) and characters[i].text != " ":
            continue
        if i > begin:
            inside = characters[begin:i]
            start, end = inside[0].start_px, max(c.end_px for c in inside)
            confidence = math.prod(c.confidence for c in inside)
            text = "".join(c.text for c in inside)
            words.append(Word(text, confidence, start, end, _outline(start, end, pixels, to_page)))
        begin = i + 1
    return words


def _bounds(middles: NDArray[np.float64], pixels: NDArray[np.uint8]) -> list[float]:
    """Return where characters begin and end, L + 1 columns, neighbors parted where there is least ink."""
    height, width = pixels.shape
    ink = (255.0 - pixels).sum(0) / 255
    bounds = [max(0.0, middles[0] - _REACH * height)]
    for left, right in itertools.pairwise(middles):
        low, high = int(left) + 2, int(right) - 1
        columns = np.arange(low, min(high, width))
        if len(columns) < 2:
            bounds.append((left + right) / 2)
            continue
        away = np.abs(columns + 0.5 - (left + right) / 2)
        bounds.append(float(columns[(ink[columns] + 0.02 * away).argmin()]) + 0.5)
    return [*bounds, min(float(width), middles[-1] + _REACH * height)]


def _trimmed(start: float, end: float, inked: NDArray[np.bool_]) -> tuple[float, float]:
    """Cut a room down to its ink, where it has some."""
    first, last = math.floor(start), max(math.floor(start) + 1, math.ceil(end))
    found = np.flatnonzero(inked[first:last])
    if not len(found):
        return start, end
    return max(start, float(first + found[0])), min(end, float(first + found[-1] + 1))


def _between(places: Sequence[tuple[float, float]], i: int) -> tuple[float, float]:
    """Return what a space's neighbors leave it, or its own room where they leave nothing."""
    start = places[i - 1][1] if i > 0 else places[i][0]
    end = places[i + 1][0] if i + 1 < len(places) else places[i][1]
    return (start, end) if end > start else places[i]


def _outline(start: float, end: float, pixels: NDArray[np.uint8], to_page: PointMap) -> Outline:
    """Return the corners of a room in the image that was read: as high as its ink, or as the line where it has none."""
    first, last = math.floor(start), max(math.floor(start) + 1, math.ceil(end))
    rows = np.flatnonzero((pixels[:, first:last] < 255 - _INK).any(1))
    top, bottom = (float(rows[0]), float(rows[-1] + 1)) if len(rows) else (0.0, float(len(pixels)))
    corners = to_page(np.array([(start, top), (end, top), (end, bottom), (start, bottom)]))
    a, b, c, d = ((round(float(x), 1), round(float(y), 1)) for x, y in corners)
    return a, b, c, d
