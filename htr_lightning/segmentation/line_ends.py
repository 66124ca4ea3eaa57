"""The ends of lines, found by their ink."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.preprocess import to_gray
from htr_lightning.image.straighten import Points
from htr_lightning.segmentation.binarization import Mask, binarize_page
from htr_lightning.segmentation.regions import DetectedLine
from htr_lightning.segmentation.ruling import remove_ruling

_WORKING_PX = 1_000_000  # number of pixels that pages are scaled down to
_MARGIN = 0.25  # beyond the ink of a line, relative to its height


def trim_lines(lines: Sequence[DetectedLine], image: NDArray[np.uint8]) -> list[DetectedLine]:
    """Return lines from left to right that reach no farther than their ink; one without ink stays as it is.

    Args:
        lines: in px of the page.
        image: ``(H, W)`` gray or ``(H, W, 3)`` RGB.
    """
    if not lines:
        return []
    gray = to_gray(image, "luminance")
    scale = min(1.0, float(np.sqrt(_WORKING_PX / gray.size)))
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    ink = remove_ruling(*binarize_page(small))
    return [_trim_line(line, ink, scale) for line in lines]


def _trim_line(line: DetectedLine, ink: Mask, scale: float) -> DetectedLine:
    inside = np.zeros(ink.shape, np.uint8)
    cv2.fillPoly(inside, [np.round(line.polygon * scale).astype(np.int32)], 1)
    columns = np.flatnonzero((inside & ink).any(0))
    if not len(columns):
        return line
    margin = _MARGIN * float(np.ptp(line.polygon[:, 1]))
    low, high = columns[0] / scale - margin, (columns[-1] + 1) / scale + margin

    def clip(points: Points) -> Points:
        return np.stack([points[:, 0].clip(low, high), points[:, 1]], 1).astype(np.float32)

    xs = np.unique(clip(line.baseline)[:, 0])
    baseline = np.array([(x, line.y_at(float(x))) for x in xs], np.float32)
    return replace(line, baseline=baseline, polygon=clip(line.polygon)) if len(xs) > 1 else line
