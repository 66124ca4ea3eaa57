"""Skew and slant of a line: estimation and correction.

All functions take and return ``(H, W)`` gray ``uint8`` images, paper 255, ink dark. Rotation and shear lose no pixels:
the canvas grows, and is then trimmed until the margins around the ink are those of the input. A given `Transform`
records these operations.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.levels import compute_ink_mask
from htr_lightning.image.transform import Transform

_MAX_SKEW_DEGREES = 10.0
_MAX_SLANT_DEGREES = 45.0
_SLANT_HEIGHT_PX = 48  # the slant is estimated at this height, where strokes are still 1 to 3 px wide


def estimate_skew(image: NDArray[np.uint8], ink: NDArray[np.uint8] | None = None) -> float:
    """Estimate the skew of a line: -10 to 10 degrees, positive if it runs downhill; 0 without ink.

    It is the angle whose projection profile has the largest sum of squares (after Postl 1986), searched in steps of 1
    and then 0.1 degrees. Ruling lines contribute too, where there are some.

    Args:
        image: the line.
        ink: its mask (`compute_ink_mask`), if known.
    """
    ink = compute_ink_mask(image) if ink is None else ink
    runs = _InkRuns(np.asarray(cv2.transpose(ink), np.uint8))
    if runs.extent < image.shape[0] // 2:  # too short to have a direction
        return 0.0
    coarse = runs.find_best_shear(np.arange(-_MAX_SKEW_DEGREES, _MAX_SKEW_DEGREES + 0.5, 1.0))
    return runs.find_best_shear(coarse + np.arange(-0.9, 0.95, 0.1))


class _InkRuns:
    """The run-length encoded rows of an ink mask.

    Args:
        mask: ``(R, C)`` uint8, 1 for ink.

    Attributes:
        extent: number of rows from the first with ink to the last, minus 1; -1 without ink.
    """

    def __init__(self, mask: NDArray[np.uint8]) -> None:
        num_rows, num_columns = mask.shape
        ink_per_row = np.asarray(cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S))[:, 0].astype(np.int64)
        inked = np.flatnonzero(ink_per_row)
        self.extent = int(inked[-1] - inked[0]) if len(inked) else -1
        self.num_columns = num_columns
        # A column of paper at the right separates the last run of a row from the first of the next.
        flat = np.zeros(num_rows * (num_columns + 1) + 1, np.bool_)
        flat[1:].reshape(num_rows, num_columns + 1)[:, :num_columns] = mask
        edges = np.flatnonzero(flat[1:] != flat[:-1])  # starts and ends (exclusive) of runs, in turn
        rows = edges // (num_columns + 1)
        columns = edges - rows * (num_columns + 1)
        self._rows, self._starts, self._ends = rows[::2].copy(), columns[::2].copy(), columns[1::2].copy()
        self._offsets = np.arange(num_rows) - (ink_per_row @ np.arange(num_rows)) / max(1, ink_per_row.sum())

    def find_best_shear(self, angles: NDArray[np.floating]) -> float:
        """Return the angle whose shear gives the projection profile with the largest sum of squares.

        The shear by an angle moves a pixel to column ``column - tan(angle) (row - mean row)``; the profile counts the
        ink in each column.

        Args:
            angles: candidates, in degrees.
        """
        angles = angles[np.argsort(np.abs(angles), kind="stable")]  # of equal scores the smallest angle wins
        shifts = (-np.tan(np.radians(angles))[:, None] * self._offsets).round().astype(np.int64)  # (A, R)
        shifts -= shifts.min()
        num_bins = self.num_columns + 1 + int(shifts.max())
        shifts += np.arange(len(angles))[:, None] * num_bins
        shifts = np.take(shifts, self._rows, 1)
        starts, ends = (
            np.bincount((shifts + columns).ravel(), minlength=len(angles) * num_bins)
            for columns in (self._starts, self._ends)
        )
        profiles = np.cumsum((starts - ends).reshape(len(angles), num_bins), 1)
        return float(angles[int(np.argmax(np.einsum("ij,ij->i", profiles, profiles)))])


def deskew(
    image: NDArray[np.uint8], transform: Transform | None = None, histogram: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """Rotate a line so that it runs horizontally (see `estimate_skew`).

    Args:
        image: the line.
        transform: records the rotation.
        histogram: of the line (`htr_lightning.image.levels.compute_histogram`), if known.
    """
    ink = compute_ink_mask(image, histogram)
    angle = estimate_skew(image, ink)
    if abs(angle) < 0.1:
        return image
    return rotate(image, -angle, transform, ink)


def rotate(
    image: NDArray[np.uint8], degrees: float, transform: Transform | None = None, ink: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Rotate the image clockwise about its center, on a canvas that contains all of it, then trim the canvas.

    Args:
        image: the line.
        degrees: angle.
        transform: records the rotation.
        ink: mask of the line (`compute_ink_mask`), if known.
    """
    height, width = image.shape
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    size = (
        math.ceil(width * cos + height * abs(sin)),
        math.ceil(height * cos + width * abs(sin)),
    )
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    matrix[:, 2] = np.array(size) / 2 - 0.5 - matrix[:, :2] @ (np.array([width, height]) / 2 - 0.5)
    return _warp(image, matrix, size, transform, ink)


def estimate_slant(image: NDArray[np.uint8]) -> float:
    """Estimate the slant of a line: -45 to 45 degrees, positive if strokes lean to the right; 0 without ink.

    It is the shear whose vertical projection profile has the largest sum of squares: upright strokes fill few columns
    (Pastor, Toselli and Vidal 2004, "Projection profile based algorithm for slant removal"). Searched in steps of 5
    and then 1 degree. Ruling lines do not disturb it, as they add the same to every column, while they spoil the
    count of unbroken strokes of Vinciarelli and Luettin 2001.
    """
    if image.shape[0] > _SLANT_HEIGHT_PX:
        width = max(1, round(image.shape[1] * _SLANT_HEIGHT_PX / image.shape[0]))
        size = (width, _SLANT_HEIGHT_PX)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    runs = _InkRuns(compute_ink_mask(image))
    if runs.extent < 0:
        return 0.0
    coarse = -runs.find_best_shear(-np.arange(-_MAX_SLANT_DEGREES, _MAX_SLANT_DEGREES + 1, 5.0))
    return -runs.find_best_shear(-np.clip(coarse + np.arange(-4.0, 5.0), -_MAX_SLANT_DEGREES, _MAX_SLANT_DEGREES))


def deslant(image: NDArray[np.uint8], transform: Transform | None = None) -> NDArray[np.uint8]:
    """Shear a line so that its strokes are upright (see `estimate_slant`); a transform records the shear."""
    angle = estimate_slant(image)
    if abs(angle) < 1:
        return image
    return shear(image, -angle, transform)


def shear(image: NDArray[np.uint8], degrees: float, transform: Transform | None = None) -> NDArray[np.uint8]:
    """Shear the image to the right by an angle, on a canvas that contains all of it, then trim the canvas."""
    height, width = image.shape
    tangent = math.tan(math.radians(degrees))
    growth = abs(tangent) * (height - 1)
    matrix = np.array([[1.0, -tangent, max(0.0, tangent) * (height - 1)], [0.0, 1.0, 0.0]])
    return _warp(image, matrix, (width + math.ceil(growth), height), transform, None)


def _warp(
    image: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    transform: Transform | None,
    ink: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=255)
    if transform is not None:
        transform.record_warp(matrix)
    return _trim(np.asarray(warped, np.uint8), compute_ink_mask(image) if ink is None else ink, transform)


def _trim(image: NDArray[np.uint8], before: NDArray[np.uint8], transform: Transform | None) -> NDArray[np.uint8]:
    """Trim the margins on every side to those around the ink of the original, but never into the ink.

    Args:
        image: the warped line.
        before: ink mask of the original.
        transform: records the crop.
    """
    height, width = before.shape
    (old_x, old_y, old_width, old_height), (x, y, ink_width, ink_height) = (
        cv2.boundingRect(mask) for mask in (before, compute_ink_mask(image))
    )
    if not (old_width and ink_width):
        return image
    left, top = max(0, x - old_x), max(0, y - old_y)
    right = x + ink_width + width - (old_x + old_width)
    bottom = y + ink_height + height - (old_y + old_height)
    if transform is not None:
        transform.record_crop(left, top)
    return np.ascontiguousarray(image[top:bottom, left:right])
