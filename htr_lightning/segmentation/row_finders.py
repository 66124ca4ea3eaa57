"""Rows of ideographs, which a page has as lines or, if it is turned, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.finder import LineFinderSegmenter, overlaps
from htr_lightning.segmentation.line_ends import trim_lines
from htr_lightning.segmentation.maps import MAP_STRIDE, ORIENTATION_STRIDE, PageMaps
from htr_lightning.segmentation.regions import DetectedLine
from htr_lightning.segmentation.segmenter import Segmenter

# Zoom, and factor of the width (experiments/vertical_lines).
_QUICK_SCALES = ((0.7, 0.55), (0.5, 0.4), (0.4, 0.4), (0.3, 0.4), (0.23, 0.4))
_SCALES = ((1.0, 0.55), *_QUICK_SCALES)
_COVERED = 0.9  # fraction of the writing within the lines of the network, from which on they are taken
_MIN_FOUND = 0.5  # the same of other pages: length of these lines, relative to those of the classical way
_MEASURED_PX = 500_000  # number of pixels that pages are scaled down to, to tell rows from columns the classical way


class RowFinder(Protocol):
    """Finds rows: lines from left to right, whose characters stand upright or lie on their side."""

    def find_rows(self, image: NDArray[np.uint8]) -> list[DetectedLine]:
        """Return the rows of a page ``(H, W)`` or ``(H, W, 3)``, in px of the page, in any order."""
        ...

    def has_rows(self, image: NDArray[np.uint8], turned: NDArray[np.uint8]) -> bool:
        """Return whether a page has rows, and not columns, which are rows where it is turned."""
        ...


@dataclass(frozen=True, slots=True)
class ClassicalRows:
    """Finds rows without a network.

    Args:
        segmenter: finds the lines.
    """

    segmenter: Segmenter

    def find_rows(self, image: NDArray[np.uint8]) -> list[DetectedLine]:
        """See `RowFinder`."""
        return [line for region in self.segmenter(image) for line in region.lines]

    def has_rows(self, image: NDArray[np.uint8], turned: NDArray[np.uint8]) -> bool:
        """See `RowFinder`: lines across the writing are short."""
        return self._measure_rows(image) >= self._measure_rows(turned)

    def _measure_rows(self, image: NDArray[np.uint8]) -> float:
        """Return the median length of the lines, relative to their height."""
        segmenter = replace(self.segmenter, working_px=min(self.segmenter.working_px, _MEASURED_PX))
        lines = ClassicalRows(segmenter).find_rows(image)
        ratios = [(line.right - line.left) / max(1.0, float(np.ptp(line.polygon[:, 1]))) for line in lines]
        return float(np.median(ratios)) if ratios else 0.0


@dataclass(frozen=True, slots=True)
class ShrunkenRows:
    """Finds rows by a network that has learned the letters of other scripts.

    To it, each ideograph looks like a word that is turned in all ways at once. On a page that is shrunk until its rows
    are some 10 px high, and squeezed along them, ideographs become strokes: it finds the rows, whatever is in them.

    Args:
        finder: the network.
        classical: finds the lines of pages on which the network finds few; None to keep what it finds.
    """

    finder: LineFinderSegmenter
    classical: Segmenter | None = None

    def find_rows(self, image: NDArray[np.uint8]) -> list[DetectedLine]:
        """Return the rows of the scale with most of them, and those of others that do not overlap them."""
        maps, lines, _ = self.finder.find_upright(image)
        rows = _join([lines, *(self._follow(image, *scale) for scale in _SCALES)])
        rows = [line for line in rows if (line.confidence or 0.0) >= self.finder.min_line_confidence]
        rows = trim_lines(rows, image)
        if self.classical is None or _measure_coverage(maps, rows) >= _COVERED:
            return rows
        others = ClassicalRows(self.classical).find_rows(image)
        return rows if _measure_length(rows) >= _MIN_FOUND * _measure_length(others) else others

    def has_rows(self, image: NDArray[np.uint8], turned: NDArray[np.uint8]) -> bool:
        """See `RowFinder`: hardly any line is found across the writing."""
        as_it_is, if_turned = self._measure_rows(image), self._measure_rows(turned)
        if as_it_is == if_turned and self.classical is not None:  # no row in either
            return ClassicalRows(self.classical).has_rows(image, turned)
        return as_it_is >= if_turned

    def _measure_rows(self, image: NDArray[np.uint8]) -> float:
        """Return the length of the rows that are found at small scales, in px, weighted by their confidence."""
        return _measure_length(_join([self._follow(image, *scale) for scale in _QUICK_SCALES]))

    def _follow(self, image: NDArray[np.uint8], zoom: float, squeeze: float) -> list[DetectedLine]:
        """Return the lines that the network finds on a page whose width was multiplied by ``squeeze``."""
        height, width = image.shape[:2]
        size = max(1, round(width * squeeze)), height
        squeezed = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        maps = self.finder.predict_maps(squeezed, zoom * max(size) / max(width, height))
        stretch = np.array([width / size[0], 1], np.float32)
        return [
            replace(line, baseline=line.baseline * stretch, polygon=line.polygon * stretch)
            for line in self.finder.follower(maps)
        ]


def _measure_coverage(maps: PageMaps, lines: Sequence[DetectedLine]) -> float:
    """Return the fraction of the writing of a page that is within its lines."""
    writing = maps.orientations[1:].sum(0) > 0.5
    covered = np.zeros(writing.shape, np.uint8)
    for line in lines:
        points = np.round(line.polygon * maps.scale * MAP_STRIDE / ORIENTATION_STRIDE).astype(np.int32)
        cv2.fillPoly(covered, [points], 1)
    return float(covered[writing].mean()) if writing.any() else 0.0


def _join(found: Sequence[Sequence[DetectedLine]]) -> list[DetectedLine]:
    """Return the lines of the scale with most of them, and those of others that do not overlap them."""
    lines: list[DetectedLine] = []
    for more in sorted(found, key=_measure_length, reverse=True):
        lines += [line for line in more if not any(overlaps(line, other) for other in lines)]
    return lines


def _measure_length(lines: Sequence[DetectedLine]) -> float:
    """Return the length of lines in px, weighted by their confidence where it is known."""
    return sum((line.right - line.left) * (1.0 if line.confidence is None else line.confidence) for line in lines)
