"""Optimizers: ours with its schedule, and any class of torch or of the user's."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from htr_lightning.errors import InputError
from htr_lightning.training.schedule import AnySchedule, Schedule, Shape, check_range, check_schedule, get_keywords


class Optim(Protocol):
    """What the task asks of an optimizer's settings; a class of one's own that has ``build`` may be ``optim._target_``.

    It may also have ``clip_norm`` and ``lr``, which mean what they mean in `AdamW`; without, gradients are not clipped.
    """

    def build(self, module: nn.Module, total_steps: int, rates: Mapping[str, float] | None = None) -> Any:
        """Return the optimizer over the parameters of a network, and its schedule.

        Args:
            module: the network.
            total_steps: of the run.
            rates: learning rate of each parameter, by name, as a fraction of the optimizer's; None for 1.

        Returns:
            ``(optimizer, scheduler)``: a scheduler is stepped after each optimizer step; a mapping is one of
            Lightning's ``lr_scheduler`` configurations; None keeps the rate.
        """
        ...


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
    schedule: Shape = "one_cycle"
    warmup: float = 0.1
    flat: float = 0.0
    milestones: list[float] = field(default_factory=lambda: [0.5, 0.75])
    final: float = 0.01
    weight_decay: float = 0.01
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])
    clip_norm: float | None = 5.0
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        check_schedule("optim", self.warmup, self.flat, self.milestones, self.final)
        _check_averaging_and_clipping(self.ema_decay, self.clip_norm)
        check_range(self.lr > 0, "optim.lr", self.lr, "give a number above 0, such as 1e-3")
        check_range(self.weight_decay >= 0, "optim.weight_decay", self.weight_decay, "give 0 or more")
        is_range = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        check_range(is_range, "optim.betas", self.betas, "give two numbers of at least 0 and less than 1")

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
        groups = group_parameters(module, self.lr, self.weight_decay, rates)
        # On a CPU, one loop over all weights; elsewhere, torch's choice.
        on_cpu = all(parameter.device.type == "cpu" for parameter in module.parameters())
        betas = (self.betas[0], self.betas[1])
        optimizer = torch.optim.AdamW(groups, lr=self.lr, betas=betas, fused=True if on_cpu else None)
        return optimizer, self._schedule.build(optimizer, total_steps)

    def factor(self, progress: float) -> float:
        """Return the learning rate as a fraction of ``lr`` after a fraction ``progress`` (0..1) of the run."""
        return self._schedule.factor(progress)

    @property
    def _schedule(self) -> Schedule:
        names = ("warmup", "flat", "milestones", "final")
        return Schedule(shape=self.schedule, **{name: getattr(self, name) for name in names})


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Any optimizer that takes parameter groups: a class of torch, or of one's own.

    In a configuration, the node ``optim`` is the optimizer's own, with the last three settings beside its arguments::

        # my_conf/optim/sgd.yaml, chosen with: --config-dir my_conf optim=sgd
        _target_: torch.optim.SGD
        lr: 0.1
        momentum: 0.9
        clip_norm: 1.0
        schedule: cosine

    On the command line: ``optim._target_=torch.optim.SGD optim.lr=0.1 +optim.momentum=0.9``. In Python:
    ``Optimizer(make=functools.partial(torch.optim.SGD, lr=0.1))``.

    Where the optimizer knows ``weight_decay``, biases and normalization parameters have none, as with `AdamW`.
    Layer-wise learning rates are those of its parameter groups.

    Args:
        make: ``make(groups)`` returns the optimizer.
        schedule: a shape of `Schedule`, a `Schedule`, or a scheduler of torch (`TorchSchedule`).
        clip_norm: gradients are scaled down to this norm; None to leave them.
        ema_decay: validate, save and export an exponential moving average of the weights; None for none.
    """

    make: Callable[..., torch.optim.Optimizer]
    schedule: Shape | AnySchedule = "one_cycle"
    clip_norm: float | None = 5.0
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        _check_averaging_and_clipping(self.ema_decay, self.clip_norm)
        if isinstance(self.schedule, str):
            Schedule(shape=self.schedule)  # refuses what is none

    @property
    def lr(self) -> float | None:
        """The learning rate: as given, or the optimizer's default; None if it has no such argument."""
        value = _get_argument(self.make, "lr")
        return float(value) if isinstance(value, int | float) else None

    def with_lr(self, lr: float) -> "Optimizer":
        """Return the same with another learning rate."""
        return dataclasses.replace(self, make=functools.partial(self.make, lr=lr))

    def build(
        self, module: nn.Module, total_steps: int, rates: Mapping[str, float] | None = None
    ) -> tuple[torch.optim.Optimizer, Any]:
        """Return the optimizer and its schedule; see `Optim.build`."""
        weight_decay = _get_argument(self.make, "weight_decay")
        optimizer = self.make(group_parameters(module, self.lr, weight_decay, rates))
        schedule = Schedule(shape=self.schedule) if isinstance(self.schedule, str) else self.schedule
        return optimizer, schedule.build(optimizer, total_steps)


def set_lr(optim: Any, lr: float) -> Any:
    """Return an optimizer's settings with another learning rate."""
    if isinstance(optim, Optimizer):
        return optim.with_lr(lr)
    if dataclasses.is_dataclass(optim) and not isinstance(optim, type):
        return dataclasses.replace(optim, lr=lr)
    optim.lr = lr
    return optim


def group_parameters(
    module: nn.Module, lr: float | None, weight_decay: float | None, rates: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Return the trainable parameters of a network as groups, from the highest learning rate to the lowest.

    Weight matrices and kernels of one rate are a group, and what else has that rate is another, without weight decay.
    Where there are several rates, each group is named after its part of the network.

    Args:
        module: the network.
        lr: of the optimizer; None leaves the rates to it.
        weight_decay: of weight matrices and kernels; None leaves it to the optimizer.
        rates: learning rate of each parameter, by name, as a fraction of ``lr``; None for 1.
    """
    members: dict[tuple[float, bool], dict[str, nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            kind = (1.0 if rates is None else rates[name], parameter.ndim > 1)
            members.setdefault(kind, {})[name] = parameter
    has_rates = len({rate for rate, _ in members}) > 1
    groups: list[dict[str, Any]] = []
    for (rate, is_matrix), parameters in sorted(members.items(), key=lambda item: (-item[0][0], not item[0][1])):
        group: dict[str, Any] = {"params": list(parameters.values())}
        if lr is not None:
            group["lr"] = lr * rate
        if weight_decay is not None:
            group["weight_decay"] = weight_decay if is_matrix else 0.0
        if has_rates:
            group["name"] = _name_parts(module, list(parameters)) + ("" if is_matrix else "/no_decay")
        groups.append(group)
    return groups


def _name_parts(module: Any, names: Sequence[str]) -> str:
    """Return the blocks of a network that hold some parameters, or its children where it does not say its blocks."""
    blocks = [*module.blocks(), *module.heads] if hasattr(module, "blocks") else []
    parts = (next((b for b in blocks if name.startswith(f"{b}.")), name.partition(".")[0]) for name in names)
    return "+".join(dict.fromkeys(parts))


def _get_argument(make: Callable[..., Any], name: str) -> Any:
    """Return what a constructor gets for a parameter: as given to a ``partial``, or its default; None for neither."""
    if isinstance(make, functools.partial):
        return get_keywords(make)[name] if name in get_keywords(make) else _get_argument(make.func, name)
    try:
        parameter = inspect.signature(make).parameters.get(name)
    except (TypeError, ValueError):  # of a class that is written in C
        return None
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _check_averaging_and_clipping(ema_decay: Any, clip_norm: Any) -> None:
    if ema_decay is not None and not (isinstance(ema_decay, int | float) and 0 < ema_decay < 1):
        remedy = "give a number between 0 and 1, such as 0.999"
        raise InputError("out of range", key="optim.ema_decay", value=ema_decay, remedy=remedy)
    is_clipping = clip_norm is None or (isinstance(clip_norm, int | float) and clip_norm > 0)
    remedy = "give a number above 0, or null to leave gradients as they are"
    check_range(is_clipping, "optim.clip_norm", clip_norm, remedy)
