"""Parts that a configuration adds to a run: callbacks, loggers, metrics; and optimizers and decoders of one's own."""

import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from htr_lightning.config.build import build
from htr_lightning.config.parts import is_optimizer, split_node
from htr_lightning.config.schema import ConfigError
from htr_lightning.training.optim import Optim, Optimizer
from htr_lightning.training.schedule import Schedule, TorchSchedule

_PACKAGES = {"wandb": ("wandb",), "mlflow": ("mlflow", "mlflow-skinny")}
"""Module that a logger needs -> the packages that have it."""


@dataclass(frozen=True)
class Extensions:
    """What a configuration adds to a run, by the names that it gives.

    Attributes:
        callbacks: after those of the run.
        loggers: all of them.
        metrics: of pairs of texts; see `htr_lightning.training.task.RecognitionTask`.
    """

    callbacks: Mapping[str, Callback]
    loggers: Mapping[str, Logger]
    metrics: Mapping[str, Any]


def build_extensions(cfg: DictConfig, folder: Path) -> Extensions:
    """Build callbacks, loggers and metrics; nothing is written yet.

    Args:
        cfg: validated.
        folder: of the run, where loggers whose node has ``_partial_: true`` write (``save_dir``).

    Raises:
        ConfigError: a class is none of its kind, or a logger is not installed or has no key.
    """
    return Extensions(
        callbacks=_build_all(cfg, "callbacks", lambda node: _require_kind(build(node), Callback)),
        loggers=_build_all(cfg, "logger", lambda node: _build_logger(node, folder)),
        metrics=_build_all(cfg, "metrics", build),
    )


def _build_all(cfg: DictConfig, group: str, build_one: Callable[[DictConfig], Any]) -> dict[str, Any]:
    parts = {}
    for name, node in (cfg.get(group) or {}).items():
        if node is None:
            continue
        try:
            parts[str(name)] = build_one(node)
        except InstantiationException as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise ConfigError(reason, key=f"{group}.{name}", value=node.get("_target_")) from None
        except (TypeError, ValueError, ImportError, _WrongKindError) as error:
            raise ConfigError(str(error), key=f"{group}.{name}", value=node.get("_target_")) from None
    return parts


class _WrongKindError(Exception):
    """A part is none of the kind that its place needs."""


def _require_kind(part: Any, kind: type) -> Any:
    if not isinstance(part, kind):
        name = f"{kind.__module__.partition('.callbacks')[0].partition('.loggers')[0]}"
        place = "callbacks" if kind is Callback else "loggers"
        raise _WrongKindError(f"is no {kind.__name__}; derive the class from {name}.{place}.{kind.__name__}")
    return part


def _build_logger(node: DictConfig, folder: Path) -> Logger:
    for module in _PACKAGES:
        if module in str(node.get("_target_")).lower() and importlib.util.find_spec(module) is None:
            raise _WrongKindError(f"{module} is not installed; run: pip install {_PACKAGES[module][-1]}")
    if str(node.get("_target_")).endswith(".WandbLogger"):
        _require_wandb_key(node)
    made = build(node)
    if not isinstance(made, Logger) and callable(made):
        made = made(save_dir=str(folder))
    logger: Logger = _require_kind(made, Logger)
    return logger


def _require_wandb_key(node: DictConfig) -> None:
    is_offline = node.get("offline") or os.environ.get("WANDB_MODE", "online") != "online"
    if is_offline or node.get("experiment") is not None:
        return
    import wandb

    if not wandb.api.api_key:  # of WANDB_API_KEY or the file ~/.netrc
        raise _WrongKindError(
            "there is no key of Weights & Biases; run: wandb login, or set WANDB_API_KEY, "
            "or log without a network: ++logger.wandb.offline=true"
        )


def build_optim(cfg: DictConfig) -> Optim:
    """Build the optimizer's settings: ours, a class with ``build``, or any optimizer of torch or of one's own.

    Raises:
        ConfigError: the class is none of these.
        InputError: a setting is out of range.
    """
    node: Any = OmegaConf.to_container(cfg.optim, resolve=True)
    target = get_object(node["_target_"])
    if not is_optimizer(target):
        made = build(cfg.optim)
        optim: Optim = made() if node.get("_partial_") else made
        return optim
    own, settings = split_node(node, "optim", target)
    if "schedule" in settings:
        settings["schedule"] = _build_schedule(settings["schedule"])
    return Optimizer(make=build(own | {"_partial_": True}), **settings)


def _build_schedule(node: Any) -> Any:
    if isinstance(node, str):
        return Schedule(shape=node)  # type: ignore[arg-type]
    if not isinstance(node, Mapping):
        remedy = "give one_cycle, cosine, multi_step or constant, or a node with _target_"
        raise ConfigError("unknown", key="optim.schedule", value=node, remedy=remedy)
    target = get_object(node["_target_"])
    if inspect.isclass(target) and issubclass(target, Schedule):
        return build(node)
    own, settings = split_node(node, "optim.schedule", target)
    return TorchSchedule(make=build(own | {"_partial_": True}), **settings)


def build_decoder_maker(cfg: DictConfig) -> Callable[[Any], Any]:
    """Return the function from a charset to the decoder of the configuration; ``_partial_`` may be left out."""
    node: Any = OmegaConf.to_container(cfg.decoder, resolve=True)
    make: Callable[[Any], Any] = build(node | {"_partial_": True})
    return make


def find_twins(callbacks: Sequence[Callback]) -> tuple[Callback, Callback] | None:
    """Return two callbacks whose states have the same key in checkpoints, where one would overwrite the other."""
    known: dict[str, Callback] = {}
    for callback in callbacks:
        is_stateful = type(callback).state_dict is not Callback.state_dict
        if is_stateful and callback.state_key in known:
            return known[callback.state_key], callback
        known[callback.state_key] = callback
    return None
