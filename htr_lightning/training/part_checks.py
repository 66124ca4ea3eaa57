"""Parts of one's own, tried on a tiny input before the lines are packed."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig
from torch.optim.lr_scheduler import ReduceLROnPlateau

from htr_lightning.charset import Charset
from htr_lightning.config.build import build
from htr_lightning.config.schema import ConfigError
from htr_lightning.data.augment import Augment
from htr_lightning.data.augmentation import Augmentation
from htr_lightning.errors import InputError
from htr_lightning.model.network import describe_error
from htr_lightning.training.build import Parts
from htr_lightning.training.extensions import Extensions, build_decoder_maker, find_twins
from htr_lightning.training.optim import AdamW, Optim
from htr_lightning.training.own_metrics import OwnMetrics, flatten_metric


def check_parts(cfg: DictConfig, parts: Parts, augment: Augmentation, optim: Optim, extensions: Extensions) -> None:
    """Try parts of one's own on two lines, so that what they lack is found before lines are packed.

    Args:
        cfg: validated.
        parts: of the configuration.
        augment: of the configuration.
        optim: of the configuration.
        extensions: of the configuration.

    Raises:
        ConfigError: a part lacks a method, or returns something else than its place needs.
    """
    if not callable(getattr(parts.preprocess, "to_dict", None)):
        problem = f"{type(parts.preprocess).__name__} has no method to_dict"
        raise ConfigError(problem, key="preprocess", remedy="add it to the class")
    with torch.random.fork_rng(devices=[]):  # the run's own random numbers stay the same
        if not isinstance(augment, Augment):
            check_augmentation(augment, parts.preprocess.height_px, 2 if cfg.consistency_weight else 1)
        if not isinstance(optim, AdamW):
            check_optim(optim, parts.base.network if parts.base else build(cfg.model)(2))
        if not str(cfg.decoder.get("_target_")).startswith("htr_lightning."):
            check_decoder(cfg)
    for name, metric in extensions.metrics.items():
        check_metric(name, metric)
    OwnMetrics(extensions.metrics)


def check_augmentation(augment: Augmentation, height: int, num_views: int) -> None:
    """Augment two empty lines.

    Raises:
        ConfigError: it fails, or returns other shapes.
    """
    images, widths = torch.zeros(2, 1, height, 64), torch.tensor([48, 64])
    wanted = f"images ({2 * num_views}, 1, {height}, any width) and widths ({2 * num_views},)"
    try:
        result = augment(images, widths, torch.Generator().manual_seed(1), num_views)
    except InputError:
        raise
    except Exception as error:  # whatever it raises
        raise _build_failure(error, "augment", f"correct it, so that for 2 lines it returns {wanted}") from None
    is_right = isinstance(result, tuple) and len(result) == 2 and all(isinstance(part, torch.Tensor) for part in result)
    if is_right:
        images, widths = result
        is_right = images.ndim == 4 and images.shape[:3] == (2 * num_views, 1, height)
        is_right = is_right and images.is_floating_point() and widths.shape == (2 * num_views,)
        is_right = is_right and int(widths.max()) <= images.shape[3]
    if not is_right:
        raise ConfigError(f"it returned {_describe(result)} for 2 lines", key="augment", remedy=f"return {wanted}")


def check_optim(optim: Optim, network: Any) -> None:
    """Take one step with the optimizer and its schedule, on a copy of the network.

    Raises:
        ConfigError: it fails, or returns something else.
    """
    tried = copy.deepcopy(network).cpu().train()
    try:
        built = optim.build(tried, 100, None)
        optimizer, schedule = built if isinstance(built, tuple) and len(built) == 2 else (None, None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            remedy = "return (torch.optim.Optimizer, scheduler or None)"
            raise ConfigError(f"build returned {_describe(built)}", key="optim", remedy=remedy)
        for parameter in tried.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    except InputError:
        raise
    except Exception as error:  # whatever it raises
        remedy = (
            "correct its settings or its class: an optimizer gets a list of parameter groups, and step() is called "
            "without a closure"
        )
        raise _build_failure(error, "optim", remedy) from None
    _check_schedule(schedule.get("scheduler") if isinstance(schedule, Mapping) else schedule)


def _check_schedule(scheduler: Any) -> None:
    """Take a step, whose optimizer has taken one.

    Raises:
        ConfigError: it fails, or there is no such method.
    """
    if scheduler is None:
        return
    if not callable(getattr(scheduler, "step", None)):
        problem = f"{_describe(scheduler)} has no method step"
        remedy = "let build return a scheduler of torch.optim.lr_scheduler, or None"
        raise ConfigError(problem, key="optim.schedule", remedy=remedy)
    try:
        scheduler.step(*([1.0] if isinstance(scheduler, ReduceLROnPlateau) else []))
    except Exception as error:  # whatever it raises
        raise _build_failure(error, "optim.schedule", "correct its settings or its class") from None


def check_decoder(cfg: DictConfig) -> None:
    """Build the decoder for two characters, and decode the logits of two lines.

    Raises:
        ConfigError: it fails, or returns other things than class ids.
    """
    logits = np.zeros((2, 6, 3), np.float32)
    logits[0, ::2, 1] = logits[1, ::2, 2] = 9
    wanted = "decode(logits (N, T, K), lengths (N,)) must return a list of class ids from 1 to K - 1 for each line"
    try:
        decoder = build_decoder_maker(cfg)(Charset(["a", "b"]))
        if not callable(decoder):
            remedy = "return a function (logits, lengths)"
            raise ConfigError(
                f"it made {_describe(decoder)} of a charset, which cannot be called", key="decoder", remedy=remedy
            )
        result = decoder(logits, np.array([6, 5], np.int64))
    except InputError:
        raise
    except Exception as error:  # whatever it raises
        raise _build_failure(error, "decoder", wanted) from None
    is_right = isinstance(result, Sequence) and len(result) == 2
    is_right = is_right and all(
        isinstance(line, Sequence) and not isinstance(line, str) and all(_is_class_id(number, 3) for number in line)
        for line in result
    )
    if not is_right:
        raise ConfigError(f"it returned {_describe(result)}", key="decoder", remedy=wanted)


def _is_class_id(number: Any, num_classes: int) -> bool:
    return isinstance(number, int | np.integer) and 0 < int(number) < num_classes


def check_metric(name: str, metric: Any) -> None:
    """Measure two lines with a metric.

    Raises:
        ConfigError: it lacks a method, fails on texts, or gives no number.
    """
    key = f"metrics.{name}"
    missing = [method for method in ("update", "compute", "reset") if not callable(getattr(metric, method, None))]
    if missing:
        remedy = "give it update(predictions, references), compute() and reset(), as torchmetrics has them"
        raise ConfigError(f"{type(metric).__name__} has no {', '.join(missing)}", key=key, remedy=remedy)
    try:
        metric.update(["abc", "de"], ["abd", "de"])
        value = metric.compute()
        metric.reset()
    except Exception as error:  # whatever it raises
        raise _build_failure(error, key, "correct it: update gets two lists of texts") from None
    try:
        flatten_metric(name, value)
    except (TypeError, ValueError):
        raise ConfigError(
            f"compute returned {_describe(value)}", key=key, remedy="return a number, or a mapping of numbers"
        ) from None


def check_callbacks(callbacks: Sequence[Callback], own: Mapping[str, Callback]) -> None:
    """Refuse callbacks whose states would overwrite each other in checkpoints.

    Args:
        callbacks: all of a run.
        own: those of the configuration, by name.

    Raises:
        ConfigError: names the second of two.
    """
    twins = find_twins(callbacks)
    if twins is None:
        return
    names = {id(part): f"callbacks.{name}" for name, part in own.items()}
    key = names.get(id(twins[1])) or names.get(id(twins[0]), "callbacks")
    raise ConfigError(
        f"another callback of the run has the same state key, {twins[1].state_key}",
        key=key,
        remedy="remove one of them, or give the class a property state_key that differs",
    )


def _describe(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_describe, value))})"
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{type(value).__name__} of {tuple(value.shape)}"
    return repr(value)[:60] if isinstance(value, int | float | str | list | type(None)) else type(value).__name__


def _build_failure(error: Exception, key: str, remedy: str) -> ConfigError:
    return ConfigError(f"a trial failed ({describe_error(error)})", key=key, remedy=remedy)
