"""What is found on a page and is no text of it: the strip of the facing page, fragments at edges, specks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.regions import DetectedLine

_MAX_LENGTH = 0.06  # of a line in a strip, relative to the width of the page
_REACH = 0.02  # distance from the edge of the image up to which a line touches it, relative to the width
_MIN_LINES = 3
_MAX_CUT_LENGTH = 0.35  # the same, of a strip whose lines the edge of the image cuts off
_CUT_REACH = 0.0015  # distance from the edge within which a line is cut off, relative to the width
_MIN_CUT_LINES, _MIN_CUT = 5, 0.5  # number of such lines, and their fraction of the strip
_MIN_GAP = 0.01  # between the strip and the text, relative to the width
_MAX_BETWEEN = 0.05  # fraction of the other lines that may begin in the gap
_SHORT, _SHORT_TURNED = 3.0, 2.5  # length of fragments, in heights of lines
_TOUCHES = 0.01  # distance of a fragment from the edge, relative to the width
_MAX_SHORT = 0.4  # fraction of short lines above which a page is one of short lines, such as cells
_MAX_TOUCHING = 0.1  # fraction of the whole lines that may touch an edge where fragments are dropped
_MIN_TEXT = 0.7  # fraction of the text, by length, that has to lie on the other side of the gap


def drop_facing_strips(lines: Sequence[DetectedLine], width: float) -> list[DetectedLine]:
    """Drop the ends of lines of the facing page, at the left and right edge of an image.

    They are three or more short lines that touch the same edge, one below the other, beside a gap to the text; or five
    or more longer ones that the edge cuts off.

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
    narrow = (lengths <= _MAX_LENGTH * width) & (outer <= _REACH * width)
    cut = (lengths <= _MAX_CUT_LENGTH * width) & (outer <= _CUT_REACH * width)
    in_strip = _select_strip(outer, inner, cut, width, _MAX_CUT_LENGTH) if cut.sum() >= _MIN_CUT_LINES else None
    if in_strip is None or cut[in_strip].mean() < _MIN_CUT:
        in_strip = _select_strip(outer, inner, narrow, width, _MAX_LENGTH) if narrow.sum() >= _MIN_LINES else None
    if in_strip is None:
        return set()
    return {id(line) for line, is_in in zip(lines, in_strip.tolist(), strict=True) if is_in}


def _select_strip(
    outer: NDArray[np.float64],
    inner: NDArray[np.float64],
    touches: NDArray[np.bool_],
    width: float,
    max_length: float,
) -> NDArray[np.bool_] | None:
    """Return which lines are in the strip of lines that touch an edge; None if no gap divides it from the text."""
    lengths = inner - outer
    reaches = (outer < inner[touches].max()) & (lengths <= max_length * width)
    end = float(inner[reaches].max())
    beyond = outer >= end + _MIN_GAP * width
    in_strip = inner <= end
    others = ~in_strip
    if not others.any() or lengths[others & beyond].sum() < _MIN_TEXT * lengths[others].sum():
        return None
    return in_strip if (others & ~beyond).sum() <= _MAX_BETWEEN * others.sum() else None


def drop_edge_fragments(lines: Sequence[DetectedLine], width: float) -> list[DetectedLine]:
    """Drop short lines that touch the left or right edge of an image whose text does not reach that edge.

    They are shadows, edges of books and cut words of other pages. Cells of tables are to be taken out before.

    Args:
        lines: upright, of a page.
        width: of the page in px.
    """
    kept = list(lines)
    if len(kept) <= _MIN_LINES:
        return kept
    spans = np.array([(line.left, line.right) for line in kept])
    lengths = spans[:, 1] - spans[:, 0]
    is_short = lengths < _SHORT * np.median([_measure_height(line) for line in kept])
    if (~is_short).sum() < _MIN_LINES or is_short.mean() > _MAX_SHORT:
        return kept
    is_fragment = np.zeros(len(kept), bool)
    for distance in (spans[:, 0], width - spans[:, 1]):
        touches = distance < _TOUCHES * width
        if touches[~is_short].sum() <= _MAX_TOUCHING * (~is_short).sum():
            is_fragment |= touches & is_short
    return [line for line, is_out in zip(kept, is_fragment.tolist(), strict=True) if not is_out]


def drop_turned_specks(lines: Sequence[DetectedLine]) -> list[DetectedLine]:
    """Drop short lines whose writing is turned, unless most of the page is turned like that.

    Args:
        lines: of a page, of all orientations.
    """
    lengths = [float(np.ptp(line.baseline, axis=0).max()) for line in lines]
    totals = np.zeros(4)
    np.add.at(totals, [line.orientation for line in lines], lengths)
    usual = {0, int(totals.argmax())}
    return [
        line
        for line, length in zip(lines, lengths, strict=True)
        if line.orientation in usual or length >= _SHORT_TURNED * _measure_height(line)
    ]


def _measure_height(line: DetectedLine) -> float:
    """Return the mean height of an outline: its area divided by the length of the line."""
    x, y = line.polygon.astype(np.float64).T
    area = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    return area / max(1.0, float(np.ptp(line.baseline, axis=0).max()))
