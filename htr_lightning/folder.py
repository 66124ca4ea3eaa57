"""What a run folder holds, and when it may be written."""

import json
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from htr_lightning.checkpoint import write_model
from htr_lightning.config import ConfigError
from htr_lightning.data.module import LineDataModule
from htr_lightning.files import write_json, write_text
from htr_lightning.model.recognizer import CRNN
from htr_lightning.model_info import ModelInfo
from htr_lightning.provenance import describe_run, now


def claim(folder: Path, resume: bool) -> None:
    """Make the folder of a new run, or check that an old one can be gone on with; nothing in it changes yet.

    Raises:
        ConfigError: the folder cannot be written, holds a run already, or lacks the checkpoint to resume from.
    """
    if resume:
        last_checkpoint(folder)
    elif getattr(rank_zero_only, "rank", 0) == 0 and (folder / "checkpoints").exists():
        raise ConfigError(
            f"hydra.run.dir: {folder} already holds a run; go on with it (resume={folder}) or choose another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def last_checkpoint(folder: Path) -> Path:
    """Return the checkpoint that a stopped run goes on from.

    Raises:
        ConfigError: there is none.
    """
    path = folder / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise ConfigError(f"resume: {folder} has no checkpoints/last.ckpt; the run ended before its first epoch did")
    return path


def refuse_other_data(folder: Path, info: ModelInfo) -> None:
    """Compare what a run to resume was trained on with what it would go on with.

    Raises:
        ConfigError: the lines, their preprocessing or the charset are not the same.
    """
    path = last_checkpoint(folder)
    try:
        before = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["htr_lightning"]
    except (RuntimeError, KeyError, OSError, EOFError, ValueError) as error:
        raise ConfigError(f"resume: {path} cannot be read ({error}); start anew") from None
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
    provenance = describe_run(cfg.seed) | {"data": fingerprints}
    if getattr(rank_zero_only, "rank", 0) != 0:
        return provenance
    try:
        if cfg.resume and (folder / "run.json").is_file():
            before = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            provenance = before | {"resumed": [*before.get("resumed", []), provenance]}
        write_text(folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        write_json(folder / "run.json", provenance)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return provenance


def finish(folder: Path, model: CRNN, info: ModelInfo, data: LineDataModule, provenance: dict[str, Any]) -> None:
    """Write ``model.safetensors``, ``result.json``, and the end of ``run.json``."""
    write_model(folder / "model.safetensors", model.state_dict(), info)
    counts = {f"lines/{split}": len(packed) for split, packed in data.packed.items()}
    write_json(folder / "result.json", info.scores | counts)
    write_json(folder / "run.json", provenance | {"end": now()})


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"hydra.run.dir: the run folder {folder} cannot be written ({error.strerror}); choose another")
