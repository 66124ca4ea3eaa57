"""Test-time augmentation: a line is recognized in several views of different widths."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.transform import Transform


@dataclass(frozen=True, slots=True)
class View:
    """A horizontal scaling of a preprocessed line.

    Attributes:
        width: factor of its width; the height does not change.
    """

    width: float = 1.0

    def __call__(self, line: NDArray[np.uint8], transform: Transform) -> NDArray[np.uint8]:
        """Return the scaled line, ``(H, W)`` -> ``(H, W')``, and record the scaling in a transform."""
        if self.width == 1:
            return line
        height, width = line.shape
        new_width = max(2, round(self.width * width))
        transform.record_resize((height, width), (height, new_width))
        interpolation = cv2.INTER_AREA if new_width < width else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(line, (new_width, height), interpolation=interpolation), np.uint8)


SINGLE_VIEW = (View(),)
TTA_VIEWS = (View(), View(0.75), View(1.3))
"""Chosen in experiments/tta."""


def get_views(tta: bool) -> tuple[View, ...]:
    """Return the views of each line: with test-time augmentation, or without."""
    return TTA_VIEWS if tta else SINGLE_VIEW
