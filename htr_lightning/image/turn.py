"""Quarter turns of pages, and of points on them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def turn_upright(pixels: NDArray[np.uint8], turns: int) -> NDArray[np.uint8]:
    """Turn back a page that was turned clockwise by some quarter turns."""
    return np.ascontiguousarray(np.rot90(pixels, turns % 4)) if turns % 4 else pixels


def to_upright(points: NDArray[Any], turns: int, width: float, height: float) -> NDArray[Any]:
    """Map points ``(..., 2)`` of a page that was turned clockwise to the page turned back.

    Args:
        points: x and y on the page as it is.
        turns: quarter turns.
        width: of the page as it is.
        height: of the page as it is.
    """
    x, y = points[..., 0], points[..., 1]
    turned = ((x, y), (y, width - x), (width - x, height - y), (height - y, x))[turns % 4]
    return np.stack(turned, axis=-1)


def from_upright(points: NDArray[Any], turns: int, width: float, height: float) -> NDArray[Any]:
    """Map points ``(..., 2)`` of a page that was turned back by `turn_upright` to the page as it is.

    Args:
        points: x and y on the page turned back.
        turns: quarter turns.
        width: of the page as it is.
        height: of the page as it is.
    """
    x, y = points[..., 0], points[..., 1]
    turned = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))[turns % 4]
    return np.stack(turned, axis=-1)
