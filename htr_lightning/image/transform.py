"""Geometry of the preprocessing, to map points of a preprocessed line to the image that it was made from."""

import numpy as np
from numpy.typing import NDArray

Affine = NDArray[np.float64]


class Transform:
    """The geometric operations done to an image, composed to one affine map.

    `htr_lightning.image.preprocess.Preprocess` and the functions of `htr_lightning.image.deslant` record their
    operations in a given transform; `to_source` then maps points of the result to points of the original. Points are
    (x, y) in px from the upper left corner of an image, so that the center of its first pixel is (0.5, 0.5).

    Attributes:
        matrix: ``(3, 3)``, from the processed image to the original.
    """

    def __init__(self) -> None:
        self.matrix: Affine = np.eye(3)

    def copy(self) -> "Transform":
        """Return an independent copy."""
        copied = Transform()
        copied.matrix = self.matrix
        return copied

    def record_resize(self, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        """Record a resize from one shape ``(H, W)`` to another."""
        self.matrix = self.matrix @ np.diag([before[1] / after[1], before[0] / after[0], 1.0])

    def record_warp(self, matrix: Affine) -> None:
        """Record an affine map ``(2, 3)`` of pixel centers, as `cv2.warpAffine` takes it."""
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        forward = half @ np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(half)
        self.matrix = self.matrix @ np.linalg.inv(forward)

    def record_crop(self, left: int, top: int) -> None:
        """Record that columns were cropped at the left and rows at the top; negative numbers record padding."""
        self.matrix = self.matrix @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])

    def to_source(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map points ``(..., 2)`` of the processed image to points of the original."""
        return np.asarray(points @ self.matrix[:2, :2].T + self.matrix[:2, 2], np.float64)
