"""Validation of configurations.

The signature of a constructor is the schema of its config: a node with a
``_target_`` may name exactly the parameters of that target. The root keys are
the fields of `Config`. Nothing else describes the configuration.
"""

import dataclasses
import difflib
import inspect
import logging
import math
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.utils import get_object
from omegaconf import MISSING, DictConfig, OmegaConf

from htr_lightning.config.parts import COLLECTIONS, list_supplied, split_node
from htr_lightning.config.schema import Config, ConfigError
from htr_lightning.config.signatures import describe_hint, fits, get_hints
from htr_lightning.config.trainer import find_trainer_problems
from htr_lightning.directions.bidi import BaseDirection

SET_BY_THE_RUN = {
    "trainer.gradient_clip_val": "use optim.clip_norm",
    "trainer.callbacks": "add one with +callbacks.NAME._target_=...; there are early_stopping and optim.ema_decay, too",
    "trainer.logger": "use logger=tensorboard,csv,wandb,mlflow, or add one with +logger.NAME._target_=...",
    "trainer.plugins": "checkpoints and SLURM are handled by the run",
    "trainer.default_root_dir": "use hydra.run.dir",
    "trainer.use_distributed_sampler": "the loader divides the lines itself",
    "trainer.enable_checkpointing": "checkpoints are always saved",
    "trainer.barebones": "checkpoints and metrics are always saved",
    "trainer.reload_dataloaders_every_n_epochs": "the loader shuffles the lines itself",
    "trainer.limit_predict_batches": "a run predicts nothing; use limit_test_batches",
    "trainer.model_registry": "the model is written into the run folder",
    "loader.seed": "use seed",
    "loader.direction": "use dataset.direction",
    "loader.source": "use dataset",
    "loader.preprocess": "use preprocess",
    "loader.augment": "use augment",
    "loader.num_views": "use consistency_weight",
    "loader.overfit": "use trainer.overfit_batches",
    "loader.needs_val": "stage=adapt needs no validation lines",
    "loader.progress": "use trainer.enable_progress_bar",
    "model.num_classes": "the charset of the training texts decides",
}
"""Parameters of constructors that a configuration must not set, and what to use instead."""

_PRECISION = "trainer.precision"  # checked by `find_trainer_problems`, which allows less than Lightning


def format_problems(error: object) -> str:
    """Return the message for an invalid configuration, each problem on its own line."""
    return "The configuration is invalid:\n  " + str(error).replace("\n", "\n  ")


def validate(cfg: DictConfig) -> None:
    """Check a composed configuration against the constructors it names, without building anything.

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
    problems += [*_find_root_problems(root), *_find_missing_targets(root), *find_trainer_problems(root)]
    dataset = {key: value for key, value in (root.get("dataset") or {}).items() if key != "direction"}
    problems += _find_problems(root | {"dataset": dataset}, "")
    if problems:
        raise ConfigError("\n".join(problems))


def _find_root_problems(root: Mapping[str, Any]) -> Iterator[str]:
    if not 0 <= int(root.get("seed") or 0) < 2**32:
        yield f"seed: {root['seed']} is not between 0 and 2**32 - 1"
    for key, remedy in (
        ("checkpoint_minutes", "0 saves a checkpoint after every step"),
        ("consistency_weight", "0 turns it off"),
        ("auxiliary_weight", "0 turns it off"),
    ):
        if not root.get(key, 1) >= 0:
            yield f"{key}: {root[key]} is negative; {remedy}"
    if isinstance(dataset := root.get("dataset"), Mapping):
        direction, directions = dataset.get("direction", "auto"), typing.get_args(BaseDirection)
        if direction not in directions:
            yield f"dataset.direction: {direction!r} is not one of {', '.join(directions)}"
    if root.get("early_stopping") is not None and root["early_stopping"] < 1:
        yield f"early_stopping: {root['early_stopping']} stops at once; give 1 or more, or null for no early stopping"


def _find_missing_targets(root: Mapping[str, Any]) -> Iterator[str]:
    for field in dataclasses.fields(Config):
        if field.name != "dataset" and (field.default != MISSING or root.get(field.name, MISSING) == MISSING):
            continue  # not a group, or reported already
        node = root[field.name]
        if not isinstance(node, Mapping) or "_target_" not in node:
            yield f"{field.name}._target_: required; name the class to build"
    for group in COLLECTIONS:
        node = root.get(group) or {}
        names = node if isinstance(node, Mapping) else {}
        if "_target_" in names or not isinstance(node, Mapping):
            yield f"{group}: each part needs a name of its own; write {group}.NAME._target_"
            continue
        for name, part in names.items():
            if part is not None and not (isinstance(part, Mapping) and "_target_" in part):
                yield f"{group}.{name}._target_: required; name the class to build, or null to leave it out"


def _find_problems(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield from _find_target_problems(node, path)
        for key, child in node.items():
            yield from _find_problems(child, f"{path}.{key}" if path else str(key))
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, child in enumerate(node):
            yield from _find_problems(child, f"{path}[{index}]")
    elif isinstance(node, float) and not math.isfinite(node):
        yield f"{path}: {node} is not a finite number"


def _find_target_problems(node: Mapping[str, Any], path: str) -> Iterator[str]:
    name = node["_target_"]
    if not isinstance(name, str):
        yield f"{path}._target_: {name!r} is not the import path of a class"
        return
    try:
        target = _import_target(name)
    except Exception as error:
        cause = error.__cause__ or error
        yield f"{path}._target_: cannot import {name!r}: {cause}; {_find_remedy(name, cause)}"
        return
    if not callable(target):
        yield f"{path}._target_: {name!r} is a {type(target).__name__}, not a class or a function"
        return
    try:
        parameters = inspect.signature(target).parameters
    except ValueError:  # written in C: only its own constructor can tell
        return
    node, _ = split_node(node, path, target)
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return  # e.g. torch.nn.LSTM(*args, **kwargs): only its own constructor can tell
    hints = get_hints(target)
    given = {k: v for k, v in node.items() if k not in ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")}
    for key, value in given.items():
        if key not in parameters:
            yield f"{path}.{key}: {name} takes no such parameter; {_suggest(key, list(parameters))}"
        elif f"{path}.{key}" != _PRECISION and not fits(value, hints.get(key, Any)):
            yield f"{path}.{key}: {value!r} is not {describe_hint(hints[key])}"
    supplied = list_supplied(path, target)
    if supplied or not node.get("_partial_"):
        for key, p in parameters.items():
            if p.default is p.empty and p.kind is not p.VAR_POSITIONAL and key not in (*given, *supplied):
                yield f"{path}.{key}: required by {name}"


def _import_target(name: str) -> Any:
    """Import a class or function; Hydra would also log the error that it raises."""
    logger = logging.getLogger("hydra.utils")
    before, logger.disabled = logger.disabled, True
    try:
        return get_object(name)
    finally:
        logger.disabled = before


def _find_remedy(name: str, error: BaseException) -> str:
    """Return what to do about a target that cannot be imported: it is misspelled or not found, or its module fails."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
        parent, _, missing = error.name.rpartition(".")
        if parent not in sys.modules:
            return "run in the folder that holds the module, or add that folder to PYTHONPATH"
        close = difflib.get_close_matches(missing, dir(sys.modules[parent]), n=1)
        return f"did you mean {parent}.{close[0]}?" if close else f"name something that {parent} has"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if package in sys.modules:
            return f"correct the import in {name.rpartition('.')[0]}: {package} has no such module"
        return f"install {error.name}, which {name.rpartition('.')[0]} needs"
    return f"correct {name.rpartition('.')[0]}, or name another class"


def _suggest(key: Any, names: list[str]) -> str:
    close = difflib.get_close_matches(str(key), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(names)}"
