"""Columns of text: they are separated at gutters, the blank vertical strips between them."""

import numpy as np

from htr_lightning.segmentation.binarization import Mask
from htr_lightning.segmentation.estimation import MAX_SPACING_PER_LETTER, estimate_letter_height, estimate_slope
from htr_lightning.segmentation.line_strips import LineStrip

_MAX_DUST = 0.002  # fraction of a pixel column that dust may cover in a gutter
_PAGE_GUTTER = 0.8  # minimum width of a gutter that is blank from top to bottom, in line spacings
_MIN_GUTTER = 0.6  # minimum width of any other gutter, in line spacings
_MIN_LINES = 3  # beside a gutter
_MIN_EVIDENCE = 4.0  # number of these lines times the width of the gutter in line spacings
_WORD_GAP_FACTOR = 1.5  # how much wider a gutter is than the median gap between words


def split_columns(ink: Mask) -> list[Mask]:
    """Split the ink of a page at gutters that are blank from top to bottom; columns may differ in their writing size.

    Args:
        ink: ``(H, W)``.

    Returns:
        The ink of each column, from left to right, all of the page's size; none for a page without writing.
    """
    letter_height = estimate_letter_height(ink)
    if letter_height is None:
        return []
    rows, columns = np.nonzero(ink)
    # On a rotated page, where lines fall by a slope, gutters lean to the left by the same slope.
    across = columns + estimate_slope(ink) * (rows - len(ink) / 2)
    start = np.floor(across.min())
    profile = np.bincount((across - start).astype(np.int64))
    inked = np.flatnonzero(profile > _MAX_DUST * len(ink))
    if not len(inked):
        return [ink]
    wide = np.flatnonzero(np.diff(inked) > _PAGE_GUTTER * MAX_SPACING_PER_LETTER * letter_height)
    bounds = (inked[wide] + inked[wide + 1]) / 2 + start
    indices = np.searchsorted(bounds, across)
    masks = []
    for index in range(len(bounds) + 1):
        mask = np.zeros_like(ink)
        own = indices == index
        mask[rows[own], columns[own]] = 1
        masks.append(mask)
    return masks


def split_lines_at_gutters(lines: list[LineStrip]) -> list[LineStrip]:
    """Split lines that run across several columns.

    Args:
        lines: of a page, in any order.
    """
    if not lines:
        return []
    lines = sorted(lines, key=lambda line: float(line.ridge.mean()))
    spacing = lines[0].line_spacing
    words = [end - start for line in lines for start, end in line.find_gaps(0.25 * spacing) if end - start < spacing]
    min_width = max(_MIN_GUTTER * spacing, _WORD_GAP_FACTOR * float(np.median(words)) if words else 0.0)
    gaps = [line.find_gaps(min_width) for line in lines]
    cuts: list[set[int]] = [set() for _ in lines]
    for index, own in enumerate(gaps):
        for gap in own:
            crossings, width = _follow_gutter(lines, gaps, index, gap, min_width)
            if len(crossings) >= _MIN_LINES and len(crossings) * width >= _MIN_EVIDENCE * spacing:
                for line, middle in crossings:
                    cuts[line].add(middle)
    return [part for line, columns in zip(lines, cuts, strict=True) for part in line.split(sorted(columns))]


def _follow_gutter(
    lines: list[LineStrip], gaps: list[list[tuple[int, int]]], first: int, gap: tuple[int, int], min_width: float
) -> tuple[list[tuple[int, int]], float]:
    """Follow a gap down the page, until a line has ink in it.

    Args:
        lines: from top to bottom.
        gaps: of each line.
        first: index of the line of the gap.
        gap: its start and end columns.
        min_width: of the gutter.

    Returns:
        The indices of the lines with a gap there, each with the column at its middle; and the width of the gutter.
    """
    crossings, (start, end), width = [(first, sum(gap) // 2)], gap, float(gap[1] - gap[0])
    for index in range(first + 1, len(lines)):
        line = lines[index]
        if line.right <= start + min_width or line.left >= end - min_width:
            continue  # the line ends before the gutter, or starts after it
        overlaps = [(max(start, a), min(end, b), a, b) for a, b in gaps[index]]
        widest = max(overlaps, key=lambda overlap: overlap[1] - overlap[0], default=None)
        if widest is None or widest[1] - widest[0] < min_width:
            break
        width = min(width, widest[1] - widest[0])
        start, end = widest[2], widest[3]
        crossings.append((index, (widest[0] + widest[1]) // 2))
    return crossings, width
