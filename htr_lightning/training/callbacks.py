"""What the runs of all tasks share: their callbacks, and the final measurement."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, LearningRateMonitor
from omegaconf import DictConfig

from htr_lightning.files import RunFolder
from htr_lightning.training.exits import LostProcess
from htr_lightning.training.extensions import Extensions
from htr_lightning.training.lightning_fixes import (
    AtomicCheckpointIO,
    BestCheckpoint,
    MovingAverage,
    remove_weight_averaging,
    slurm_plugins,
)
from htr_lightning.training.monitor import ProgressBar, ValidationLog
from htr_lightning.training.monitored_score import MonitoredScore
from htr_lightning.training.part_checks import check_callbacks
from htr_lightning.training.resume import ResumeCheckpoint
from htr_lightning.training.run_description import RunDescription
from htr_lightning.training.run_folder import flatten_config

log = logging.getLogger(__name__)


def build_common_callbacks(
    cfg: DictConfig,
    folder: RunFolder,
    extensions: Extensions,
    monitor: MonitoredScore,
    own: Sequence[Callback],
    description: RunDescription,
) -> list[Callback]:
    """Return the callbacks of a run, without those that save checkpoints and those of the configuration.

    Args:
        cfg: of the run.
        folder: of the run.
        extensions: of the configuration.
        monitor: the score that counts.
        own: callbacks of the task.
        description: for the loggers.

    Raises:
        ConfigError: a callback of the configuration would overwrite the state of one of them.
    """
    callbacks: list[Callback] = [ValidationLog(monitor), *own]
    if extensions.loggers:
        callbacks += [LearningRateMonitor("step"), description]
    callbacks.append(LostProcess(folder, cfg))
    if cfg.trial is not None:
        from htr_lightning.training.pruning import (  # needs the extra sweep, as the sweeper did
            TrialReporter,
            load_trial,
        )

        callbacks.append(TrialReporter(load_trial(cfg.trial)))
    if cfg.trainer.get("enable_progress_bar", True):
        callbacks.append(ProgressBar())
    if cfg.early_stopping is not None:
        callbacks.append(EarlyStopping(monitor.score, patience=cfg.early_stopping, mode=monitor.mode))
    if cfg.optim.get("ema_decay") is not None:
        callbacks.append(MovingAverage(cfg.optim.ema_decay))
    best = BestCheckpoint(folder.checkpoints, monitor)
    check_callbacks([*callbacks, *extensions.callbacks.values(), best], extensions.callbacks)
    return callbacks


def build_trainer(
    make_trainer: Callable[..., lightning.Trainer],
    cfg: DictConfig,
    folder: RunFolder,
    checkpoint: Path | None,
    monitor: MonitoredScore,
    callbacks: Sequence[Callback],
    extensions: Extensions,
    clip_norm: float | None,
    *,
    keep_best: bool = True,
) -> tuple[lightning.Trainer, BestCheckpoint]:
    """Return the trainer of a run, and the callback that keeps the best weights.

    Args:
        make_trainer: of the configuration.
        cfg: of the run.
        folder: of the run.
        checkpoint: to resume from; None for a new run.
        monitor: the score that decides which weights are the best.
        callbacks: of the task, before those of the configuration.
        extensions: of the configuration.
        clip_norm: gradients are scaled down to this norm; None to leave them.
        keep_best: whether val decides which weights are taken; otherwise the callback is not used.
    """
    checkpoint_io, best = AtomicCheckpointIO(), BestCheckpoint(folder.checkpoints, monitor)
    last = ResumeCheckpoint(folder, cfg.checkpoint_minutes, checkpoint_io, checkpoint)
    trainer = make_trainer(
        default_root_dir=folder.path,
        callbacks=[*callbacks, *extensions.callbacks.values(), *([best] if keep_best else []), last],
        logger=list(extensions.loggers.values()),
        plugins=[checkpoint_io, *slurm_plugins()],
        gradient_clip_val=clip_norm,
        use_distributed_sampler=False,
    )
    return trainer, best


def load_best_weights(task: lightning.LightningModule, best: BestCheckpoint, cfg: DictConfig) -> None:
    """Give a task the weights with the best score on val."""
    if best.best_model_path:  # empty in a dry run (trainer=debug)
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        task.load_state_dict(state["state_dict"])
    elif not cfg.trainer.get("fast_dev_run"):
        log.warning("Nothing was validated during training: the model has the weights of the last step, not the best")


def log_result(scores: Mapping[str, float], names: Sequence[str], folder: RunFolder) -> None:
    """Log the scores with some names, in percent, and where the model is."""
    shown = [f"{name} {100 * value:.2f} %" for name, value in scores.items() if name.endswith(tuple(names))]
    log.info("Done%s. Model: %s", f": {', '.join(shown)}" if shown else "", folder.model)


def measure(
    trainer: lightning.Trainer,
    task: lightning.LightningModule,
    data: lightning.LightningDataModule,
    *,
    has_val: bool = True,
    has_test: bool,
) -> dict[str, float]:
    """Evaluate the weights of the task on val and on test, unless they are empty or ``limit_test_batches`` is 0.

    The loggers do not get the scores on val, which would be one more point of their curves.
    """
    remove_weight_averaging(trainer)
    scores: dict[str, Any] = {}
    if has_val:
        loggers, trainer.loggers = trainer.loggers, []
        scores |= trainer.validate(task, data, verbose=False)[0]
        trainer.loggers = loggers
    if has_test and trainer.limit_test_batches != 0:
        scores |= trainer.test(task, data, verbose=False)[0]
    return {name: float(value) for name, value in scores.items() if "/" in name and math.isfinite(value)}


def flatten_hyperparameters(cfg: DictConfig) -> dict[str, Any]:
    """Return the configuration as the flat hyperparameters of TensorBoard, without the names of constructors."""
    return {
        key: value if isinstance(value, bool | int | float) else str(value)
        for key, value in flatten_config(cfg).items()
        if not key.rpartition(".")[2].startswith("_")
    }
