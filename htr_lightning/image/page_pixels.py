"""Pixels of whole pages as a line finder takes them: gray, scaled, with stretched contrast."""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.errors import InputError
from htr_lightning.image.files import MAX_PIXELS
from htr_lightning.image.levels import apply_lut, compute_histogram, compute_percentiles
from htr_lightning.image.preprocess import to_gray

_MIN_CONTRAST = 16  # gray levels between the darkest and the lightest pixels that are stretched, so that noise is not


@dataclass(frozen=True)
class PagePreprocess:
    """Scales pages and stretches their contrast.

    Args:
        longest_px: the longer side of a page is scaled to so many px; smaller pages are scaled up, at most twice.
        max_pixels: pages with more pixels are refused.

    Raises:
        InputError: a value is out of its range; ``key`` is ``preprocess.<name>``.
    """

    longest_px: int = 1500
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if not 128 <= self.longest_px <= 8192:
            remedy = "give 128 to 8192"
            raise InputError("out of range", key="preprocess.longest_px", value=self.longest_px, remedy=remedy)

    def __call__(self, image: NDArray[np.uint8], zoom: float = 1.0) -> tuple[NDArray[np.uint8], float]:
        """Prepare a page.

        Args:
            image: ``(H, W)`` gray or ``(H, W, 3)`` RGB.
            zoom: multiplies ``longest_px``, for small writing.

        Returns:
            ``(H', W')`` gray; and the scale: px of it per px of the image.
        """
        gray = to_gray(image, "luminance")
        scale = min(2.0, zoom * self.longest_px / max(gray.shape))
        size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = gray if scale == 1 else np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
        return stretch_page(scaled), scale

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, for the model file."""
        return asdict(self)


def stretch_page(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch the contrast of a page ``(H, W)`` from its darkest hundredth to its lightest hundredth."""
    low, high = compute_percentiles(compute_histogram(gray), 1, 99)
    middle, half = (low + high) / 2, max(high - low, _MIN_CONTRAST) / 2
    lut = ((np.arange(256) - middle + half) / (2 * half) * 255).clip(0, 255).astype(np.uint8)
    return apply_lut(gray, lut)


def pad_page(pixels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Pad a page at the right and at the bottom, with the pixels of its edge, to multiples of ``step`` px."""
    height, width = (-size % step for size in pixels.shape)
    return np.pad(pixels, ((0, height), (0, width)), mode="edge") if height or width else pixels
