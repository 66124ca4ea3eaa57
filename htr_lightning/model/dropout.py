"""Dropout that draws its random numbers 16 bits at a time on CPUs, and an LSTM with it."""

import torch
from torch import Tensor, nn

_STEPS = 2**16  # a random number has 16 bits; the generator gives 64 at once


class Dropout(nn.Dropout):
    """``nn.Dropout`` (Srivastava et al. 2014); on a CPU, p is rounded to a multiple of 1 / 65536.

    Args:
        p: probability that an element becomes zero.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)

    def forward(self, input: Tensor) -> Tensor:
        """Set elements to zero with probability p and divide the others by 1 - p, in training; any shape."""
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        return drop(input, self.p)


class LSTM(nn.LSTM):
    """Bidirectional ``nn.LSTM`` with `Dropout` between its layers; parameters have the same names and shapes.

    Args:
        input_size: D.
        hidden_size: H, in each direction.
        num_layers: with dropout between them.
        dropout: its probability.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        between = dropout if num_layers > 1 else 0.0  # otherwise PyTorch warns
        super().__init__(input_size, hidden_size, num_layers, dropout=between, bidirectional=True)

    def forward(self, input: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # type: ignore[override]
        """``(T, N, D)`` -> ``(T, N, 2 H)``, and the last states; see ``nn.LSTM``."""
        if not self.training or not self.dropout or input.device.type != "cpu":
            output: tuple[Tensor, tuple[Tensor, Tensor]] = super().forward(input)
            return output
        zeros = input.new_zeros(2, input.shape[1], self.hidden_size)
        parameters = [getattr(self, name) for name in self._flat_weights_names]
        size = len(parameters) // self.num_layers
        x, hidden, cells = input, [], []
        for layer in range(self.num_layers):
            x = drop(x, self.dropout) if layer else x
            weights = parameters[layer * size : (layer + 1) * size]
            x, h, c = torch.lstm(x, (zeros, zeros), weights, True, 1, 0.0, True, True, False)
            hidden.append(h)
            cells.append(c)
        return x, (torch.cat(hidden), torch.cat(cells))


def drop(x: Tensor, p: float) -> Tensor:
    """Set elements to zero with probability p, and divide the others by 1 - p.

    Args:
        x: any shape, on the CPU.
        p: from 0 to 1, rounded to a multiple of 1 / 65536.

    Returns:
        Shape and dtype of ``x``.
    """
    threshold = round(p * _STEPS)
    if threshold == 0:
        return x
    if threshold == _STEPS:
        return x * 0
    noise = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    is_kept = noise.view(torch.int16)[: x.numel()].view(x.shape) >= threshold - _STEPS // 2
    return x * is_kept.to(x.dtype).mul_(_STEPS / (_STEPS - threshold))
