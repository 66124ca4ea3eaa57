"""Where points of a preprocessed line are in the image that it was made of."""

import numpy as np
from numpy.typing import NDArray

Affine = NDArray[np.float64]


class Transform:
    """What geometry was done to an image, kept as one affine map.

    Handed to `Preprocess` and the functions of `htr_lightning.image.deslant`, it follows them; `to_source` then takes
    points of the result to the original. Points are (x, y) in px from the upper left corner of an image, so that the
    middle of its first pixel is (0.5, 0.5).

    Attributes:
        matrix: ``(3, 3)``, from the line as it is now to the original.
    """

    def __init__(self) -> None:
        self.matrix: Affine = np.eye(3)

    def copy(self) -> "Transform":
        """Return an independent copy."""
        copied = Transform()
        copied.matrix = self.matrix
        return copied

    def scaled(self, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        """Note a change of size between two shapes ``(H, W)``."""
        self.matrix = self.matrix @ np.diag([before[1] / after[1], before[0] / after[0], 1.0])

    def warped(self, matrix: Affine) -> None:
        """Note a map ``(2, 3)`` from the middles of the old pixels to those of the new, as OpenCV takes it."""
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        forward = half @ np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(half)
        self.matrix = self.matrix @ np.linalg.inv(forward)

    def cropped(self, left: int, top: int) -> None:
        """Note that columns and rows were cut off at the left and at the top; negative ones were added."""
        self.matrix = self.matrix @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])

    def to_source(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where points ``(..., 2)`` of the line are in the original."""
        return np.asarray(points @ self.matrix[:2, :2].T + self.matrix[:2, 2], np.float64)
