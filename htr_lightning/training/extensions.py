"""Parts that a configuration adds to a run: callbacks, loggers, metrics; and optimizers and decoders of one's own."""

import contextlib
import importlib.util
import inspect
import netrc
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

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

_PACKAGES = {"wandb": ("wandb",), "mlflow": ("mlflow", "sqlalchemy")}
"""Package that a logger needs -> modules that its full installation has."""


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
    for module, needed in _PACKAGES.items():
        if module in str(node.get("_target_")).lower() and any(map(_is_missing, needed)):
            raise _WrongKindError(f"{module} is not installed; run: pip install {module}")
    defaults: dict[str, Any] = {}
    if str(node.get("_target_")).endswith(".WandbLogger"):
        _require_wandb_key(node)
        defaults = {"mode": "offline"} if node.get("offline") else {}
    elif str(node.get("_target_")).endswith(".MLFlowLogger") and not (
        node.get("tracking_uri") or os.environ.get("MLFLOW_TRACKING_URI")
    ):  # MLflow no longer writes into plain folders
        uri = f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        defaults = {"tracking_uri": uri, "artifact_location": (folder / "mlflow").resolve().as_uri()}
    made = build(node)
    if not isinstance(made, Logger) and callable(made):
        made = made(save_dir=str(folder), **defaults)
    logger: Logger = _require_kind(made, Logger)
    return logger


def _is_missing(module: str) -> bool:
    return importlib.util.find_spec(module) is None


def _is_wandb_offline(node: DictConfig) -> bool:
    return bool(node.get("offline")) or os.environ.get("WANDB_MODE", "online") != "online"


def _require_wandb_key(node: DictConfig) -> None:
    """Refuse to start a run that would ask for a key, or fail for want of one, when it logs first."""
    if _is_wandb_offline(node) or node.get("experiment") is not None or _find_wandb_key():
        return
    raise _WrongKindError(
        "there is no key of Weights & Biases; run: wandb login, or set WANDB_API_KEY, "
        "or log without a network: logger.wandb.offline=true"
    )


def _find_wandb_key() -> bool:
    """Whether there is a key in the environment or in the file where ``wandb login`` writes it."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    places = [Path(os.environ["NETRC"])] if "NETRC" in os.environ else [Path.home() / n for n in (".netrc", "_netrc")]
    for path in places:
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            if netrc.netrc(path).authenticators(host):
                return True
    return False


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
