"""Geometry of a line: how far it climbs (skew) and leans (slant), and how to set it straight.

All functions take and return ``(H, W)`` gray ``uint8`` images, paper 255, ink dark. Rotation and shear cut
nothing off: the canvas grows, and is then trimmed until the margins around the ink are those of the input. They
are added to a `Transform`, where one is given.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.transform import Transform

MIN_CONTRAST = 48
"""Gray levels between paper and ink; a smaller difference is texture or noise of a blank sheet."""

_MAX_SKEW_DEGREES = 10.0
_MAX_SLANT_DEGREES = 45.0
_SCORE_HEIGHT_PX = 48  # slant is scored at this height: strokes are still 1 to 3 px wide


def count_levels(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many pixels have each of the 256 gray levels."""
    counts = cv2.calcHist([image], [0], None, [256], [0, 256]).reshape(-1)  # (256, 1) before OpenCV 5
    return counts.astype(np.int64)


def ink_mask(image: NDArray[np.uint8], counts: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
    """Separate ink from paper at Otsu's threshold (Otsu 1979).

    Args:
        image: the line.
        counts: its `count_levels`, where they are known; counting is most of the work.

    Returns:
        ``(H, W)`` ``uint8``: 1 for ink, 0 for paper; all 0 where the two classes differ by less than
        `MIN_CONTRAST` on average, as on a blank sheet.
    """
    counts = count_levels(image) if counts is None else counts
    # Of each level as the threshold: pixels up to it and above it, and the sums of their levels.
    num_ink, ink = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    num_paper, paper = num_ink[-1] - num_ink, ink[-1] - ink
    apart = paper / np.maximum(num_paper, 1) - ink / np.maximum(num_ink, 1)
    level = int(np.argmax(num_ink * num_paper * np.square(apart)))
    if not num_ink[level] or not num_paper[level] or apart[level] < MIN_CONTRAST:
        return np.zeros_like(image)
    return np.asarray(cv2.threshold(image, level, 1, cv2.THRESH_BINARY_INV)[1], np.uint8)


def skew_degrees(image: NDArray[np.uint8], ink: NDArray[np.uint8] | None = None) -> float:
    """Angle by which the line runs downhill, -10 to 10 degrees; 0 without ink.

    The angle along which the ink's projection is most uneven (after Postl 1986), searched in steps of 1 and
    then 0.1 degrees. Ruled lines, where there are some, count as well.

    Args:
        image: the line.
        ink: its `ink_mask`, where it is known.
    """
    ink = ink_mask(image) if ink is None else ink
    strokes = _Strokes(np.asarray(cv2.transpose(ink), np.uint8))
    if strokes.reach < image.shape[0] // 2:  # too short to have a direction
        return 0.0
    coarse = strokes.most_uneven(np.arange(-_MAX_SKEW_DEGREES, _MAX_SKEW_DEGREES + 0.5, 1.0))
    return strokes.most_uneven(coarse + np.arange(-0.9, 0.95, 0.1))


class _Strokes:
    """The ink of an image, cut into runs along its rows.

    Args:
        mask: ``(R, C)`` uint8, 1 for ink.

    Attributes:
        reach: rows from the first with ink to the last, less 1; -1 without ink.
    """

    def __init__(self, mask: NDArray[np.uint8]) -> None:
        num_rows, num_columns = mask.shape
        of_rows = np.asarray(cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S))[:, 0].astype(np.int64)
        inked = np.flatnonzero(of_rows)
        self.reach = int(inked[-1] - inked[0]) if len(inked) else -1
        self.num_columns = num_columns
        # A column of paper at the right parts the last run of a row from the first of the next.
        flat = np.zeros(num_rows * (num_columns + 1) + 1, np.bool_)
        flat[1:].reshape(num_rows, num_columns + 1)[:, :num_columns] = mask
        edges = np.flatnonzero(flat[1:] != flat[:-1])
        self._rows, self._columns = np.divmod(edges, num_columns + 1)  # where runs begin and, in turn, have ended
        self._offsets = np.arange(num_rows) - (of_rows @ np.arange(num_rows)) / max(1, of_rows.sum())

    def most_uneven(self, angles: NDArray[np.floating]) -> float:
        """Angle whose shear ``column - tan(angle) (row - mean row)`` gathers the ink in the fewest, fullest bins."""
        angles = angles[np.argsort(np.abs(angles), kind="stable")]  # of equal scores the smallest angle wins
        shifts = (-np.tan(np.radians(angles))[:, None] * self._offsets).round().astype(np.int64)  # (A, R)
        shifts -= shifts.min()
        num_bins = self.num_columns + 1 + int(shifts.max())
        shifts += np.arange(len(angles))[:, None] * num_bins
        bins = np.take(shifts, self._rows, 1)
        bins += self._columns
        begins, ends = (np.bincount(bins[:, i::2].ravel(), minlength=len(angles) * num_bins) for i in (0, 1))
        ink = np.cumsum((begins - ends).reshape(len(angles), num_bins), 1)
        return float(angles[int(np.argmax(np.square(ink).sum(1)))])


def deskew(
    image: NDArray[np.uint8], transform: Transform | None = None, counts: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """Turn a line so that it runs level (see `skew_degrees`).

    Args:
        image: the line.
        transform: follows.
        counts: the line's `count_levels`, where they are known.
    """
    ink = ink_mask(image, counts)
    angle = skew_degrees(image, ink)
    if abs(angle) < 0.1:
        return image
    return rotate(image, -angle, transform, ink)


def rotate(
    image: NDArray[np.uint8], degrees: float, transform: Transform | None = None, ink: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Turn the image clockwise about its center, on a canvas that holds all of it, then trim it.

    Args:
        image: the line.
        degrees: how far.
        transform: follows.
        ink: the line's `ink_mask`, where it is known.
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


def slant_degrees(image: NDArray[np.uint8]) -> float:
    """Angle by which the strokes lean to the right, -45 to 45 degrees; 0 without ink.

    The shear whose vertical projection is most uneven: upright strokes gather in few columns (Pastor, Toselli
    and Vidal 2004, "Projection profile based algorithm for slant removal"). Searched in steps of 5 and then
    1 degree. Ruled lines do not disturb it, for they add the same to every column, while they spoil the
    count of unbroken strokes of Vinciarelli and Luettin 2001.
    """
    if image.shape[0] > _SCORE_HEIGHT_PX:
        width = max(1, round(image.shape[1] * _SCORE_HEIGHT_PX / image.shape[0]))
        size = (width, _SCORE_HEIGHT_PX)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    strokes = _Strokes(ink_mask(image))
    if strokes.reach < 0:
        return 0.0
    coarse = -strokes.most_uneven(-np.arange(-_MAX_SLANT_DEGREES, _MAX_SLANT_DEGREES + 1, 5.0))
    return -strokes.most_uneven(-np.clip(coarse + np.arange(-4.0, 5.0), -_MAX_SLANT_DEGREES, _MAX_SLANT_DEGREES))


def deslant(image: NDArray[np.uint8], transform: Transform | None = None) -> NDArray[np.uint8]:
    """Shear a line so that its strokes stand upright (see `slant_degrees`)."""
    angle = slant_degrees(image)
    if abs(angle) < 1:
        return image
    return shear(image, -angle, transform)


def shear(image: NDArray[np.uint8], degrees: float, transform: Transform | None = None) -> NDArray[np.uint8]:
    """Lean the image to the right by an angle, on a canvas that holds all of it, then trim it."""
    height, width = image.shape
    tangent = math.tan(math.radians(degrees))
    reach = abs(tangent) * (height - 1)
    matrix = np.array([[1.0, -tangent, max(0.0, tangent) * (height - 1)], [0.0, 1.0, 0.0]])
    return _warp(image, matrix, (width + math.ceil(reach), height), transform, None)


def _warp(
    image: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    transform: Transform | None,
    ink: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=255)
    if transform is not None:
        transform.warped(matrix)
    return _trim(np.asarray(warped, np.uint8), ink_mask(image) if ink is None else ink, transform)


def _trim(image: NDArray[np.uint8], before: NDArray[np.uint8], transform: Transform | None) -> NDArray[np.uint8]:
    """Cut the margins back to those around the ink before, on every side, but never into the ink."""
    height, width = before.shape
    (old_x, old_y, old_width, old_height), (x, y, ink_width, ink_height) = (
        cv2.boundingRect(mask) for mask in (before, ink_mask(image))
    )
    if not (old_width and ink_width):
        return image
    left, top = max(0, x - old_x), max(0, y - old_y)
    right = x + ink_width + width - (old_x + old_width)
    bottom = y + ink_height + height - (old_y + old_height)
    if transform is not None:
        transform.cropped(left, top)
    return np.ascontiguousarray(image[top:bottom, left:right])
