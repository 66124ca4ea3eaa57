"""What a network's arithmetic amounts to, for the experiments that compare a speed with what the machine could do."""

from collections import defaultdict
from typing import Any

import torch
from torch import nn


def work_of(model: nn.Module, image: torch.Tensor) -> dict[str, float]:
    """Count what a forward pass does with a line.

    FLOPs (a multiplication and an addition are two) by kind of layer, and bytes of features that it writes and reads
    again in 16 bits.
    """
    flops: dict[str, float] = defaultdict(float)
    moved = 0.0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: Any) -> None:
        nonlocal moved
        result = output[0] if isinstance(output, tuple) else output
        moved += 2 * 2 * result.numel()
        if isinstance(layer, nn.Conv2d | nn.Conv1d):
            per_output = 2 * layer.weight[0].numel()
            flops["convolution"] += per_output * result.numel()
        elif isinstance(layer, nn.Linear):
            flops["linear"] += 2 * layer.in_features * result.numel()
        elif isinstance(layer, nn.LSTM):
            frames = inputs[0].shape[0] * inputs[0].shape[1]
            flops["lstm"] += 2 * frames * sum(p.numel() for name, p in layer.named_parameters() if "weight" in name)

    kinds = (nn.Conv2d, nn.Conv1d, nn.Linear, nn.LSTM, nn.BatchNorm2d)
    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return {**{f"{name}_mflop": value / 1e6 for name, value in flops.items()}, "features_mb": moved / 1e6}
