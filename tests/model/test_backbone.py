"""Backbones and residual blocks of any number of channels."""

import pytest
import torch
from torch import nn

from htr_lightning.model.backbone import ResidualBlock, build_backbone, compute_features


@pytest.mark.parametrize(("stem_channels", "channels"), [(4, [8, 16]), (1, [8]), (6, [16]), (8, [16]), (16, [24])])
def test_backbones_of_any_number_of_channels_can_be_trained(stem_channels: int, channels: list[int]) -> None:
    settings = {"stem_channels": stem_channels, "channels": channels, "blocks": [1] * len(channels)}
    strides = {"stem_kernel": 3, "stem_stride": [2, 2], "strides": [[2, 2]] * len(channels), "downsample": "stride"}
    backbone = build_backbone(settings | strides)
    for _ in range(20):  # CPUs without AVX-512 aborted here with few channels
        compute_features(backbone, torch.rand(2, 1, 32, 64), 32).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in backbone.parameters())


@pytest.mark.parametrize("stride", [(2, 2), (2, 1), (1, 3)])
@pytest.mark.parametrize("size", [(8, 12), (7, 13)])
def test_a_shortcut_of_few_channels_is_a_strided_convolution(stride: tuple[int, int], size: tuple[int, int]) -> None:
    shortcut = ResidualBlock(4, 8, stride).shortcut
    assert isinstance(shortcut, nn.Sequential) and type(shortcut[0]) is not nn.Conv2d
    strided = nn.Conv2d(4, 8, 1, stride, bias=False)
    strided.load_state_dict(shortcut[0].state_dict())
    images = torch.rand(2, 4, *size)
    torch.testing.assert_close(shortcut[0](images), strided(images))
