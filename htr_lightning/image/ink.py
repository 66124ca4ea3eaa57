"""Pixel values as the networks take them."""

from torch import Tensor


def to_ink(images: Tensor) -> Tensor:
    """Convert uint8 pixels (255 paper, 0 ink) to float ink (0 paper, 1 ink), of the same shape."""
    return images.float().div_(-255.0).add_(1.0)
