"""Convolutional backbones."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from htr_lightning.errors import InputError

Stride = tuple[int, int]
Downsample = Literal["stride", "max_pool"]


# With fewer input channels, last in memory, the gradient of a strided 1x1 convolution overwrites memory of others on
# CPUs without AVX-512, so that the process aborts (PyTorch 2.14, oneDNN).
_MIN_CHANNELS = 8


class _SampledConv2d(nn.Conv2d):
    """A 1x1 convolution that takes the pixels at its strides first: the same result without a strided convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` -> ``(N, channels, H / stride, W / stride)``."""
        down, across = self.stride
        return F.conv2d(x[:, :, ::down, ::across], self.weight, self.bias)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016, *Deep Residual Learning*, figure 2).

    The shortcut is a 1x1 convolution if the block changes the number of channels or the resolution.
    """

    def __init__(self, in_channels: int, channels: int, stride: Stride = (1, 1)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != channels or stride != (1, 1):
            convolution = nn.Conv2d if in_channels >= _MIN_CHANNELS else _SampledConv2d
            self.shortcut = nn.Sequential(
                convolution(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` -> ``(N, channels, H / stride, W / stride)``."""
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.shortcut(x), inplace=True)


class ResidualBackbone(nn.Module):
    """A stem convolution and stages of residual blocks: ``(N, 1, H, W)`` -> ``(N, C, H', W')``.

    Args:
        stem_channels: output channels of the stem convolution.
        stem_kernel: kernel size of the stem convolution; odd.
        stem_stride: stride of the stem convolution: (vertical, horizontal).
        channels: output channels of each stage.
        blocks: number of residual blocks in each stage, at least one.
        strides: stride of each stage: (vertical, horizontal).
        downsample: how a stage applies its stride: ``stride``, in its first convolution, which is faster; or
            ``max_pool``, by max-pooling before its first block.

    Raises:
        InputError: an argument is out of range; names ``model.<key>``.
    """

    def __init__(
        self,
        *,
        stem_channels: int,
        stem_kernel: int,
        stem_stride: Sequence[int],
        channels: Sequence[int],
        blocks: Sequence[int],
        strides: Sequence[Sequence[int]],
        downsample: Downsample = "stride",
    ) -> None:
        super().__init__()
        if not len(channels) == len(blocks) == len(strides):
            raise InputError(
                f"channels ({len(channels)}), blocks ({len(blocks)}) and strides ({len(strides)}) "
                "must have one entry for each stage",
                key="model",
            )
        if stem_kernel % 2 == 0:
            raise InputError(
                "the kernel size is even", key="model.stem_kernel", value=stem_kernel, remedy="make it odd"
            )
        for stride in (stem_stride, *strides):
            if len(stride) != 2 or not all(isinstance(step, int) and step >= 1 for step in stride):
                raise InputError("each stride must be two whole numbers of at least 1", key="model", value=list(stride))
        if min(stem_channels, *channels) < 1:
            counts = [stem_channels, *channels]
            raise InputError("the stem and every stage need at least one channel", key="model.channels", value=counts)
        if min(blocks) < 1:
            raise InputError("every stage needs at least one block", key="model.blocks", value=list(blocks))
        self.out_channels = channels[-1]
        self.strides = [cast(Stride, tuple(stride)) for stride in (stem_stride, *strides)]
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem_channels, stem_kernel, self.strides[0], stem_kernel // 2, bias=False),
            nn.BatchNorm2d(stem_channels),
            nn.ReLU(inplace=True),
        )
        stages: list[nn.Module] = []
        in_channels = stem_channels
        for out_channels, num_blocks, stride in zip(channels, blocks, self.strides[1:], strict=True):
            stages.append(_build_stage(in_channels, out_channels, num_blocks, stride, downsample))
            in_channels = out_channels
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 1, H, W)`` -> ``(N, C, H', W')``."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        return cast(Tensor, x)

    def frame_lengths(self, widths: Tensor) -> Tensor:
        """Return W', the number of feature columns of lines ``widths`` pixels wide: every stride rounds up."""
        for _, stride in self.strides:
            widths = -(-widths // stride)
        return widths

    def blocks(self, path: str) -> list[str]:
        """Return the paths of the stages from the last to the first, and of the stem, in a network that has it there.

        Args:
            path: of the backbone in the network.
        """
        return [*(f"{path}.stages.{number}" for number in reversed(range(len(self.stages)))), f"{path}.stem"]

    @property
    def frame_px(self) -> int:
        """Width of a feature column in pixels of the image: the product of the horizontal strides."""
        return math.prod(stride for _, stride in self.strides)


def build_backbone(settings: Mapping[str, Any]) -> ResidualBackbone:
    """Build the backbone of a network from the settings of the network, among which are its own.

    Raises:
        InputError: a setting is out of range; names ``model.<key>``.
    """
    names = inspect.signature(ResidualBackbone).parameters
    backbone = ResidualBackbone(**{name: settings[name] for name in names})
    # Channels last in memory: on CPUs the convolutions run up to four times as fast, on GPUs no slower.
    return backbone.to(memory_format=torch.channels_last)


def check_settings(settings: Mapping[str, Any], counts: Sequence[str]) -> None:
    """Check settings that networks share.

    Args:
        settings: of a network, with its ``dropout``.
        counts: names of those that are at least 1.

    Raises:
        InputError: one is out of range; names ``model.<key>``.
    """
    for name in counts:
        if settings[name] < 1:
            remedy = "give 1 or more"
            raise InputError("the number is too small", key=f"model.{name}", value=settings[name], remedy=remedy)
    if not 0 <= settings["dropout"] < 1:
        remedy = "give a probability, at least 0 and less than 1"
        raise InputError("out of range", key="model.dropout", value=settings["dropout"], remedy=remedy)


def compute_features(backbone: nn.Module, images: Tensor, height_px: int) -> Tensor:
    """Return the maximum over each column of a backbone's features, ``(N, 1, H, W)`` -> ``(N, C, T)``.

    Args:
        backbone: a `ResidualBackbone`, compiled or not.
        images: of lines, from 0 (paper) to 1 (ink).
        height_px: H, that the network reads.

    Raises:
        ValueError: the lines have another height.
    """
    if images.shape[2] != height_px:
        raise ValueError(f"lines are {images.shape[2]} px high, but this model reads lines of {height_px} px")
    features: Tensor = backbone(images.contiguous(memory_format=torch.channels_last)).amax(dim=2)
    return features


def _build_stage(
    in_channels: int, out_channels: int, num_blocks: int, stride: Stride, downsample: Downsample
) -> nn.Sequential:
    layers: list[nn.Module] = []
    if downsample == "max_pool" and stride != (1, 1):
        layers.append(nn.MaxPool2d(stride, stride, ceil_mode=True))
        stride = (1, 1)
    layers.append(ResidualBlock(in_channels, out_channels, stride))
    layers += [ResidualBlock(out_channels, out_channels) for _ in range(num_blocks - 1)]
    return nn.Sequential(*layers)
