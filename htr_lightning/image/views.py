"""A line looked at in other ways: test-time augmentation."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.transform import Transform


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at a preprocessed line.

    Attributes:
        width: factor of its width; its height stays.
    """

    width: float = 1.0

    def __call__(self, line: NDArray[np.uint8], transform: Transform) -> NDArray[np.uint8]:
        """Return the line so seen, ``(H, W)`` -> ``(H, W')``; a transform follows it."""
        if self.width == 1:
            return line
        height, width = line.shape
        seen = max(2, round(self.width * width))
        transform.scaled((height, width), (height, seen))
        smaller = seen < width
        resized = cv2.resize(line, (seen, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8)


SINGLE_VIEW = (View(),)
TTA_VIEWS = (View(), View(0.75), View(1.3))
"""Chosen in experiments/tta."""


def get_views(tta: bool) -> tuple[View, ...]:
    """Return how lines are looked at by a careful reader, and by one in a hurry."""
    return TTA_VIEWS if tta else SINGLE_VIEW
