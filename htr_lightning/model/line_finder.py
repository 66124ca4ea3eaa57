"""The network that finds the text lines of a page: a small U-Net."""

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from htr_lightning.errors import InputError
from htr_lightning.model.backbone import ResidualBlock

NUM_MAPS = 4
NUM_ORIENTATIONS = 5
EXTENT_UNIT_PX = 16.0
"""Extents are predicted as logarithms of multiples of this."""
_MAX_LOG = 3.0
_ORIENTATION_LEVEL = 2  # at an eighth of the input's resolution
_MAX_LEVELS = 5  # the lowest resolution is 1/32, of which pages are padded to multiples


class MapLogits(NamedTuple):
    """Output of a line finder for pages ``(N, 1, H, W)``.

    Attributes:
        lines: ``(N, 4, H / 2, W / 2)``: logits of baselines and of line ends; natural logarithms of the extents above
            and below the baseline, in units of 16 px of the input.
        orientations: ``(N, 5, H / 8, W / 8)``: logits of no writing, and of writing that is upright, turned clockwise,
            upside down, turned counterclockwise.
    """

    lines: Tensor
    orientations: Tensor

    def to_maps(self) -> tuple[Tensor, Tensor]:
        """Return probabilities and extents in px of the input, of the same shapes."""
        chances = self.lines[:, :2].sigmoid()
        extents = EXTENT_UNIT_PX * self.lines[:, 2:].clamp(-_MAX_LOG, _MAX_LOG).exp()
        return torch.cat([chances, extents], 1), self.orientations.softmax(1)


def to_darkness(pages: Tensor) -> Tensor:
    """Turn pixels ``(N, 1, H, W)`` uint8, light 255, into what `LineFinder` takes: float, 0 for light, 1 for dark."""
    return (1 - pages.float() / 255).contiguous(memory_format=torch.channels_last)


class LineFinder(nn.Module):
    """A U-Net (Ronneberger et al. 2015) that predicts baselines, line ends, extents and orientations.

    The maps are those of ParseNet (Kodym and Hradis 2021, *Page Layout Analysis System for Unconstrained Historic
    Documents*, section 3.1), with orientations besides. The input is halved once before the first level and the maps
    stay at that resolution.

    Args:
        channels: of each level; each level has half the resolution of the one before.
        dilations: of the residual blocks at the lowest resolution, which see most of the page.
        row_dilations: horizontal dilations of the residual blocks at an eighth of the resolution, which see whether
            anything follows in the same row behind a wide gap.
        dropout: of the features at the lowest resolution.

    Raises:
        InputError: an argument is out of its range; names ``model.<key>``.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = (16, 32, 64, 96, 128),
        dilations: Sequence[int] = (1, 2, 4, 8),
        row_dilations: Sequence[int] = (1, 4, 16),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not 3 <= len(channels) <= _MAX_LEVELS or min(channels) < 1:
            remedy = f"give the channels of 3 to {_MAX_LEVELS} levels, each at least 1"
            raise InputError("not a number of levels", key="model.channels", value=list(channels), remedy=remedy)
        for key, values in (("dilations", dilations), ("row_dilations", row_dilations)):
            if min(values, default=1) < 1:
                value, remedy = list(values), "give 1 or more"
                raise InputError("a dilation is below 1", key=f"model.{key}", value=value, remedy=remedy)
        self.arguments: dict[str, Any] = {
            "channels": list(channels),
            "dilations": list(dilations),
            "row_dilations": list(row_dilations),
            "dropout": dropout,
        }
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels[0], 5, 2, padding=2, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU(inplace=True)
        )
        pairs = list(itertools.pairwise(channels))
        self.down = nn.ModuleList(ResidualBlock(low, high, (2, 2)) for low, high in pairs)
        self.context = nn.ModuleList(_DilatedBlock(channels[-1], dilation) for dilation in dilations)
        self.dropout = nn.Dropout2d(dropout)
        self.up = nn.ModuleList(_UpBlock(high, low) for low, high in reversed(pairs))
        self.rows = nn.ModuleList(_RowBlock(channels[_ORIENTATION_LEVEL], dilation) for dilation in row_dilations)
        self.lines = nn.Conv2d(channels[0], NUM_MAPS, 1)
        self.orientations = nn.Conv2d(channels[_ORIENTATION_LEVEL], NUM_ORIENTATIONS, 1)
        with torch.no_grad():
            self.lines.get_parameter("bias")[:2] = -3.0  # most pixels are on no baseline

    heads: ClassVar[Sequence[str]] = ("lines", "orientations")

    def blocks(self) -> Sequence[str]:
        """Return the paths of the parts below the heads, from the top down, for freezing and learning rates."""
        up = [f"up.{number}" for number in reversed(range(len(self.up)))]
        rows = [f"rows.{number}" for number in reversed(range(len(self.rows)))]
        context = [f"context.{number}" for number in reversed(range(len(self.context)))]
        down = [f"down.{number}" for number in reversed(range(len(self.down)))]
        return [*up[:_ORIENTATION_LEVEL], *rows, *up[_ORIENTATION_LEVEL:], *context, *down, "stem"]

    def forward(self, pages: Tensor) -> MapLogits:
        """``(N, 1, H, W)``, 0 for light, 1 for dark -> `MapLogits`."""
        x = self.stem(pages)
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        for block in self.context:
            x = block(x)
        x = self.dropout(x)
        coarse = x
        for block in self.up:
            if len(skips) == _ORIENTATION_LEVEL:  # the level of x
                for row in self.rows:
                    x = row(x)
                coarse = x
            x = block(x, skips.pop())
        return MapLogits(self.lines(x), self.orientations(coarse))


class _DilatedBlock(nn.Module):
    """A dilated 3x3 convolution with a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.norm(self.conv(x)), inplace=True)


class _RowBlock(nn.Module):
    """A dilated convolution along the rows, with a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        padding, steps = (0, 3 * dilation), (1, dilation)
        self.conv = nn.Conv2d(channels, channels, (1, 7), padding=padding, dilation=steps, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.norm(self.conv(x)), inplace=True)


class _UpBlock(nn.Module):
    """Doubles the resolution, and merges the features of the level above."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``(N, C, H, W)`` and ``(N, channels, 2 H, 2 W)`` -> ``(N, channels, 2 H, 2 W)``."""
        x = F.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest") + skip
        return F.relu(self.norm(self.conv(x)) + x, inplace=True)
