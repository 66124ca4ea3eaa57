"""Learning-rate schedules over a whole run."""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from htr_lightning.config.schema import ConfigError
from htr_lightning.errors import InputError
from htr_lightning.model.network import describe_error

Shape = Literal["one_cycle", "cosine", "multi_step", "constant"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The learning rate of any optimizer over a whole run; one step is one optimizer step.

    In a configuration: ``schedule: cosine``, or ``schedule: {_target_: htr_lightning.training.schedule.Schedule,
    shape: cosine, warmup: 0.05}``.

    Args:
        shape: ``one_cycle``: up to the optimizer's rate in a cosine, then down to ``final`` of it; ``cosine``: that
            rate until ``flat``, then down; ``multi_step``: times 0.1 at each of ``milestones``; ``constant``.
            All but ``one_cycle`` begin with a linear warm-up, where ``warmup`` is not 0.
        warmup: fraction of all steps in which the rate rises.
        flat: fraction of all steps that ``cosine`` and ``one_cycle`` stay at the rate before going down.
        milestones: fractions of all steps.
        final: the last rate as a fraction of the optimizer's.

    Raises:
        InputError: a value is out of range; its key is ``optim.schedule.<name>``.
    """

    shape: Shape = "one_cycle"
    warmup: float = 0.1
    flat: float = 0.0
    milestones: list[float] = field(default_factory=lambda: [0.5, 0.75])
    final: float = 0.01

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            remedy = f"choose from {', '.join(get_args(Shape))}"
            raise InputError("unknown", key="optim.schedule", value=self.shape, remedy=remedy)
        check_schedule("optim.schedule", self.warmup, self.flat, self.milestones, self.final)

    def build(self, optimizer: torch.optim.Optimizer, total_steps: int) -> LambdaLR:
        """Return the scheduler, to be stepped after each optimizer step."""
        return _LambdaLR(optimizer, lambda step: self.factor(step / max(1, total_steps)))

    def factor(self, progress: float) -> float:
        """Return the learning rate as a fraction of the peak after a fraction ``progress`` (0..1) of the run."""
        if progress < self.warmup:
            rise = progress / self.warmup
            return max(0.04, _cosine(1 - rise)) if self.shape == "one_cycle" else max(0.01, rise)
        if self.shape == "constant":
            return 1.0
        if self.shape == "multi_step":
            return float(0.1 ** sum(progress >= milestone for milestone in self.milestones))
        start = self.warmup + self.flat
        fall = _cosine(min(1.0, (progress - start) / (1 - start))) if progress > start else 1.0
        return self.final + (1 - self.final) * fall


class _LambdaLR(LambdaLR):
    """Leaves the rate of parameter groups that a callback adds later (``BackboneFinetuning``) to that callback."""

    def get_lr(self) -> list[Any]:
        """Return the rate of each group; torch calls this."""
        added = self.optimizer.param_groups[len(self.base_lrs) :]
        return [*super().get_lr(), *(group["lr"] for group in added)]


@dataclass(frozen=True, kw_only=True)
class TorchSchedule:
    """A scheduler of ``torch.optim.lr_scheduler``, or a class or function of the same form.

    In a configuration, its node is the scheduler's, with the three settings of Lightning beside its arguments:
    ``schedule: {_target_: torch.optim.lr_scheduler.StepLR, step_size: 10, gamma: 0.5, interval: epoch}``.
    Arguments called ``total_steps``, ``T_max`` and ``max_lr`` that have no default may be left out: they are the steps
    of the run, and the learning rate of each parameter group.

    Args:
        make: ``make(optimizer, ...)`` returns the scheduler.
        interval: whether it is stepped after each optimizer step or each epoch; None for ``step`` if it is given the
            number of steps of the run, otherwise ``epoch``, as in Lightning.
        frequency: of these, how many pass between its steps.
        monitor: metric that ``ReduceLROnPlateau`` follows; None for ``val/cer``.
    """

    make: Callable[..., Any]
    interval: Literal["step", "epoch"] | None = None
    frequency: int = 1
    monitor: str | None = None

    def __post_init__(self) -> None:
        if self.interval not in (None, "step", "epoch"):
            raise ConfigError(
                "unknown", key="optim.schedule.interval", value=self.interval, remedy="give step or epoch"
            )
        if not isinstance(self.frequency, int) or self.frequency < 1:
            raise ConfigError(
                "out of range", key="optim.schedule.frequency", value=self.frequency, remedy="give 1 or more"
            )

    def build(self, optimizer: torch.optim.Optimizer, total_steps: int) -> dict[str, Any]:
        """Return the scheduler with its settings for Lightning, as ``configure_optimizers`` returns them.

        Raises:
            ConfigError: its constructor fails.
        """
        chosen = self._choose_arguments([group.get("lr") for group in optimizer.param_groups], total_steps)
        try:
            scheduler = self.make(optimizer, **chosen)
        except Exception as error:  # whatever it raises
            problem = f"it cannot be built ({describe_error(error)})"
            raise ConfigError(problem, key="optim.schedule", remedy="correct its settings") from None
        interval = self.interval or ("step" if {"total_steps", "T_max"} & chosen.keys() else "epoch")
        settings = {"scheduler": scheduler, "interval": interval, "frequency": self.frequency}
        if isinstance(scheduler, ReduceLROnPlateau):
            settings |= {"monitor": self.monitor or "val/cer", "strict": False}
        return settings

    def _choose_arguments(self, rates: list[Any], total_steps: int) -> dict[str, Any]:
        """Return the arguments that the run knows, and the configuration leaves out."""
        given = get_keywords(self.make)
        known = {"total_steps": max(1, total_steps), "T_max": max(1, total_steps), "max_lr": rates}
        chosen = {name: known[name] for name in list_missing_arguments(self.make) if name in known}
        if "epochs" in given:
            chosen.pop("total_steps", None)  # OneCycleLR takes either
        if isinstance(given.get("max_lr"), int | float) and len(rates) > 1:  # a fraction of it, as of the rate
            chosen["max_lr"] = [given["max_lr"] * rate / max(rates) for rate in rates]
        return chosen


AnySchedule = Schedule | TorchSchedule


def list_missing_arguments(make: Callable[..., Any]) -> list[str]:
    """Return the parameters of a class, a function or a ``partial`` of one that are neither given nor have a default.

    ``total_steps`` counts as missing also where its default is None.
    """
    given = get_keywords(make)
    parameters = inspect.signature(make.func if isinstance(make, functools.partial) else make).parameters
    return [
        name
        for name, parameter in parameters.items()
        if name not in given
        and (parameter.default is parameter.empty or (name == "total_steps" and parameter.default is None))
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def get_keywords(make: Callable[..., Any]) -> dict[str, Any]:
    """Return the keyword arguments that a ``partial`` holds."""
    return make.keywords if isinstance(make, functools.partial) else {}


def check_schedule(key: str, warmup: float, flat: float, milestones: Sequence[float], final: float) -> None:
    """Refuse settings of a schedule that are out of their range.

    Args:
        key: of the settings, such as ``optim``.
        warmup: see `Schedule`, as the others.
        flat: see there.
        milestones: see there.
        final: see there.

    Raises:
        InputError: names the setting.
    """
    if not (warmup >= 0 and flat >= 0 and warmup + flat < 1):
        problem = f"warmup ({warmup}) and flat ({flat}) are fractions of the run that sum to 1 or more"
        raise InputError(problem, key=key, remedy="lower one of them")
    are_fractions = all(0 < milestone < 1 for milestone in milestones)
    remedy = "give fractions of the run, between 0 and 1"
    check_range(are_fractions, f"{key}.milestones", milestones, remedy)
    check_range(0 <= final <= 1, f"{key}.final", final, "give a fraction of lr, 0 to 1")


def check_range(is_valid: bool, key: str, value: Any, remedy: str) -> None:
    """Refuse a value that is out of its range.

    Raises:
        InputError: it is not valid.
    """
    if not is_valid:
        raise InputError("out of range", key=key, value=value, remedy=remedy)


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))
