"""Pixels as a network takes them."""

from torch import Tensor


def to_ink(images: Tensor) -> Tensor:
    """Turn uint8 pixels (paper 255) into float ink (0 paper, 1 ink)."""
    return images.float().div_(-255.0).add_(1.0)
