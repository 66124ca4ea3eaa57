"""Losses and gradients that are NaN or infinite stop a training."""

from collections.abc import Iterable

import torch
from torch import Tensor


class NonFiniteLossError(ValueError):
    """The loss or a gradient is NaN or infinite; the message names the step and the lines of the batch."""


def build_non_finite_error(problem: str, step: int, epoch: int, ids: Iterable[str]) -> NonFiniteLossError:
    """Return the error for a step on the lines with some ids."""
    return NonFiniteLossError(
        f"{problem} at step {step}, epoch {epoch}; lines of the batch: {', '.join(ids)}. "
        "Lower optim.lr, or use trainer.precision=32-true"
    )


def is_finite_in_all_processes(value: Tensor) -> bool:
    """Whether a number is finite in every process of a distributed training."""
    is_finite = torch.isfinite(value)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        minimum = is_finite.float()
        torch.distributed.all_reduce(minimum, torch.distributed.ReduceOp.MIN)
        return bool(minimum > 0)
    return bool(is_finite)


def compute_gradient_norm(optimizer: torch.optim.Optimizer) -> Tensor:
    """Return the norm of all gradients of an optimizer's parameters together."""
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)
