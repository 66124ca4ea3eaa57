"""Gray levels of line images: histograms, contrast, background, noise and binarization.

Images are ``(H, W)`` gray ``uint8``; histograms are ``(256,)`` counts (`compute_histogram`).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_CONTRAST = 48
"""Least difference between the gray levels of paper and ink; a smaller one is texture or noise of a blank sheet."""


def compute_histogram(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the pixels of each of the 256 gray levels, ``(256,)``."""
    histogram = cv2.calcHist([image], [0], None, [256], [0, 256]).reshape(-1)  # (256, 1) before OpenCV 5
    return histogram.astype(np.int64)


def compute_ink_mask(image: NDArray[np.uint8], histogram: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
    """Separate ink from paper at Otsu's threshold (Otsu 1979).

    Args:
        image: the line.
        histogram: of the line (`compute_histogram`), if known; computing it takes most of the time.

    Returns:
        ``(H, W)`` ``uint8``: 1 for ink, 0 for paper; all 0 if the means of the two classes differ by less than
        `MIN_CONTRAST`, as on a blank sheet.
    """
    histogram = compute_histogram(image) if histogram is None else histogram
    # For each level as the threshold: numbers of pixels up to it and above it, and the sums of their levels.
    num_ink, ink = np.cumsum(histogram), np.cumsum(histogram * np.arange(256))
    num_paper, paper = num_ink[-1] - num_ink, ink[-1] - ink
    contrast = paper / np.maximum(num_paper, 1) - ink / np.maximum(num_ink, 1)
    level = int(np.argmax(num_ink * num_paper * np.square(contrast)))
    if not num_ink[level] or not num_paper[level] or contrast[level] < MIN_CONTRAST:
        return np.zeros_like(image)
    return np.asarray(cv2.threshold(image, level, 1, cv2.THRESH_BINARY_INV)[1], np.uint8)


def compute_percentiles(histogram: NDArray[np.int64], *percents: float) -> list[int]:
    """Return, for each percentage, the lowest gray level that at least so many of the pixels do not exceed."""
    cumulated = np.cumsum(histogram, dtype=np.float64)
    return [int(np.searchsorted(cumulated, cumulated[-1] * p / 100)) for p in percents]


def is_light_on_dark(histogram: NDArray[np.int64]) -> bool:
    """Return whether the ink is lighter than the background, as on a negative or a blackboard.

    That is, the background (the median) is dark, and the gray levels extend further above it than below it.
    """
    low, background, high = compute_percentiles(histogram, 1, 50, 99)
    return background < 128 and high - background > background - low


def flatten_background(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Divide by the estimated paper: removes shading, folds and stains wider than about a third of the line's height.

    The paper is estimated by a gray-scale closing, which fills everything narrower than its window and darker than
    its surroundings (handwriting, ruling lines), smoothed by a box filter of the same size.
    """
    window = max(5, image.shape[0] // 3 | 1)
    kernel = np.ones((window, window), np.uint8)
    # The median first, or the closing would follow the brightest speck in every window.
    paper = cv2.morphologyEx(cv2.medianBlur(image, 3), cv2.MORPH_CLOSE, kernel)
    paper = cv2.blur(paper, (window, window))
    return np.asarray(cv2.divide(image, paper, scale=255), np.uint8)


def stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Map paper and everything lighter to 255 and the ink level to 0, so that pencil and pen look alike.

    The paper level is the median, minus its own noise (twice the distance to the 90th percentile, 4 to 16 levels); the
    ink level is the 1st percentile, but at least `MIN_CONTRAST` below the paper level, so that a blank sheet stays
    blank.
    """
    return apply_lut(image, build_contrast_lut(compute_histogram(image)))


def build_contrast_lut(histogram: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Build the lookup table ``(256,)`` of `stretch_contrast`."""
    ink, paper, bright = compute_percentiles(histogram, 1, 50, 90)
    high = paper - min(max(2 * (bright - paper), 4), 16)
    return _build_linear_lut(min(ink, high - MIN_CONTRAST), high)


def build_paper_lut(histogram: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Build the lookup table ``(256,)`` that scales the median, which is paper, to 255 and keeps all ratios."""
    (paper,) = compute_percentiles(histogram, 50)
    return _build_linear_lut(0, max(paper, 1))


def _build_linear_lut(low: int, high: int) -> NDArray[np.uint8]:
    """Build the lookup table ``(256,)`` that maps ``low`` to 0 and ``high`` to 255, and clips beyond them."""
    levels = (np.arange(256) - low) * (255 / (high - low))
    return levels.round().clip(0, 255).astype(np.uint8)


def apply_lut(image: NDArray[np.uint8], lut: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace each gray level by its value in a lookup table ``(256,)``."""
    return np.asarray(cv2.LUT(image, lut), np.uint8)


def denoise_median(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Apply a median filter of 3 x 3 px, which removes specks of one or two pixels."""
    return np.asarray(cv2.medianBlur(image, 3), np.uint8)


def denoise_bilateral(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Smooth grain and JPEG noise of up to about 30 levels, and keep the edges of strokes (Tomasi 1998)."""
    return np.asarray(cv2.bilateralFilter(image, d=5, sigmaColor=30, sigmaSpace=2), np.uint8)


def binarize_otsu(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Binarize (ink 0, paper 255) at one threshold for the whole line (Otsu 1979); a blank sheet stays blank."""
    return (1 - compute_ink_mask(image)) * np.uint8(255)


def binarize_sauvola(image: NDArray[np.uint8], k: float = 0.2) -> NDArray[np.uint8]:
    """Binarize (ink 0, paper 255) at a local threshold.

    Sauvola and Pietikäinen 2000, "Adaptive document image binarization": ``t = m (1 + k (s / 128 - 1))`` with mean
    ``m`` and standard deviation ``s`` of a square window, here a third of the line's height. The 128 assumes that the
    gray levels span 0 to 255, so they are stretched first, but by at most a factor of 255 / 96, or the noise of a
    blank sheet would become ink.
    """
    low, high = compute_percentiles(compute_histogram(image), 1, 99)
    image = apply_lut(image, _build_linear_lut(min(low, high - 96), high))
    window = max(15, image.shape[0] // 3 | 1)
    gray = image.astype(np.float32)
    mean = cv2.boxFilter(gray, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REPLICATE)
    square = cv2.sqrBoxFilter(gray, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REPLICATE)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    threshold = mean * (1 + k * (deviation / 128 - 1))
    return np.where(gray > threshold, np.uint8(255), np.uint8(0))
