"""Ruling-line removal: lines of ruled and squared paper, printed margins and the borders of tables."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.binarization import Gray, Mask

_MAX_DARKNESS = 90  # ruling lines are searched in an image clipped to so many gray levels below the paper
_MIN_LENGTH_ACROSS, _MIN_LENGTH_DOWN = 0.25, 0.4  # of horizontal and vertical ruling lines, relative to the page
_MIN_CONTRAST = 10  # gray levels by which a ruling line is darker, on average, than the pixels above and below it
_NEIGHBOR_PX = 4  # distance of these pixels
_MIN_CONTINUITY = 0.72  # fraction of its length along which a ruling line must be visible
_MAX_THICKNESS_PX = 4
_RULES_PX = 1000  # longest side of the page at which vertical rules are searched
_PAPER_PX = 15  # wider dark areas are no rules at this size
_MIN_RULE_LENGTH = 0.25  # of a vertical rule, relative to the height of the page
_RULE_POINTS = 5


@dataclass(frozen=True, slots=True)
class RulingLine:
    """A nearly horizontal ruling line.

    Attributes:
        curve: coefficients of y as a polynomial in x, the highest power first.
        start: x of its left end, in px.
        end: x of its right end, in px.
    """

    curve: NDArray[np.float64]
    start: int
    end: int


def remove_ruling(ink: Mask, darkness: Gray) -> Mask:
    """Remove horizontal and vertical ruling lines.

    Args:
        ink: ``(H, W)``.
        darkness: ``(H, W)``, 0 for paper, 255 for black.

    Returns:
        The ink without ruling lines; strokes that cross them stay.
    """
    darkness = np.minimum(darkness, _MAX_DARKNESS)
    ink = erase_ruling_lines(ink, find_ruling_lines(darkness, _MIN_LENGTH_ACROSS))
    vertical = find_ruling_lines(np.ascontiguousarray(darkness.T), _MIN_LENGTH_DOWN)
    return np.ascontiguousarray(erase_ruling_lines(np.ascontiguousarray(ink.T), vertical).T)


def find_vertical_rules(image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Find the vertical rules of a page, such as those between the columns of a table.

    Args:
        image: ``(H, W)`` gray or ``(H, W, 3)`` RGB.

    Returns:
        Points ``(n, 2)`` of each rule in px, from its upper to its lower end.
    """
    scale = min(1.0, _RULES_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    if min(gray.shape) <= 2 * _PAPER_PX:
        return []
    paper = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, np.ones((_PAPER_PX, _PAPER_PX), np.uint8))
    darkness = np.minimum(cv2.subtract(paper, gray), _MAX_DARKNESS)
    rules = []
    for line in find_ruling_lines(np.ascontiguousarray(darkness.T), _MIN_RULE_LENGTH):
        ys = np.linspace(line.start, line.end, _RULE_POINTS)
        rules.append((np.stack([np.polyval(line.curve, ys), ys], 1) + 0.5) / scale)
    return rules


def find_ruling_lines(darkness: Gray, min_length: float) -> list[RulingLine]:
    """Find nearly horizontal ruling lines, including faint and dotted ones and those with writing on them.

    Averaged over a sixteenth of the page's width, a ruling line is darker than the pixels a few rows above and below
    it, while a line of writing is not. Collinear segments form a ruling line if together they are long enough.

    Args:
        darkness: ``(H, W)``, 0 for paper, clipped to `_MAX_DARKNESS`.
        min_length: of a ruling line, as a fraction of the page's width.
    """
    width = darkness.shape[1]
    length = max(24, width // 16)
    mean = cv2.blur(cv2.GaussianBlur(darkness.astype(np.float32), (1, 5), 0.8), (length, 1))
    padded = np.pad(mean, ((_NEIGHBOR_PX, _NEIGHBOR_PX), (0, 0)))
    neighbors = np.maximum(padded[: -2 * _NEIGHBOR_PX], padded[2 * _NEIGHBOR_PX :])
    is_maximum = mean >= cv2.dilate(mean, np.ones((3, 1), np.uint8)) - 1e-3
    candidates = ((mean - neighbors > _MIN_CONTRAST) & is_maximum).astype(np.uint8)
    thick = cv2.dilate(candidates, np.ones((3, 1), np.uint8))
    long = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length // 2), np.uint8))
    lines = _join_segments(_fit_segments(np.asarray(long, np.uint8)), width, min_length)
    return [line for line in lines if _measure_continuity(darkness, line) >= _MIN_CONTINUITY]


def _measure_continuity(darkness: Gray, line: RulingLine) -> float:
    """Return the fraction of its columns in which a line is darker than the pixels above and below: writing has gaps.

    Columns with writing across the line are ignored.
    """
    height, width = darkness.shape
    xs = np.arange(max(0, line.start), min(width, line.end))
    ys = np.round(np.polyval(line.curve, xs)).astype(int)

    def get_level(offset: int) -> NDArray[np.int64]:
        return np.asarray(darkness[(ys + offset).clip(0, height - 1), xs], np.int64)

    on_line = np.max([get_level(-1), get_level(0), get_level(1)], axis=0)
    neighbors = np.maximum(get_level(-_NEIGHBOR_PX - 1), get_level(_NEIGHBOR_PX + 1))
    no_writing = neighbors <= 0.7 * _MAX_DARKNESS
    is_visible = on_line - neighbors > _MIN_CONTRAST / 2
    return float(is_visible[no_writing].mean()) if no_writing.any() else 0.0


def _fit_segments(candidates: Mask) -> NDArray[np.float64]:
    """Fit a straight segment to each thin connected component.

    Returns:
        ``(n, 4)``: start, end, intercept and slope of each segment, the longest first.
    """
    num_labels, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    segments = []
    for label in range(1, num_labels):
        x, y, width, height, area = stats[label].tolist()
        if height > 6 + 0.12 * width or area > 7 * width or width < 3:
            continue
        rows = labels[y : y + height, x : x + width] == label
        centers = (rows * np.arange(height)[:, None]).sum(0) / np.maximum(rows.sum(0), 1) + y
        slope, intercept = np.polyfit(x + np.arange(width), centers, 1)
        segments.append((x, x + width, intercept, slope))
    return np.array(sorted(segments, key=lambda segment: segment[0] - segment[1]), np.float64).reshape(-1, 4)


def _join_segments(segments: NDArray[np.float64], width: int, min_length: float) -> list[RulingLine]:
    """Join collinear segments to ruling lines, growing each line from its longest segment."""
    free = np.ones(len(segments), bool)
    start, end, intercept, slope = segments.T
    middle = (start + end) / 2
    height = intercept + slope * middle
    lines = []
    for seed in range(len(segments)):
        if not free[seed]:
            continue
        members = np.zeros(len(segments), bool)
        members[seed] = True
        fit = np.array([slope[seed], intercept[seed]])
        while True:
            gap = np.maximum(0, np.maximum(start[members].min() - end, start - end[members].max()))
            is_collinear = np.abs(np.polyval(fit, middle) - height) <= 2.5 + 0.01 * gap
            grown = members | (free & is_collinear & (gap < width / 3))
            xs = np.linspace(start[grown], end[grown], 8)
            ys = intercept[grown] + slope[grown] * xs
            fit = np.polyfit(xs.ravel(), ys.ravel(), 1)
            if (grown == members).all():
                break
            members = grown
        if (end[members] - start[members]).sum() >= min_length * width:
            free &= ~members
            curve = np.polyfit(xs.ravel(), ys.ravel(), 2 if members.sum() > 2 else 1)
            lines.append(RulingLine(curve, int(start[members].min()), int(end[members].max())))
    return lines


def erase_ruling_lines(ink: Mask, lines: list[RulingLine]) -> Mask:
    """Return the ink without nearly horizontal ruling lines; strokes that cross them stay, as they are thicker."""
    height, width = ink.shape
    ink = ink.copy()
    extension, reach = width // 12, _MAX_THICKNESS_PX + 2
    offsets = np.arange(-reach, reach + 1)[:, None]
    for line in lines:
        xs = np.arange(max(0, line.start - extension), min(width, line.end + extension))
        ys = np.round(np.polyval(line.curve, xs)).astype(int) + offsets  # (2 reach + 1, n)
        inside = (ys >= 0) & (ys < height)
        ys = ys.clip(0, height - 1)
        strip = ink[ys, xs[None]] * inside
        ink[ys, xs[None]] = np.where(_find_thin_runs(strip, reach), 0, ink[ys, xs[None]])
    return ink


def _find_thin_runs(strip: Mask, middle: int) -> NDArray[np.bool_]:
    """Return a mask of the vertical runs of ink that are as thin as a ruling line and touch the rows at the middle."""
    rows = np.arange(len(strip))[:, None]
    before = np.maximum.accumulate(np.where(strip == 0, rows, -1), axis=0)  # nearest row of paper above
    after = np.minimum.accumulate(np.where(strip == 0, rows, len(strip))[::-1], axis=0)[::-1]  # and below
    touches = (before < middle + 2) & (after > middle - 2) & (after - before > 1)
    return np.asarray((strip > 0) & touches & (after - before - 1 <= _MAX_THICKNESS_PX))
