"""A run folder is prepared, checked against the run that it holds, and filled."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, DictConfig, OmegaConf

from htr_lightning.config.compose import read_config
from htr_lightning.config.schema import AUTO, Config, ConfigError
from htr_lightning.errors import InputError
from htr_lightning.files import OutputError, RunFolder, file_lock, report_write_errors, write_json, write_text
from htr_lightning.model.info import ModelInfo
from htr_lightning.report.outputs import MODEL, Kind, Output, check_outputs, json_kind
from htr_lightning.training.lightning_fixes import is_rank_zero
from htr_lightning.training.provenance import describe_run, now
from htr_lightning.training.resume import find_checkpoint


class RunFolderBusyError(InputError):
    """Another process trains in the run folder."""


@contextlib.contextmanager
def claim_run_folder(folder: RunFolder) -> Iterator[None]:
    """Make the folder of a run, and keep other processes out of it; the first of several processes of a run claims it.

    Raises:
        RunFolderBusyError: another process trains in the folder.
        OutputError: the folder cannot be written.
    """

    def refuse() -> None:
        raise RunFolderBusyError(
            "another process is training in this folder",
            key="hydra.run.dir",
            value=folder.path,
            remedy="wait until it ends, or choose another folder",
            kind="busy",
        )

    with contextlib.ExitStack() as stack:
        if is_rank_zero():
            with report_write_errors(folder.path, "hydra.run.dir"):
                folder.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(file_lock(folder.path / ".lock", refuse))
        yield


_CONFIG: Kind = re.compile(rb"(?=.*^run_name:)(?=.*^optim:)", re.DOTALL | re.MULTILINE)
_RESULT: Kind = re.compile(rb'\s*\{\s*"(train|val|test|lines)/')


def prepare_run_folder(folder: RunFolder, resume: str | None) -> Path | None:
    """Make the folder of a new run, or find the checkpoint to resume from; nothing in the folder changes yet.

    Args:
        folder: of the run.
        resume: as in the configuration: a folder, `AUTO`, or None for a new run.

    Returns:
        The checkpoint to resume from; None for a new run.

    Raises:
        ConfigError: the folder holds a run already, or lacks the checkpoint to resume from.
        OutputError: the folder cannot be written.
    """
    if resume is not None:
        checkpoint = find_checkpoint(folder)
        if checkpoint is None and resume != AUTO:
            raise ConfigError(
                f"no checkpoint was saved yet in {folder.checkpoints}", key="resume", remedy="start the run again"
            )
    else:
        checkpoint = None
        holds_run = folder.checkpoints.exists() or folder.model.exists()
        if is_rank_zero() and holds_run:
            raise ConfigError(
                "the folder already holds a run",
                key="hydra.run.dir",
                value=folder.path,
                remedy=f"resume it (resume={folder.path}) or choose another folder",
            )
    if checkpoint is None and is_rank_zero():
        _refuse_other_files(folder)
    with report_write_errors(folder.path, "hydra.run.dir"):
        folder.path.mkdir(parents=True, exist_ok=True)
    return checkpoint


def _refuse_other_files(folder: RunFolder) -> None:
    """Refuse to write over files that no run wrote, such as a model to start from.

    Raises:
        ConfigError: there are some.
    """
    kinds = {
        folder.config: _CONFIG,
        folder.info: json_kind("version"),
        folder.result: _RESULT,
        folder.model: MODEL if folder.info.is_file() else None,  # of a run without checkpoints
    }
    try:
        check_outputs((Output(path, kind, folder=folder.path) for path, kind in kinds.items()), [])
    except OutputError as error:
        remedy = "choose another folder"
        raise ConfigError(error.problem, key="hydra.run.dir", value=folder.path, remedy=remedy) from None


def refuse_other_config(folder: RunFolder, cfg: DictConfig) -> None:
    """Refuse to resume a run by ``resume=auto`` with another configuration.

    Root keys that did not exist when the run was started count with their defaults; its loggers may then be any.

    Raises:
        ConfigError: they differ; names every key with both values.
    """
    defaults, saved, current = (
        {key: value for key, value in flatten_config(given).items() if value not in (MISSING, {})}
        for given in (OmegaConf.structured(Config), read_config(folder.config), cfg)
    )
    before = defaults | saved
    ignored = {"resume", "trial", "trust"} | ({"logger"} if all(_root(key) != "logger" for key in saved) else set())
    differing = [
        f"  {key}: {before.get(key, 'not set')} in the run, {current.get(key, 'not set')} now"
        for key in sorted(before.keys() | current.keys())
        if _root(key) not in ignored and before.get(key) != current.get(key)
    ]
    if differing:
        raise ConfigError(
            f"resume: the run in {folder.path} has another configuration:\n" + "\n".join(differing) + "\n  "
            f"resume it as it is (resume={folder.path}), or choose another folder (hydra.run.dir)"
        )


def _root(key: str) -> str:
    return key.partition(".")[0]


def flatten_config(cfg: Any) -> dict[str, Any]:
    """Return a configuration as ``{"optim.lr": 0.003, ...}``."""
    values: dict[str, Any] = {}

    def visit(node: Any, path: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                visit(value, f"{path}.{key}" if path else str(key))
        else:
            values[path] = node

    visit(OmegaConf.to_container(cfg, resolve=True), "")
    return values


def refuse_other_data(folder: RunFolder, checkpoint: Path, info: ModelInfo) -> None:
    """Refuse to resume a run with other training data.

    Raises:
        ConfigError: the lines, their preprocessing or the charset are not the same.
    """
    before = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["htr_lightning"]
    for what, old, new in (
        ("training lines are", before["data"], info.data),
        ("characters are", before["charset"], info.charset),
    ):
        if old != new:
            raise ConfigError(
                f"resume: the {what} not those of the run in {folder.path}; restore the data, or start a new run"
            )


def write_start(cfg: DictConfig, folder: RunFolder, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Write ``config.yaml`` (resolved) and ``run.json`` just before training, and return the latter's content.

    Args:
        cfg: of the run.
        folder: of the run.
        fingerprints: of the data of each split.

    Raises:
        OutputError: the folder cannot be written.
    """
    provenance = describe_run(cfg.seed) | describe_composition() | {"data": dict(fingerprints)}
    if not is_rank_zero():
        return provenance
    with report_write_errors(folder.path, "hydra.run.dir"):
        if cfg.resume and folder.info.is_file():
            before = json.loads(folder.info.read_text(encoding="utf-8"))
            before.pop("end", None)  # the run had ended, and is trained further
            provenance = before | {"resumed": [*before.get("resumed", []), provenance]}
        write_text(folder.config, OmegaConf.to_yaml(cfg, resolve=True))
        write_json(folder.info, provenance)
    return provenance


def describe_composition() -> dict[str, Any]:
    """Return the group options and the overrides of a run that Hydra started."""
    if not HydraConfig.initialized():
        return {}
    hydra = HydraConfig.get()
    choices = {key: value for key, value in hydra.runtime.choices.items() if not str(key).startswith("hydra/")}
    return {"choices": choices, "overrides": list(hydra.overrides.task)}


def write_results(folder: RunFolder, result: Mapping[str, float], provenance: dict[str, Any]) -> None:
    """Write ``result.json``, and the end of ``run.json``."""
    write_json(folder.result, dict(result))
    write_json(folder.info, provenance | {"end": now()})
