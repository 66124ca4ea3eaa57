"""Random numbers for lines, all from generators on the CPU."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def draw_uniform(num: int, bounds: Sequence[float], generator: torch.Generator) -> Tensor:
    """Draw ``num`` numbers uniformly between two bounds: ``(num,)``."""
    low, high = bounds
    return torch.rand(num, generator=generator) * (high - low) + low


def choose_rows(num: int, probability: float, generator: torch.Generator) -> Tensor:
    """Choose each of ``num`` rows with a probability, and return their indices; draws no number for probability 0."""
    if probability == 0:
        return torch.empty(0, dtype=torch.int64)
    return torch.nonzero(torch.rand(num, generator=generator) < probability)[:, 0]


def make_device_generator(device: torch.device, generator: torch.Generator) -> torch.Generator:
    """Return a generator on the device, seeded by the one on the CPU; on the CPU, that one itself."""
    if device.type == "cpu":
        return generator
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.Generator(device).manual_seed(seed)


def sample_rows(number: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return at most ``most`` of ``number`` rows, drawn by the seed, in ascending order; more contain fewer."""
    order = torch.randperm(number, generator=torch.Generator().manual_seed(seed))
    return np.sort(order[:most].numpy())
