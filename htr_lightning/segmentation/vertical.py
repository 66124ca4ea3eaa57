"""Pages of vertical lines, such as Chinese and Japanese ones: columns that follow each other from the right."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.turn import turn_upright
from htr_lightning.segmentation.grouping import from_turned
from htr_lightning.segmentation.page import DetectedPage, PageSegmenter
from htr_lightning.segmentation.regions import DetectedLine

_TURNS = 1  # quarter turns clockwise of a line from left to right that runs from top to bottom


@dataclass(frozen=True, slots=True)
class VerticalSegmenter:
    """Finds vertical lines: the page is turned, so that they run from left to right, the rightmost at the top.

    Args:
        segmenter: finds lines from left to right. A network must have learned lines of characters that lie on their
            side (``+loader.synthetic.num_vertical``).
    """

    segmenter: PageSegmenter

    def find(self, image: NDArray[np.uint8]) -> DetectedPage:
        """Find regions and lines; whether the page lies upside down, or is a double page, is not known."""
        height, width = image.shape[:2]
        found = self.segmenter.find(turn_upright(image, _TURNS))
        return DetectedPage(
            [
                replace(region, half=None, lines=tuple(_turn_back(line, width, height) for line in region.lines))
                for region in found.regions
            ]
        )


def _turn_back(line: DetectedLine, width: float, height: float) -> DetectedLine:
    """Return a line of the turned page on the page as it is; one that runs from left to right there is vertical."""
    turned = from_turned(line, _TURNS, width, height)
    if line.orientation == 0:
        return replace(turned, vertical="top-to-bottom")
    return replace(turned, orientation=(line.orientation + _TURNS) % 4)
