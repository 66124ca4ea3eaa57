"""Segmentation by a line finder: a network predicts maps of the page, from which lines are followed and grouped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import Direction
from htr_lightning.image.page_pixels import PagePreprocess, pad_page
from htr_lightning.image.turn import turn_upright
from htr_lightning.segmentation.follower import LineFollower
from htr_lightning.segmentation.grouping import from_turned, group_page
from htr_lightning.segmentation.maps import ORIENTATION_STRIDE, SIZE_STEP, MapPredictor, PageMaps, build_maps
from htr_lightning.segmentation.page import DetectedPage
from htr_lightning.segmentation.regions import DetectedLine
from htr_lightning.segmentation.ruling import find_vertical_rules
from htr_lightning.segmentation.tables import MIN_TABLE_LINES

_MIN_SIZE_PX = 16  # smaller pages have no lines
_SMALL_PX, _LARGE_PX, _USUAL_PX = 16.0, 130.0, 26.0  # heights of lines in px of the network's input
_MAX_ZOOM, _MIN_ZOOM = 2.0, 0.4
_MIN_TURNED = 0.015  # fraction of the writing that is turned, from which on turned lines are searched
_MIN_TURNED_AREA = 12.0  # the same, in pixels of the map of orientations
_MIN_SUPPORT = 0.45  # mean probability of its orientation on a turned line
_PAGE_TURNED = 0.75  # fraction of the writing from which on the whole page is turned


@dataclass(frozen=True, slots=True)
class LineFinderSegmenter:
    """Finds the regions and lines of pages by a network.

    Args:
        predict: the network.
        preprocess: of the pages.
        follower: turns maps into lines.
        min_line_confidence: lines with a lower confidence are dropped; 0 to keep all that the follower returns.
        direction: of writing, for the reading order.
    """

    predict: MapPredictor
    preprocess: PagePreprocess
    follower: LineFollower
    min_line_confidence: float = 0.0
    direction: Direction = "ltr"

    def find(self, image: NDArray[np.uint8]) -> DetectedPage:
        """Find regions and lines; writing that is turned or upside down is found as such.

        Args:
            image: ``(H, W)`` gray or ``(H, W, 3)`` RGB.
        """
        if min(image.shape[:2]) < _MIN_SIZE_PX:
            return DetectedPage((), 0)
        maps, lines, zoom = self.find_upright(image)
        fractions = maps.measure_orientations()
        area = float(maps.orientations[1:].sum())
        for turns in (1, 2, 3):
            if fractions[turns] >= _MIN_TURNED and fractions[turns] * area >= _MIN_TURNED_AREA:
                lines += self._find_turned(image, turns, zoom, lines)
        lines = [line for line in lines if (line.confidence or 0.0) >= self.min_line_confidence]
        most = int(np.argmax(fractions))
        orientation = most if most and fractions[most] >= _PAGE_TURNED else 0
        rules = find_vertical_rules(image) if len(lines) >= MIN_TABLE_LINES else []
        return replace(
            group_page(lines, image.shape[1], image.shape[0], rules, self.direction), orientation=orientation
        )

    def find_upright(self, image: NDArray[np.uint8]) -> tuple[PageMaps, list[DetectedLine], float]:
        """Find upright lines; small writing is enlarged, and very large writing scaled down.

        Returns:
            The maps, the lines, and how many times larger than usual the page is.
        """
        maps = self.predict_maps(image, 1.0)
        lines = self.follower(maps)
        height = _measure_height(lines) * maps.scale * 2
        zoom = 1.0
        if lines and height < _SMALL_PX:
            zoom = min(_MAX_ZOOM, _USUAL_PX / height)
        elif lines and height > _LARGE_PX:
            zoom = max(_MIN_ZOOM, _LARGE_PX / 2 / height)
        if zoom != 1.0:
            maps = self.predict_maps(image, zoom)
            lines = self.follower(maps)
        return maps, [line for line in lines if _measure_support(line, maps, 0) is not False], zoom

    def _find_turned(
        self, image: NDArray[np.uint8], turns: int, zoom: float, others: Sequence[DetectedLine]
    ) -> list[DetectedLine]:
        """Find the lines of writing that was turned clockwise by some quarter turns."""
        height, width = image.shape[:2]
        maps = self.predict_maps(turn_upright(image, turns), zoom)
        lines = []
        for line in self.follower(maps):
            if _measure_support(line, maps, 0) is False:
                continue
            turned = from_turned(line, turns, width, height)
            if not any(overlaps(turned, other) for other in others):
                lines.append(turned)
        return lines

    def predict_maps(self, image: NDArray[np.uint8], zoom: float) -> PageMaps:
        """Predict the maps of a page, scaled to so many times the usual size."""
        pixels, scale = self.preprocess(image, zoom)
        maps, orientations = self.predict(pad_page(pixels, SIZE_STEP))
        return build_maps(maps, orientations, scale)


def _measure_height(lines: Sequence[DetectedLine]) -> float:
    """Return the median height of lines in px of the page; 0 without lines."""
    heights = [_measure_area(line) / max(1.0, float(np.ptp(line.baseline[:, 0]))) for line in lines]
    return float(np.median(heights)) if heights else 0.0


def _measure_area(line: DetectedLine) -> float:
    return float(cv2.contourArea(line.polygon))


def _measure_support(line: DetectedLine, maps: PageMaps, orientation: int) -> bool | None:
    """Return whether the writing within a line has an orientation; None if that is undecided.

    Args:
        line: in px of the page.
        maps: of the page.
        orientation: 0 to 3.
    """
    scale = maps.scale * 2 / ORIENTATION_STRIDE
    points = np.round(line.polygon * scale).astype(np.int32)
    left, top = points.min(0)
    right, bottom = points.max(0) + 1
    height, width = maps.orientations.shape[1:]
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return None
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [points], 1)
    values = maps.orientations[1:, mask > 0]
    if not values.size:
        return None
    means = values.mean(1)
    if means[orientation] >= _MIN_SUPPORT:
        return True
    return False if int(means.argmax()) != orientation and means.max() >= _MIN_SUPPORT else None


def overlaps(line: DetectedLine, other: DetectedLine) -> bool:
    """Whether the middle of a line is within another one, or the other way round."""
    return any(
        cv2.pointPolygonTest(b.polygon[:, None], tuple(map(float, a.polygon.mean(0))), False) >= 0
        for a, b in ((line, other), (other, line))
    )
