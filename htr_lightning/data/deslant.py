"""Geometry of a line: how far it climbs (skew) and leans (slant), and how to set it straight.

All functions take and return ``(H, W)`` grey ``uint8`` images, paper 255, ink dark. Rotation and shear cut
nothing off: the canvas grows, and is then trimmed until the margins around the ink are those of the input. A `Trace`,
where one is given, follows them.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.trace import Trace

MIN_CONTRAST = 48
"""Grey levels between paper and ink; a smaller difference is texture or noise of a blank sheet."""

_MAX_SKEW_DEGREES = 10.0
_MAX_SLANT_DEGREES = 45.0
_SCORE_HEIGHT_PX = 48  # slant is scored at this height: strokes are still 1 to 3 px wide


def ink_mask(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Separate ink from paper at Otsu's threshold (Otsu 1979).

    Returns:
        ``(H, W)`` ``uint8``: 1 for ink, 0 for paper; all 0 where the two classes differ by less than
        `MIN_CONTRAST` on average, as on a blank sheet.
    """
    _, mask = cv2.threshold(image, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    ink, paper = cv2.mean(image, mask)[0], cv2.mean(image, 1 - mask)[0]
    if not mask.any() or paper - ink < MIN_CONTRAST:
        return np.zeros_like(image)
    return np.asarray(mask, np.uint8)


def skew_degrees(image: NDArray[np.uint8]) -> float:
    """Angle by which the line runs downhill, -10 to 10 degrees; 0 without ink.

    The angle along which the ink's projection is most uneven (after Postl 1986), searched in steps of 1 and
    then 0.1 degrees. Ruled lines, where there are some, count as well.
    """
    ys, xs = np.nonzero(ink_mask(image))
    if ys.size == 0 or np.ptp(xs) < image.shape[0] // 2:  # too short to have a direction
        return 0.0
    offsets = xs - xs.mean()
    coarse = _most_uneven(ys, offsets, np.arange(-_MAX_SKEW_DEGREES, _MAX_SKEW_DEGREES + 0.5, 1.0))
    return _most_uneven(ys, offsets, coarse + np.arange(-0.9, 0.95, 0.1))


def _most_uneven(positions: NDArray[np.integer], offsets: NDArray[np.floating], angles: NDArray[np.floating]) -> float:
    """Angle whose shear ``positions - tan(angle) offsets`` gathers the ink in the fewest, fullest bins."""
    angles = angles[np.argsort(np.abs(angles), kind="stable")]  # of equal scores the smallest angle wins
    scores = []
    for slope in np.tan(np.radians(angles)):
        bins = (positions - slope * offsets).round().astype(np.int64)
        scores.append(np.square(np.bincount(bins - bins.min())).sum())
    return float(angles[int(np.argmax(scores))])


def deskew(image: NDArray[np.uint8], trace: Trace | None = None) -> NDArray[np.uint8]:
    """Turn a line so that it runs level (see `skew_degrees`)."""
    angle = skew_degrees(image)
    if abs(angle) < 0.1:
        return image
    return rotate(image, -angle, trace)


def rotate(image: NDArray[np.uint8], degrees: float, trace: Trace | None = None) -> NDArray[np.uint8]:
    """Turn the image clockwise about its centre, on a canvas that holds all of it, then trim it."""
    height, width = image.shape
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    size = (
        math.ceil(width * cos + height * abs(sin)),
        math.ceil(height * cos + width * abs(sin)),
    )
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    matrix[:, 2] = np.array(size) / 2 - 0.5 - matrix[:, :2] @ (np.array([width, height]) / 2 - 0.5)
    return _warp(image, matrix, size, trace)


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
    ys, xs = np.nonzero(ink_mask(image))
    if ys.size == 0:
        return 0.0
    offsets = ys.mean() - ys
    coarse = _most_uneven(xs, offsets, np.arange(-_MAX_SLANT_DEGREES, _MAX_SLANT_DEGREES + 1, 5.0))
    fine = np.clip(coarse + np.arange(-4.0, 5.0), -_MAX_SLANT_DEGREES, _MAX_SLANT_DEGREES)
    return _most_uneven(xs, offsets, fine)


def deslant(image: NDArray[np.uint8], trace: Trace | None = None) -> NDArray[np.uint8]:
    """Shear a line so that its strokes stand upright (see `slant_degrees`)."""
    angle = slant_degrees(image)
    if abs(angle) < 1:
        return image
    return shear(image, -angle, trace)


def shear(image: NDArray[np.uint8], degrees: float, trace: Trace | None = None) -> NDArray[np.uint8]:
    """Lean the image to the right by an angle, on a canvas that holds all of it, then trim it."""
    height, width = image.shape
    tangent = math.tan(math.radians(degrees))
    reach = abs(tangent) * (height - 1)
    matrix = np.array([[1.0, -tangent, max(0.0, tangent) * (height - 1)], [0.0, 1.0, 0.0]])
    return _warp(image, matrix, (width + math.ceil(reach), height), trace)


def _warp(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int], trace: Trace | None
) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=255)
    if trace is not None:
        trace.warped(matrix)
    return _trim(np.asarray(warped, np.uint8), image, trace)


def _trim(image: NDArray[np.uint8], original: NDArray[np.uint8], trace: Trace | None) -> NDArray[np.uint8]:
    """Cut the margins back to those of the original, on every side, but never into the ink."""
    before, after = ink_mask(original), ink_mask(image)
    if not (before.any() and after.any()):
        return image
    slices = []
    for axis in (0, 1):
        old = np.flatnonzero(before.any(axis=1 - axis))
        new = np.flatnonzero(after.any(axis=1 - axis))
        start = max(0, int(new[0] - old[0]))
        slices.append(slice(start, int(new[-1]) + original.shape[axis] - int(old[-1])))
    if trace is not None:
        trace.cropped(slices[1].start, slices[0].start)
    return np.ascontiguousarray(image[slices[0], slices[1]])
