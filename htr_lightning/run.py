"""One experiment, from its configuration to its result."""

import json
import logging
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.utils import instantiate
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    LearningRateMonitor,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from htr_lightning.checkpoint import ModelInfo, write_model
from htr_lightning.config import ConfigError
from htr_lightning.data.module import LineDataModule
from htr_lightning.files import write_json, write_text
from htr_lightning.model.recognizer import CRNN
from htr_lightning.monitor import EpochLog, ProgressBar, Throughput, ValidationPanel, progress_bar
from htr_lightning.provenance import describe_run, now
from htr_lightning.task import RecognitionTask

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> dict[str, float]:
    """Train, choose the best weights on val, measure them on test, write the model file.

    Args:
        cfg: validated; see `htr_lightning.config`.
        folder: of the run; where it holds ``checkpoints/last.ckpt`` and ``cfg.resume`` is set, the run goes on.

    Returns:
        The scores, as written to ``result.json``.

    Raises:
        ConfigError, DataError: something the run needs is missing; nothing was trained.
    """
    keep_cpu_kernels()
    provenance = start_folder(cfg, folder)
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)

    optim, make_model, make_trainer = build(cfg.optim), build(cfg.model), build(cfg.trainer)
    data = build(cfg.loader)(
        source=build(cfg.dataset),
        preprocess=build(cfg.preprocess),
        augment=build(cfg.augment),
        seed=cfg.seed,
        progress=progress_bar,
    )
    data.setup()
    model = make_model(data.charset.num_classes)
    data.drop_infeasible(model.frame_lengths)
    describe(cfg, data, model)
    info = describe_model(cfg, model, data, provenance["commit"])
    task = RecognitionTask(model, data.charset, optim, auxiliary_weight=cfg.auxiliary_weight, info=asdict(info))

    checkpoints = folder / "checkpoints"
    best = ModelCheckpoint(checkpoints, "best", monitor="val/cer", mode="min", enable_version_counter=False)
    last = ModelCheckpoint(checkpoints, "last", enable_version_counter=False)
    tensorboard = TensorBoardLogger(folder, "tensorboard", version="")
    trainer = make_trainer(
        default_root_dir=folder,
        callbacks=[*callbacks(cfg), best, last],
        logger=[tensorboard, CSVLogger(folder, "csv")],
        gradient_clip_val=optim.clip_norm,
        use_distributed_sampler=False,
    )
    trainer.fit(task, data, ckpt_path=last_checkpoint(folder) if cfg.resume else None, weights_only=True)

    scores: dict[str, float] = {"val/cer": float(best.best_model_score)} if best.best_model_score else {}
    if best.best_model_path:  # empty in a dry run (trainer=debug)
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        task.load_state_dict(state["state_dict"])
    scores |= measure(trainer, task, data)
    if trainer.is_global_zero:
        tensorboard.log_hyperparams(flat(cfg), {f"final/{name}": value for name, value in scores.items()})
        finish_folder(folder, model, replace(info, scores=scores), data, provenance)
    shown = ", ".join(f"{name} {100 * value:.2f} %" for name, value in scores.items() if name.endswith(("cer", "wer")))
    log.info("Done: %s. The model: %s", shown, folder / "model.safetensors")
    return scores


def keep_cpu_kernels() -> None:
    """Let oneDNN keep a kernel for every shape of a batch: making one takes as long as using it several times.

    Its own limit of 1,024 kernels is less than the shapes of one epoch need; training on a CPU becomes a third
    faster (experiments/copiste). Must happen before the first convolution.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")


def build(node: Any) -> Any:
    """Make the object that a config node describes; lists and mappings reach it as plain Python."""
    return instantiate(node, _convert_="all")


def describe(cfg: DictConfig, data: LineDataModule, model: CRNN) -> None:
    """Log what is about to be trained on what."""
    assert data.charset is not None
    lines = " + ".join(f"{len(packed)} {split}" for split, packed in data.packed.items())
    log.info(
        "%s: %s lines, %d characters; %s: %.2f M parameters; precision %s",
        cfg.run_name,
        lines,
        len(data.charset),
        type(model).__name__,
        sum(p.numel() for p in model.parameters()) / 1e6,
        cfg.trainer.get("precision"),
    )


def callbacks(cfg: DictConfig) -> list[Callback]:
    """Return what watches the run, besides the checkpoints."""
    made: list[Callback] = [EpochLog(), ValidationPanel(), Throughput(), LearningRateMonitor("step")]
    if cfg.trainer.get("enable_progress_bar", True):
        made.append(ProgressBar())
    if cfg.early_stopping is not None:
        made.append(EarlyStopping("val/cer", patience=cfg.early_stopping))
    if cfg.optim.get("ema_decay") is not None:
        made.append(EMAWeightAveraging(decay=cfg.optim.ema_decay))
    return made


def start_folder(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    """Write ``config.yaml`` (resolved) and ``run.json``, and return the latter's content.

    Raises:
        ConfigError: the folder cannot be written, or holds a run already.
    """
    provenance = describe_run(cfg.seed)
    if getattr(rank_zero_only, "rank", 0) != 0:
        return provenance
    if not cfg.resume and (folder / "checkpoints").exists():
        raise ConfigError(
            f"hydra.run.dir: {folder} already holds a run; go on with it (resume={folder}) or choose another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if cfg.resume and (folder / "run.json").is_file():
            before = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            provenance = before | {"resumed": [*before.get("resumed", []), provenance]}
        write_text(folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        write_json(folder / "run.json", provenance)
    except OSError as error:
        raise ConfigError(
            f"hydra.run.dir: the run folder {folder} cannot be written ({error.strerror}); choose another"
        ) from None
    return provenance


def last_checkpoint(folder: Path) -> Path:
    """Return the checkpoint that a stopped run goes on from.

    Raises:
        ConfigError: there is none.
    """
    path = folder / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise ConfigError(f"resume: {folder} has no checkpoints/last.ckpt; the run ended before its first epoch did")
    return path


def measure(trainer: lightning.Trainer, task: RecognitionTask, data: LineDataModule) -> dict[str, float]:
    """Return the scores of val, and of test where there is one."""
    scores = dict(trainer.validate(task, data, verbose=False)[0])
    if len(data.packed["test"]):
        scores |= trainer.test(task, data, verbose=False)[0]
    return {name: float(value) for name, value in scores.items() if "/" in name and math.isfinite(value)}


def flat(cfg: DictConfig) -> dict[str, Any]:
    """Return the configuration as ``{"optim.lr": 0.003, ...}``, without the constructors' names."""
    values: dict[str, Any] = {}

    def visit(node: Any, path: str) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                visit(value, f"{path}{key}.")
            elif not key.startswith("_"):
                values[f"{path}{key}"] = value if isinstance(value, bool | int | float) else str(value)

    visit(OmegaConf.to_container(cfg, resolve=True), "")
    return values


def describe_model(cfg: DictConfig, model: CRNN, data: LineDataModule, commit: str) -> ModelInfo:
    """Return what the model file will say, but for the scores."""
    assert data.charset is not None
    return ModelInfo(
        architecture=type(model).__name__,
        arguments=model.arguments,
        charset=data.charset.to_dict(),
        preprocess=data.preprocess.to_dict(),
        width_step_px=data.width_step_px,
        data={"name": type(data.source).__name__, "train": data.packed["train"].fingerprint},
        commit=commit,
    )


def finish_folder(folder: Path, model: CRNN, info: ModelInfo, data: LineDataModule, provenance: dict[str, Any]) -> None:
    """Write ``model.safetensors``, ``result.json``, and the end of ``run.json``."""
    write_model(folder / "model.safetensors", model.state_dict(), info)
    counts = {f"lines/{split}": len(packed) for split, packed in data.packed.items()}
    write_json(folder / "result.json", info.scores | counts)
    fingerprints = {split: packed.fingerprint for split, packed in data.packed.items()}
    write_json(folder / "run.json", provenance | {"data": fingerprints, "end": now()})
