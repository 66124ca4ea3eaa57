"""What segmentation finds on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.regions import DetectedRegion

PageDirection = Literal["ltr", "rtl", "ttb", "ttb-lr"]
"""Direction of writing on pages: of lines from left to right, from right to left, or from top to bottom, the first
line at the right or (``ttb-lr``) at the left."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectedPage:
    """Regions and lines of a page.

    Attributes:
        regions: in reading order.
        orientation: quarter turns clockwise by which the page as a whole is turned, 0 if it is upright; None if that is
            not known.
        gutter: x of the gutter of a double page in px; None for a single page.
    """

    regions: Sequence[DetectedRegion]
    orientation: int | None = None
    gutter: float | None = None


class PageSegmenter(Protocol):
    """Finds the regions and lines of pages."""

    def find(self, image: NDArray[np.uint8]) -> DetectedPage:
        """Find the regions and lines of a page ``(H, W)`` gray or ``(H, W, 3)`` RGB."""
        ...
