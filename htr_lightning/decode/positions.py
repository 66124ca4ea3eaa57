"""Where characters and words stand in a line, and how sure the model is of them."""

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Outline = tuple[Point, Point, Point, Point]


@dataclass(frozen=True, slots=True)
class Character:
    """A character of a line that was read.

    Attributes:
        text: one character.
        confidence: 0..1, the probability that it is right; calibrated where the model is.
        start_px: where it starts in the line as the network saw it (`Reading.pixels`), in px from its left edge.
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
    """A word of a line that was read: what stands between two spaces. Attributes as those of `Character`."""

    text: str
    confidence: float
    start_px: float
    end_px: float
    outline: Outline


def box_of(outline: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return the upright box around an outline: left, top, right, bottom."""
    xs, ys = zip(*outline, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
