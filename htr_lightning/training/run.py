"""One run, from its configuration to its result."""

from pathlib import Path
from typing import ClassVar, Protocol

import lightning
from omegaconf import DictConfig

from htr_lightning.config.build import build
from htr_lightning.device import enlarge_onednn_cache
from htr_lightning.files import RunFolder
from htr_lightning.training.monitored_score import MonitoredScore
from htr_lightning.training.run_description import finish_wandb
from htr_lightning.training.run_folder import claim_run_folder, prepare_run_folder


class Task(Protocol):
    """What a run trains: a class that ``task._target_`` names.

    Attributes:
        monitor: the score on val that decides which weights are the best.
    """

    monitor: ClassVar[MonitoredScore]

    def train_and_measure(self, cfg: DictConfig, folder: RunFolder, checkpoint: Path | None) -> dict[str, float]:
        """Train, load the weights with the best score on val, evaluate them on val and test, write the model file.

        Args:
            cfg: validated.
            folder: of the run.
            checkpoint: to resume from; None for a new run.

        Returns:
            The scores, as written to ``result.json``.
        """
        ...


def run(cfg: DictConfig, path: Path) -> dict[str, float]:
    """Train, evaluate and write a model; see `Task.train_and_measure`.

    Args:
        cfg: validated; see `htr_lightning.config`.
        path: the run folder; with ``cfg.resume``, that of the run to resume.

    Returns:
        The scores, as written to ``result.json``.

    Raises:
        ConfigError, DataError: something the run needs is missing; nothing was trained.
        PreemptedError, CheckpointWriteError, NonFiniteLossError: it stopped in the middle; see `ResumeCheckpoint`.
    """
    enlarge_onednn_cache()
    folder = RunFolder(path)
    with claim_run_folder(folder), finish_wandb():
        checkpoint = prepare_run_folder(folder, cfg.resume)
        lightning.seed_everything(cfg.seed, workers=True, verbose=False)
        task: Task = build(cfg.task)
        return task.train_and_measure(cfg, folder, checkpoint)
