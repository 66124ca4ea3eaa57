"""Count the arithmetic of a network, to compare a speed with the limit of the hardware (roofline model)."""

from collections import defaultdict
from typing import Any

import torch
from torch import nn


def count_work(model: nn.Module, image: torch.Tensor) -> dict[str, float]:
    """Count the work of a forward pass on one line.

    Returns:
        Millions of FLOPs by type of layer (a multiplication and an addition count as two), and megabytes of features
        written and read again in 16 bits.
    """
    flops: dict[str, float] = defaultdict(float)
    traffic = 0.0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: Any) -> None:
        nonlocal traffic
        result = output[0] if isinstance(output, tuple) else output
        traffic += 2 * 2 * result.numel()
        if isinstance(layer, nn.Conv2d | nn.Conv1d):
            per_output = 2 * layer.weight[0].numel()
            flops["convolution"] += per_output * result.numel()
        elif isinstance(layer, nn.Linear):
            flops["linear"] += 2 * layer.in_features * result.numel()
        elif isinstance(layer, nn.LSTM):
            frames = inputs[0].shape[0] * inputs[0].shape[1]
            flops["lstm"] += 2 * frames * sum(p.numel() for name, p in layer.named_parameters() if "weight" in name)

    layers = (nn.Conv2d, nn.Conv1d, nn.Linear, nn.LSTM, nn.BatchNorm2d)
    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, layers)]
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return {**{f"{name}_mflop": value / 1e6 for name, value in flops.items()}, "features_mb": traffic / 1e6}
