"""Settings of ``lightning.Trainer`` that are valid for Lightning, and not for a run of this package."""

from collections.abc import Iterator, Mapping
from typing import Any

_PRECISIONS = ("32-true", "32", "bf16-mixed", "bf16", "16-mixed", "16")
_STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
_LOWER_LIMITS = {
    "limit_train_batches": (0, "nothing would be trained"),
    "limit_val_batches": (0, "leaves nothing to choose the best weights by"),
    "val_check_interval": (0, "validation needs an interval"),
    "check_val_every_n_epoch": (0, "validation needs an interval"),
    "accumulate_grad_batches": (0, "a step needs a batch"),
    "log_every_n_steps": (-1, "0 turns the log of steps off"),
}
"""Key -> the number that its value must exceed, and why."""


def find_trainer_problems(root: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each setting of the trainer that would make a run fail or mean something else.

    Args:
        root: a resolved configuration, as plain Python.
    """
    trainer = root.get("trainer") or {}
    for key, (limit, reason) in _LOWER_LIMITS.items():
        value = trainer.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and not value > limit:
            yield f"trainer.{key}: {value}: {reason}; give {'0' if limit < 0 else '1'} or more"
    precision = trainer.get("precision")
    if precision is not None and str(precision) not in _PRECISIONS:
        yield f"trainer.precision: {precision} is not supported; choose from {', '.join(_PRECISIONS[::2])}"
    yield from _find_strategy_problems(root, trainer)
    yield from _find_length_problems(trainer, has_steps="num_steps" in (root.get("stage") or {}))


def _find_strategy_problems(root: Mapping[str, Any], trainer: Mapping[str, Any]) -> Iterator[str]:
    strategy = trainer.get("strategy", "auto")
    if isinstance(strategy, str) and strategy not in _STRATEGIES:
        yield f"trainer.strategy: {strategy} is not supported; choose from {', '.join(_STRATEGIES)}"
    if trainer.get("sync_batchnorm") and trainer.get("accelerator") == "cpu":
        yield "trainer.sync_batchnorm: works on GPUs only; leave it out on the CPU"
    stage = root.get("stage") or {}
    has_unused = bool(stage.get("freeze")) or root.get("auxiliary_weight") == 0
    devices = trainer.get("devices", 1)
    is_parallel = trainer.get("num_nodes", 1) != 1 or (_is_count(devices) and devices > 1)
    if is_parallel and has_unused and strategy in ("auto", "ddp", "ddp_find_unused_parameters_false"):
        yield (
            f"trainer.strategy: {strategy} on several devices needs a gradient of every parameter, and some have none"
            " (stage.freeze, auxiliary_weight=0); use trainer=ddp"
        )


def _find_length_problems(trainer: Mapping[str, Any], *, has_steps: bool) -> Iterator[str]:
    """Yield problems of the length of a run; ``has_steps`` if its stage sets the number of steps (``stage=adapt``)."""
    epochs, steps = trainer.get("max_epochs"), trainer.get("max_steps", -1)
    if epochs == -1 and steps == -1 and not has_steps:
        yield "trainer.max_epochs: -1 (no limit) gives the schedule no length; set trainer.max_steps too"
    if trainer.get("fast_dev_run"):
        return
    every, interval = trainer.get("check_val_every_n_epoch", 1), trainer.get("val_check_interval")
    if isinstance(every, int) and isinstance(epochs, int) and 0 < epochs < every:
        yield (
            f"trainer.max_epochs: {epochs}: the run would end before its first validation "
            f"(trainer.check_val_every_n_epoch={every}); set ++trainer.check_val_every_n_epoch={epochs} or less"
        )
    batches = steps * trainer.get("accumulate_grad_batches", 1) if _is_count(steps) else 0
    if every is None and isinstance(interval, int) and 0 < batches < interval:
        yield (
            f"trainer.max_steps: {steps}: the run would end before its first validation "
            f"(trainer.val_check_interval={interval} batches); set ++trainer.val_check_interval={batches} or less"
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
