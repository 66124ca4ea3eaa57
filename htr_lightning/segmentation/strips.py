"""What is found at the edges of a page and is no text of it: the strip of the facing page."""

from collections.abc import Sequence

import numpy as np

from htr_lightning.segmentation.regions import DetectedLine

_MAX_LENGTH = 0.06  # of a line in a strip, relative to the width of the page
_REACH = 0.02  # distance from the edge of the image up to which a line touches it, relative to the width
_MIN_LINES = 3
_MIN_GAP = 0.01  # between the strip and the text, relative to the width
_MAX_BETWEEN = 0.05  # fraction of the other lines that may begin in the gap
_MIN_TEXT = 0.7  # fraction of the text, by length, that has to lie on the other side of the gap


def drop_facing_strips(lines: Sequence[DetectedLine], width: float) -> list[DetectedLine]:
    """Drop the ends of lines of the facing page, at the left and right edge of an image.

    They are three or more short lines that touch the same edge, one below the other, beside a gap to the text.

    Args:
        lines: upright, of a page.
        width: of the page in px.
    """
    kept = list(lines)
    for side in (-1, 1):
        strip = _find_strip(kept, width, side)
        kept = [line for line in kept if id(line) not in strip]
    return kept


def _find_strip(lines: Sequence[DetectedLine], width: float, side: int) -> set[int]:
    """Return the ids (of Python) of the lines of a strip at the left edge (-1) or the right one (1)."""
    if len(lines) <= _MIN_LINES:
        return set()
    spans = np.array([(line.left, line.right) for line in lines])
    outer, inner = (spans[:, 0], spans[:, 1]) if side < 0 else (width - spans[:, 1], width - spans[:, 0])
    # From here on, both are distances from the edge.
    lengths = inner - outer
    touches = (lengths <= _MAX_LENGTH * width) & (outer <= _REACH * width)
    if touches.sum() < _MIN_LINES:
        return set()
    end = float(inner[touches].max())
    beyond = outer >= end + _MIN_GAP * width
    in_strip = inner <= end
    others = ~in_strip
    if not others.any() or lengths[others & beyond].sum() < _MIN_TEXT * lengths[others].sum():
        return set()
    if (others & ~beyond).sum() > _MAX_BETWEEN * others.sum():
        return set()
    return {id(line) for line, is_in in zip(lines, in_strip.tolist(), strict=True) if is_in}
