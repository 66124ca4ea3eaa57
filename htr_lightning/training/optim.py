"""Optimizer and learning-rate schedule."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from htr_lightning.errors import InputError


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW (Loshchilov & Hutter 2019) with a schedule over the whole run; one step is one batch.

    Args:
        lr: the peak learning rate.
        schedule: ``one_cycle``: up to ``lr`` in a cosine, then down to ``lr * final``; ``cosine``: ``lr``
            until ``flat``, then down; ``multi_step``: times 0.1 at each of ``milestones``; ``constant``.
            All but ``one_cycle`` begin with a linear warm-up, where ``warmup`` is not 0.
        warmup: fraction of all steps in which the rate rises.
        flat: fraction of all steps that ``cosine`` and ``one_cycle`` stay at ``lr`` before going down.
        milestones: fractions of all steps.
        final: the last rate as a fraction of ``lr``.
        weight_decay: of weight matrices and kernels; biases and normalization parameters have none.
        betas: decay rates of AdamW's averages of gradient and squared gradient.
        clip_norm: gradients are scaled down to this norm; None to leave them.
        ema_decay: validate, save and export an exponential moving average of the weights; None for none.
    """

    lr: float = 1e-3
    schedule: Literal["one_cycle", "cosine", "multi_step", "constant"] = "one_cycle"
    warmup: float = 0.1
    flat: float = 0.0
    milestones: list[float] = field(default_factory=lambda: [0.5, 0.75])
    final: float = 0.01
    weight_decay: float = 0.01
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])
    clip_norm: float | None = 5.0
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        if not (self.warmup >= 0 and self.flat >= 0 and self.warmup + self.flat < 1):
            problem = f"warmup ({self.warmup}) and flat ({self.flat}) are fractions of the run that sum to 1 or more"
            raise InputError(problem, key="optim", remedy="lower one of them")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            remedy = "give a number between 0 and 1, such as 0.999"
            raise InputError("out of range", key="optim.ema_decay", value=self.ema_decay, remedy=remedy)

        _check(self.lr > 0, "lr", self.lr, "give a number above 0, such as 1e-3")
        _check(self.weight_decay >= 0, "weight_decay", self.weight_decay, "give 0 or more")
        is_clipping = self.clip_norm is None or self.clip_norm > 0
        _check(
            is_clipping, "clip_norm", self.clip_norm, "give a number above 0, or null to leave gradients as they are"
        )
        is_range = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        _check(is_range, "betas", self.betas, "give two numbers of at least 0 and less than 1")
        are_fractions = all(0 < milestone < 1 for milestone in self.milestones)
        _check(are_fractions, "milestones", self.milestones, "give fractions of the run, between 0 and 1")
        _check(0 <= self.final <= 1, "final", self.final, "give a fraction of lr, 0 to 1")

    def build(
        self, module: nn.Module, total_steps: int, rates: Mapping[str, float] | None = None
    ) -> tuple[torch.optim.AdamW, LambdaLR]:
        """Return the optimizer over all parameters of ``module``, and the schedule, stepped each batch.

        A parameter that never gets a gradient is not changed and has no optimizer state.

        Args:
            module: the network.
            total_steps: of the run.
            rates: learning rate of each parameter, by name, as a fraction of ``lr``; None for 1.
        """
        groups_by_kind: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            kind = (1.0 if rates is None else rates[name], parameter.ndim > 1)
            groups_by_kind.setdefault(kind, []).append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": group, "lr": self.lr * rate, "weight_decay": self.weight_decay if is_matrix else 0.0}
            for (rate, is_matrix), group in sorted(
                groups_by_kind.items(), key=lambda item: (-item[0][0], not item[0][1])
            )
        ]
        # On a CPU, one loop over all weights; elsewhere, torch's choice.
        on_cpu = all(parameter.device.type == "cpu" for parameter in module.parameters())
        betas = (self.betas[0], self.betas[1])
        optimizer = torch.optim.AdamW(groups, lr=self.lr, betas=betas, fused=True if on_cpu else None)
        return optimizer, LambdaLR(optimizer, lambda step: self.factor(step / max(1, total_steps)))

    def factor(self, progress: float) -> float:
        """Return the learning rate as a fraction of ``lr`` after a fraction ``progress`` (0..1) of the run."""
        if progress < self.warmup:
            rise = progress / self.warmup
            return max(0.04, _cosine(1 - rise)) if self.schedule == "one_cycle" else max(0.01, rise)
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "multi_step":
            return float(0.1 ** sum(progress >= milestone for milestone in self.milestones))
        start = self.warmup + self.flat
        fall = _cosine(min(1.0, (progress - start) / (1 - start))) if progress > start else 1.0
        return self.final + (1 - self.final) * fall


def _check(is_right: bool, name: str, value: Any, remedy: str) -> None:
    if not is_right:
        raise InputError("out of range", key=f"optim.{name}", value=value, remedy=remedy)


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))
