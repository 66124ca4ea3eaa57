"""The order of a backbone in memory."""

import pytest
import torch

from htr_lightning.model.backbone import ResidualBackbone, build_backbone, compute_features


def build(stem_channels: int, channels: list[int]) -> ResidualBackbone:
    settings = {"stem_channels": stem_channels, "channels": channels, "blocks": [1] * len(channels)}
    strides = {"stem_kernel": 3, "stem_stride": [2, 2], "strides": [[2, 2]] * len(channels), "downsample": "stride"}
    return build_backbone(settings | strides)


@pytest.mark.parametrize(("stem_channels", "channels"), [(4, [8, 16]), (1, [8]), (6, [16]), (8, [16]), (16, [24])])
def test_backbones_of_any_number_of_channels_can_be_trained(stem_channels: int, channels: list[int]) -> None:
    backbone = build(stem_channels, channels)
    for _ in range(20):  # with few channels last in memory, CPUs without AVX-512 abort here
        compute_features(backbone, torch.rand(2, 1, 32, 64), 32).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in backbone.parameters())


def test_channels_are_last_in_memory_unless_they_are_few() -> None:
    for backbone, memory_format in (
        (build(8, [16]), torch.channels_last),
        (build(4, [16]), torch.contiguous_format),
        (build(16, [4, 16]), torch.contiguous_format),
    ):
        features = backbone(torch.rand(2, 1, 32, 64).contiguous(memory_format=backbone.memory_format))
        assert features.is_contiguous(memory_format=memory_format)
        weight = backbone.get_parameter("stages.0.0.conv2.weight")
        assert weight.is_contiguous(memory_format=memory_format)
