"""Binarization of page images: ink is separated from paper, stains and dark borders."""

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.levels import compute_histogram, is_light_on_dark

Mask = NDArray[np.uint8]
"""``(H, W)`` uint8, 1 for foreground."""
Gray = NDArray[np.uint8]

_STAIN_FRACTION = 1 / 40  # of the page's shorter side: wider dark areas are stains, not strokes
_MIN_THRESHOLD, _MAX_THRESHOLD = 20, 90  # gray levels below the paper at which ink begins
_NOISE_LEVELS = 12  # gray levels below the paper that are still paper
_BORDER_STROKE_FRACTION = 1 / 60  # of the page's shorter side: strokes are narrower, the border around a sheet is wider
_MIN_BORDER_AREA = 0.004  # of the page
_MIN_BORDER_CONTRAST = 40  # gray levels within a few px of the sheet's edge


def binarize_page(gray: Gray) -> tuple[Mask, Gray]:
    """Separate the ink of a page from its paper.

    Args:
        gray: ``(H, W)``; the line spacing should be 25 to 100 px.

    Returns:
        The mask of the ink, ruling lines included; and the darkness of each pixel, 0 for paper, 255 for black.
    """
    border = find_dark_border(gray)
    if is_light_on_dark(compute_histogram(gray[border == 0][None] if border.any() else gray)):
        gray = np.bitwise_not(gray)
    darkness = np.bitwise_not(flatten_page_background(gray)) * (1 - border)
    return (darkness > _compute_threshold(darkness)).astype(np.uint8), darkness


def find_dark_border(gray: Gray) -> Mask:
    """Return where a page ``(H, W)`` shows the dark scanner bed or table around the sheet.

    That is a large dark component at the edge of the image, with a sharp edge to the sheet.
    """
    quarter = cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    height, width = quarter.shape
    size = max(5, int(min(quarter.shape) * _BORDER_STROKE_FRACTION) | 1)
    small, large = np.ones((size, size), np.uint8), np.ones((3 * size, 3 * size), np.uint8)
    plain = cv2.morphologyEx(quarter, cv2.MORPH_CLOSE, small)  # removes dark strokes
    plain = cv2.morphologyEx(plain, cv2.MORPH_OPEN, large)  # removes light strokes
    level, _ = cv2.threshold(plain, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = (plain <= level).astype(np.uint8)
    gradient = cv2.morphologyEx(plain, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    num_labels, labels, stats, _ = cv2.connectedComponentsWithStats(dark)
    border = np.zeros_like(dark)
    for label in range(1, num_labels):
        x, y, across, down, area = stats[label].tolist()
        at_edge = x == 0 or y == 0 or x + across == width or y + down == height
        if area < _MIN_BORDER_AREA * dark.size or not at_edge:
            continue
        component = (labels == label).astype(np.uint8)
        contour = cv2.dilate(component, np.ones((3, 3), np.uint8)) > component
        if contour.any() and np.median(gradient[contour]) >= _MIN_BORDER_CONTRAST:
            border |= component
    if not border.any() or border.all():
        return np.zeros_like(gray)
    wider = cv2.dilate(border, np.ones((2 * size + 1, 2 * size + 1), np.uint8))
    return np.asarray(cv2.resize(wider, gray.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def flatten_page_background(gray: Gray) -> Gray:
    """Divide a page by its estimated paper, so that shadows, folds and stains become 255.

    The paper is estimated at a quarter of the resolution, by a closing that fills everything narrower than
    `_STAIN_FRACTION` of the page.
    """
    quarter = cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    size = max(9, int(min(quarter.shape) * _STAIN_FRACTION) | 1)
    kernel = np.ones((size, size), np.uint8)
    coarse = cv2.blur(cv2.morphologyEx(cv2.medianBlur(quarter, 3), cv2.MORPH_CLOSE, kernel), (size, size))
    paper = cv2.resize(coarse, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(gray, paper, scale=255), np.uint8)


def _compute_threshold(darkness: Gray) -> float:
    """Return the threshold between paper and ink: a little below Otsu's for all pixels that are not paper."""
    foreground = darkness[darkness > _NOISE_LEVELS]
    if len(foreground) < 100:
        return _MAX_THRESHOLD
    level, _ = cv2.threshold(foreground.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(np.clip(0.8 * level, _MIN_THRESHOLD, _MAX_THRESHOLD))
