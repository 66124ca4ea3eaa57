"""What a run folder holds, and when it may be written."""

import json
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import MISSING, DictConfig, OmegaConf

from htr_lightning.config.schema import AUTO, Config, ConfigError
from htr_lightning.data.module import LineDataModule
from htr_lightning.files import write_json, write_text
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import write_model
from htr_lightning.model.info import ModelInfo
from htr_lightning.training.provenance import describe_run, now
from htr_lightning.training.resume import LAST, last_checkpoint


def claim(folder: Path, resume: str | None) -> Path | None:
    """Make the folder of a new run, or find what an old one goes on from; nothing in it changes yet.

    Args:
        folder: of the run.
        resume: as in the configuration: a folder, `AUTO`, or None for a new run.

    Returns:
        The checkpoint to go on from, if any.

    Raises:
        ConfigError: the folder cannot be written, holds a run already, or lacks the checkpoint to resume from.
    """
    if resume is not None:
        checkpoint = last_checkpoint(folder)
        if checkpoint is None and resume != AUTO:
            raise ConfigError(
                f"resume: {folder} has no checkpoints/{LAST}; the run ended before it kept anything; start it anew"
            )
    else:
        checkpoint = None
        if getattr(rank_zero_only, "rank", 0) == 0 and (folder / "checkpoints").exists():
            raise ConfigError(
                f"hydra.run.dir: {folder} already holds a run; go on with it (resume={folder}) or choose another folder"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return checkpoint


def finished(folder: Path) -> dict[str, float] | None:
    """Return the scores of a run that is complete, or None."""
    try:
        ended = "end" in json.loads((folder / "run.json").read_text(encoding="utf-8"))
        scores: dict[str, float] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return scores if ended and (folder / "model.safetensors").is_file() else None


def refuse_other_config(folder: Path, cfg: DictConfig) -> None:
    """Compare the configuration of a run in a folder with the one it would go on with by itself.

    Root keys that are newer than the run had their defaults then.

    Raises:
        ConfigError: they differ; names every key with both values.
    """
    defaults = {key: value for key, value in flat(OmegaConf.structured(Config)).items() if value != MISSING}
    before = defaults | flat(OmegaConf.load(folder / "config.yaml"))
    now_given = flat(cfg)
    differing = [
        f"  {key}: {before.get(key, 'nothing')} there, {now_given.get(key, 'nothing')} here"
        for key in sorted(before.keys() | now_given.keys())
        if key not in ("resume", "trial") and before.get(key) != now_given.get(key)
    ]
    if differing:
        raise ConfigError(
            f"resume: the run in {folder} has another configuration:\n" + "\n".join(differing) + "\n  "
            f"go on with it as it is (resume={folder}), or choose another folder (hydra.run.dir)"
        )


def flat(cfg: Any) -> dict[str, Any]:
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


def refuse_other_data(folder: Path, checkpoint: Path, info: ModelInfo) -> None:
    """Compare what a run to resume was trained on with what it would go on with.

    Raises:
        ConfigError: the lines, their preprocessing or the charset are not the same.
    """
    before = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["htr_lightning"]
    for what, old, new in (
        ("training lines are", before["data"], info.data),
        ("charset is", before["charset"], info.charset),
    ):
        if old != new:
            raise ConfigError(
                f"resume: the {what} not what the run in {folder} had; restore the data, or start a new run"
            )


def start(cfg: DictConfig, folder: Path, data: LineDataModule) -> dict[str, Any]:
    """Write ``config.yaml`` (resolved) and ``run.json`` just before training, and return the latter's content.

    Raises:
        ConfigError: the folder cannot be written.
    """
    fingerprints = {split: packed.fingerprint for split, packed in data.packed.items()}
    provenance = describe_run(cfg.seed) | composed_from() | {"data": fingerprints}
    if getattr(rank_zero_only, "rank", 0) != 0:
        return provenance
    try:
        if cfg.resume and (folder / "run.json").is_file():
            before = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            before.pop("end", None)  # of a run that goes on for longer
            provenance = before | {"resumed": [*before.get("resumed", []), provenance]}
        write_text(folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        write_json(folder / "run.json", provenance)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return provenance


def composed_from() -> dict[str, Any]:
    """Return which options of the groups a run chose, and what it changed on the command line, where Hydra runs it."""
    if not HydraConfig.initialized():
        return {}
    hydra = HydraConfig.get()
    choices = {key: value for key, value in hydra.runtime.choices.items() if not str(key).startswith("hydra/")}
    return {"choices": choices, "overrides": list(hydra.overrides.task)}


def finish(folder: Path, model: CRNN, info: ModelInfo, data: LineDataModule, provenance: dict[str, Any]) -> None:
    """Write ``model.safetensors``, ``result.json``, and the end of ``run.json``."""
    write_model(folder / "model.safetensors", model.state_dict(), info)
    counts = {f"lines/{split}": len(packed) for split, packed in data.packed.items()}
    write_json(folder / "result.json", info.scores | counts)
    write_json(folder / "run.json", provenance | {"end": now()})


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"hydra.run.dir: the run folder {folder} cannot be written ({error.strerror}); choose another")
