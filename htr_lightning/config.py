"""Where configurations are found, and what they may contain.

The signature of a constructor is the schema of its config: a node with a
``_target_`` may name exactly the parameters of that target. The root keys are
the fields of `Config`. Nothing else describes the configuration twice.
"""

import dataclasses
import difflib
import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from htr_lightning.processor import is_bf16_fast


class ConfigError(ValueError):
    """The configuration names something that does not exist, or omits something needed."""


AUTO = "auto"
"""``resume=auto``: go on with what is in the run folder, or begin."""


@dataclass
class Config:
    """Every root key of a run; those without a default are groups, chosen in ``config.yaml``."""

    run_name: str = "dev"
    seed: int = 1
    resume: str | None = None
    early_stopping: int | None = None
    checkpoint_minutes: float = 10.0
    compile: bool = False
    trial: str | None = None
    auxiliary_weight: float = 0.1
    consistency_weight: float = 0.0
    licence: str = ""
    languages: list[str] = dataclasses.field(default_factory=list)
    attribution: str = ""
    dataset: Any = MISSING
    preprocess: Any = MISSING
    loader: Any = MISSING
    augment: Any = MISSING
    model: Any = MISSING
    optim: Any = MISSING
    decoder: Any = MISSING
    trainer: Any = MISSING
    stage: Any = MISSING


def _run_folder(resume: str | None, run_name: str, new: str) -> str:
    """The folder of a run: that of the run to go on with; with ``auto`` always the same; else a new one."""
    return new if resume is None else f"runs/{run_name}" if resume == AUTO else resume


def _fastest_precision(accelerator: str) -> str:
    """bf16 where it is multiplied faster than fp32."""
    import torch

    gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    device_type = "cuda" if gpu else "cpu" if accelerator in ("auto", "cpu") else accelerator
    return "bf16-mixed" if is_bf16_fast(device_type) else "32-true"


def _batch_pixels(accelerator: str) -> int:
    """A GPU is kept busy by large batches; on a CPU small ones learn most from an epoch, and need less memory."""
    import torch

    return 4_000_000 if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available() else 300_000


def _ddp_strategy(freeze: Sequence[str], auxiliary_weight: float) -> str:
    """DDP waits for the gradient of every parameter, unless told that some may have none."""
    return "ddp_find_unused_parameters_true" if freeze or not auxiliary_weight else "ddp"


OmegaConf.register_new_resolver("ddp_strategy", _ddp_strategy, replace=True)
OmegaConf.register_new_resolver("run_folder", _run_folder, replace=True)
OmegaConf.register_new_resolver("fastest_precision", _fastest_precision, replace=True)
OmegaConf.register_new_resolver("batch_pixels", _batch_pixels, replace=True)
ConfigStore.instance().store(name="schema", node=Config, provider="htr_lightning")


def conf_dir() -> Path:
    """Directory of the shipped configs: beside the package in a checkout, inside it when installed.

    Raises:
        ConfigError: neither place has a ``config.yaml``; the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    places = (package / "conf", package.parent / "conf")
    for place in places:
        if (place / "config.yaml").is_file():
            return place
    raise ConfigError("no config.yaml in " + " or ".join(map(str, places)))


def compose_config(overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """Compose and check a configuration outside of a run: for the commands that look at data.

    Args:
        overrides: as for training: ``dataset=lines``, ``dataset.root=...``.
        config_dir: a folder with more files of the groups, as ``--config-dir`` names it.

    Raises:
        ConfigError: an override, a choice or a value is wrong, or there is no such folder.
    """
    cfg = composed(overrides, config_dir)
    try:
        validate(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error)) from None
    return cfg


def composed(overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """Compose a configuration as `compose_config` does, without checking it.

    Raises:
        ConfigError: an override or a choice is wrong, or there is no such folder.
    """
    searched = list(overrides)
    if config_dir is not None:
        if not config_dir.is_dir():
            raise ConfigError(f"--config-dir {config_dir}: there is no such folder")
        place = str(config_dir.absolute()).replace("\\", "\\\\").replace("'", "\\'")
        searched.append(f"hydra.searchpath=['file://{place}']")
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return compose("config", overrides=searched)
    except HydraException as error:
        raise ConfigError(str(error.__cause__ or error)) from None
    except OmegaConfBaseException as error:
        raise ConfigError(str(error)) from None


SET_BY_THE_RUN = {
    "trainer.gradient_clip_val": "use optim.clip_norm",
    "trainer.callbacks": "use early_stopping, optim.ema_decay",
    "trainer.logger": "TensorBoard and CSV are always written",
    "trainer.default_root_dir": "use hydra.run.dir",
    "trainer.use_distributed_sampler": "the loader divides the lines itself",
    "loader.seed": "use seed",
    "loader.source": "use dataset",
    "loader.preprocess": "use preprocess",
    "loader.augment": "use augment",
    "loader.num_views": "use consistency_weight",
    "loader.progress": "use trainer.enable_progress_bar",
    "model.num_classes": "the charset of the training texts decides",
}
"""Parameters of constructors that a configuration must not name, and what to do instead."""


def refusal(error: object) -> str:
    """Return what is said of a configuration that cannot be run, each mistake in a line of its own."""
    return "The configuration cannot be run:\n  " + str(error).replace("\n", "\n  ")


def validate(cfg: DictConfig) -> None:
    """Check the composed configuration against the code it names, without building anything.

    Raises:
        ConfigError: listing every problem found, one a line, each by its full key.
    """
    problems = [f"{key}: required; set {key}=..." for key in sorted(OmegaConf.missing_keys(cfg))]
    root = typing.cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False))
    fields = [f.name for f in dataclasses.fields(Config)]
    problems += [f"{key}: not a root key; {_suggest(key, fields)}" for key in root if key not in fields]
    problems += [
        f"{key}: set by the run; {remedy}"
        for key, remedy in SET_BY_THE_RUN.items()
        if key.split(".")[1] in (root.get(key.split(".")[0]) or {})
    ]
    if not 0 <= int(root.get("seed") or 0) < 2**32:
        problems.append(f"seed: {root['seed']} is not between 0 and 2**32 - 1")
    if not root.get("checkpoint_minutes", 1) >= 0:
        problems.append(f"checkpoint_minutes: {root['checkpoint_minutes']} is negative; 0 keeps every step")
    if not root.get("consistency_weight", 0) >= 0:
        problems.append(f"consistency_weight: {root['consistency_weight']} is negative; 0 trains without it")
    if root.get("trainer", {}).get("limit_val_batches") in (0, 0.0):
        problems.append("trainer.limit_val_batches: 0 leaves nothing to choose the best weights by; give 1 or more")
    if root.get("trainer", {}).get("max_epochs") == -1 and root["trainer"].get("max_steps", -1) == -1:
        problems.append("trainer.max_epochs: -1 (endless) gives the schedule no length; set trainer.max_steps too")
    problems += _problems(root, "")
    if problems:
        raise ConfigError("\n".join(problems))


def _problems(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield from _target_problems(node, path)
        for key, child in node.items():
            yield from _problems(child, f"{path}.{key}" if path else str(key))
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, child in enumerate(node):
            yield from _problems(child, f"{path}[{index}]")


def _target_problems(node: Mapping[str, Any], path: str) -> Iterator[str]:
    name = node["_target_"]
    try:
        target = get_object(name)
    except Exception as error:
        yield f"{path}._target_: cannot import {name!r}: {error.__cause__ or error}"
        return
    parameters = inspect.signature(target).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return  # e.g. torch.nn.LSTM(*args, **kwargs): only its own constructor can tell
    hints = _hints(target)
    given = {k: v for k, v in node.items() if k not in ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")}
    for key, value in given.items():
        if key not in parameters:
            yield f"{path}.{key}: {name} takes no such parameter; {_suggest(key, list(parameters))}"
        elif not _fits(value, hints.get(key, Any)):
            yield f"{path}.{key}: {value!r} is not {_words(hints[key])}"
    if not node.get("_partial_"):
        for key, p in parameters.items():
            if p.default is p.empty and p.kind is not p.VAR_POSITIONAL and key not in given:
                yield f"{path}.{key}: required by {name}"


def _hints(target: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except Exception:  # annotations that exist only for the type checker
        return {}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain config value could be an argument annotated ``hint``; True when in doubt."""
    if isinstance(value, Mapping) or value == "???" or hint is Any:
        return True
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, arg) for arg in args)
    if origin is typing.Literal:
        return value in args
    if hint in (None, type(None)):
        return value is None
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is Path:
        return isinstance(value, str)
    if origin in (list, tuple, Sequence) or (inspect.isclass(origin) and issubclass(origin, Sequence)):
        items = [arg for arg in args if arg is not Ellipsis]
        return isinstance(value, list) and (len(items) != 1 or all(_fits(v, items[0]) for v in value))
    return True


def _suggest(key: Any, names: list[str]) -> str:
    close = difflib.get_close_matches(str(key), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(names)}"


def _words(hint: Any) -> str:
    for part in (hint, *typing.get_args(hint)):
        origin = typing.get_origin(part)
        if inspect.isclass(origin) and issubclass(origin, Sequence):
            return "a list; write it in brackets: [...]"
    return str(getattr(hint, "__name__", hint)) if not typing.get_args(hint) else str(hint).replace("typing.", "")


def groups() -> dict[str, list[str]]:
    """Return the config groups and their options, as the files in `conf_dir` have them."""
    folders = sorted(path for path in conf_dir().iterdir() if path.is_dir() and path.name != "hydra")
    return {folder.name: sorted(path.stem for path in folder.glob("*.yaml")) for folder in folders}
