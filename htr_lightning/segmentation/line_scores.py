"""Precision, recall and F1 of found text lines, by their baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from htr_lightning.image.straighten import Points
from htr_lightning.segmentation.matching import match_closest

_DEFAULT_PITCH_PX = 60.0  # of a page with a single line
_MIN_COVERAGE = 0.7  # fraction of a true baseline that a found one must cover
_MAX_EXCESS = 0.3  # of a found baseline beyond each end of the true one, relative to the true one
_MAX_EXCESS_PITCHES = 2.0  # the same in pitches; the larger of both counts
_MAX_OFFSET = 0.4  # mean vertical distance of two baselines, in pitches
_NUM_SAMPLES = 9


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Counts of lines on one or several pages.

    Attributes:
        true: number of lines in the ground truth.
        found: number of lines found.
        matched: number of pairs of both.
    """

    true: int = 0
    found: int = 0
    matched: int = 0

    def __add__(self, other: "LineCounts") -> "LineCounts":
        return LineCounts(self.true + other.true, self.found + other.found, self.matched + other.matched)

    @property
    def precision(self) -> float:
        """Fraction of the found lines that are true; 1 if none were found."""
        return self.matched / self.found if self.found else float(not self.true)

    @property
    def recall(self) -> float:
        """Fraction of the true lines that were found; 1 if there are none."""
        return self.matched / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def count_matches(true: Sequence[Points], found: Sequence[Points]) -> LineCounts:
    """Match found baselines to true ones, and count them; see `match_lines`.

    Args:
        true: baselines ``(n, 2)`` in px of the page; those that are not nearly horizontal do not count.
        found: likewise.
    """
    num_true, num_found = (sum(map(_is_horizontal, lines)) for lines in (true, found))
    return LineCounts(num_true, num_found, len(match_lines(true, found)))


def match_lines(true: Sequence[Points], found: Sequence[Points]) -> dict[int, int]:
    """Match found baselines to true ones, one to one, the closest pairs first.

    Two baselines match if the found one covers at least 70 % of the true one horizontally, reaches beyond each of its
    ends by at most 30 % of its length or two pitches, and is on average within 0.4 pitches of it. The pitch is the
    median vertical distance of neighboring true lines.

    Args:
        true: baselines ``(n, 2)`` in px of the page; those that are not nearly horizontal match nothing.
        found: likewise.

    Returns:
        The number of the found line of each true one that has one.
    """
    true_lines, found_lines = (
        {number: _sort_points(line) for number, line in enumerate(lines) if _is_horizontal(line)}
        for lines in (true, found)
    )
    pitch = estimate_pitch(list(true_lines.values()))
    pairs = []
    for i, line in true_lines.items():
        length = float(np.ptp(line[:, 0]))
        slack = max(_MAX_EXCESS * length, _MAX_EXCESS_PITCHES * pitch)
        for k, other in found_lines.items():
            low, high = _intersect(line, other)
            if high - low < _MIN_COVERAGE * length or high <= low:
                continue
            if other[0, 0] <= line[0, 0] - slack or other[-1, 0] >= line[-1, 0] + slack:
                continue
            xs = np.linspace(low, high, _NUM_SAMPLES)
            offset = float(np.abs(_y_at(other, xs) - _y_at(line, xs)).mean())
            if offset <= _MAX_OFFSET * pitch:
                pairs.append((offset, i, k))
    return match_closest(pairs)


def estimate_pitch(lines: Sequence[Points]) -> float:
    """Return the median vertical distance from each baseline to the nearest one above or below it, in px."""
    nearest = []
    for i, line in enumerate(lines):
        distances = []
        for j, other in enumerate(lines):
            low, high = _intersect(line, other)
            shorter = min(float(np.ptp(line[:, 0])), float(np.ptp(other[:, 0])))
            if i == j or high - low <= _MAX_EXCESS * shorter:
                continue
            middle = (low + high) / 2
            distance = abs(float(_y_at(other, middle)) - float(_y_at(line, middle)))
            if distance > 3:
                distances.append(distance)
        if distances:
            nearest.append(min(distances))
    return float(np.median(nearest)) if nearest else _DEFAULT_PITCH_PX


def _is_horizontal(line: Points) -> bool:
    return len(line) > 1 and bool(np.ptp(line[:, 0]) > np.ptp(line[:, 1]))


def _sort_points(line: Points) -> Points:
    return line[np.argsort(line[:, 0], kind="stable")]


def _intersect(a: Points, b: Points) -> tuple[float, float]:
    return max(float(a[0, 0]), float(b[0, 0])), min(float(a[-1, 0]), float(b[-1, 0]))


def _y_at(line: Points, x: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.interp(x, line[:, 0], line[:, 1]))
