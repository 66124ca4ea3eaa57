"""Columns: where an empty corridor runs down between pieces of writing that are on one height by chance."""

import numpy as np

from htr_lightning.segmentation.ink import Mask
from htr_lightning.segmentation.ridges import PER_LETTER, letter_height, usual_slope
from htr_lightning.segmentation.strokes import Strokes, cut_at

_CLEAR = 0.002  # share of a column of the page that dust may take up in a corridor
_WIDEST_GAP = 0.8  # width of a corridor that is empty from top to bottom, in distances of lines
_NARROWEST = 0.6  # corridor, in distances of lines
_FEWEST, _EVIDENCE = 3, 4.0  # lines beside a corridor; and those times its width in distances of lines
_BETWEEN_WORDS = 1.5  # how much wider a corridor is than the usual gap between words


def zones_of(ink: Mask) -> list[Mask]:
    """Part the ink of a page where a corridor is empty from top to bottom; what is right of it may be of another size.

    Args:
        ink: ``(H, W)``.

    Returns:
        From left to right, each of the page's size; none of a page without writing.
    """
    letters = letter_height(ink)
    if letters is None:
        return []
    rows, columns = np.nonzero(ink)
    # Where writing falls by so much, what is upright on paper leans to the left by as much.
    across = columns + usual_slope(ink) * (rows - len(ink) / 2)
    start = np.floor(across.min())
    counts = np.bincount((across - start).astype(np.int64))
    inked = np.flatnonzero(counts > _CLEAR * len(ink))
    if not len(inked):
        return [ink]
    wide = np.flatnonzero(np.diff(inked) > _WIDEST_GAP * PER_LETTER * letters)
    bounds = (inked[wide] + inked[wide + 1]) / 2 + start
    number = np.searchsorted(bounds, across)
    zones = []
    for place in range(len(bounds) + 1):
        zone = np.zeros_like(ink)
        own = number == place
        zone[rows[own], columns[own]] = 1
        zones.append(zone)
    return zones


def cut_columns(lines: list[Strokes]) -> list[Strokes]:
    """Cut lines where they cross from one column into the next.

    Args:
        lines: of a page, in any order.
    """
    if not lines:
        return []
    lines = sorted(lines, key=_height)
    distance = lines[0].distance
    words = [end - start for line in lines for start, end in line.gaps(0.25 * distance) if end - start < distance]
    narrowest = max(_NARROWEST * distance, _BETWEEN_WORDS * float(np.median(words)) if words else 0.0)
    gaps = [line.gaps(narrowest) for line in lines]
    cuts: list[set[int]] = [set() for _ in lines]
    for number, own in enumerate(gaps):
        for gap in own:
            chain, width = _corridor(lines, gaps, number, gap, narrowest)
            if len(chain) >= _FEWEST and len(chain) * width >= _EVIDENCE * distance:
                for line, middle in chain:
                    cuts[line].add(middle)
    return [part for line, at in zip(lines, cuts, strict=True) for part in cut_at(line, sorted(at))]


def _height(line: Strokes) -> float:
    return float(line.ridge.mean())


def _corridor(
    lines: list[Strokes], gaps: list[list[tuple[int, int]]], first: int, gap: tuple[int, int], narrowest: float
) -> tuple[list[tuple[int, int]], float]:
    """Follow a gap down the page, until a line has ink in it.

    Returns:
        The lines that have a gap there, each with the column in its middle; and how wide the corridor is.
    """
    chain, (start, end), width = [(first, sum(gap) // 2)], gap, float(gap[1] - gap[0])
    for number in range(first + 1, len(lines)):
        line = lines[number]
        if line.right <= start + narrowest or line.left >= end - narrowest:
            continue  # ends before the corridor, or begins behind it
        beside = [(max(start, a), min(end, b), a, b) for a, b in gaps[number]]
        open_ = max(beside, key=lambda both: both[1] - both[0], default=None)
        if open_ is None or open_[1] - open_[0] < narrowest:
            break
        width = min(width, open_[1] - open_[0])
        start, end = open_[2], open_[3]
        chain.append((number, (open_[0] + open_[1]) // 2))
    return chain, width
