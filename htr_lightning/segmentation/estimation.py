"""Estimates of the letter height, the slope and the spacing of text lines from the ink of a page."""

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.binarization import Mask

Floats = NDArray[np.float32]

MAX_SPACING_PER_LETTER = 2.6
"""The largest plausible line spacing, in letter heights."""


def estimate_letter_height(ink: Mask) -> float | None:
    """Return the median height of connected components in px, weighted by width; None if there are fewer than three."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    width, height, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
    is_letter = (area > 8) & (height > 3) & (height < min(ink.shape) / 6) & (width < ink.shape[1] / 4)
    if is_letter.sum() < 3:
        return None
    order = np.argsort(height[is_letter])
    weight = np.cumsum(width[is_letter][order])
    return float(height[is_letter][order][np.searchsorted(weight, weight[-1] / 2)])


def estimate_slope(ink: Mask) -> float:
    """Return the slope of text lines, dy / dx: the shear with the sharpest projection profile, in half degrees."""
    quarter = cv2.resize(ink.astype(np.float32), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = np.asarray(quarter, np.float32)
    candidates = np.arange(-8, 8.1, 0.5).tolist()
    best = max(candidates, key=lambda degrees: _measure_sharpness(shear_columns(small, degrees)))
    return float(np.tan(np.radians(best)))


def estimate_line_spacing(ink: Mask) -> float | None:
    """Return the line spacing in px: the period of the projection profiles of vertical strips; None without one.

    The page is first sheared to the angle with the sharpest projection profile; the period is the first strong peak
    of the summed autocorrelations.
    """
    height, width = ink.shape
    image = ink.astype(np.float32)
    sheared = max((shear_columns(image, degrees) for degrees in (-6.0, -3.0, 0.0, 3.0, 6.0)), key=_measure_sharpness)
    total = np.zeros(height)
    for strip in np.array_split(sheared, max(1, width // 200), axis=1):
        profile = _smooth_profile(strip.sum(1))
        profile = profile - cv2.blur(profile[:, None], (1, 101))[:, 0]
        spectrum = np.fft.rfft(profile, 2 * height)
        total += np.fft.irfft(spectrum * spectrum.conj())[:height]
    correlation = total[10 : height // 4]
    rises, falls = correlation[1:-1] >= correlation[:-2], correlation[1:-1] > correlation[2:]
    peaks = np.flatnonzero(rises & falls) + 1
    troughs = np.flatnonzero(~rises & ~falls) + 1
    peaks = peaks[peaks > troughs[0]] if len(troughs) else peaks
    peaks = peaks[correlation[peaks] > 0]
    if not len(peaks):
        return None
    first = peaks[correlation[peaks] >= 0.5 * correlation[peaks].max()][0]
    return float(first + 10)


def shear_columns(image: Floats, degrees: float) -> Floats:
    """Shift columns vertically, so that lines that fall by an angle become horizontal."""
    height, width = image.shape
    slope = np.tan(np.radians(degrees))
    matrix = np.array([[1, 0, 0], [-slope, 1, slope * width / 2]])
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR), np.float32)


def _smooth_profile(profile: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(profile[:, None], (1, 0), sigmaX=1, sigmaY=2)[:, 0], np.float32)


def _measure_sharpness(image: Floats) -> float:
    """Return the sum of squared differences of the horizontal projection profile."""
    return float(np.square(np.diff(_smooth_profile(image.sum(1)))).sum())
