"""Checkpoints from which a stopped run resumes exactly: same batches, same steps, same weights."""

import logging
import pickle
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from htr_lightning.config.schema import ConfigError
from htr_lightning.files import RunFolder
from htr_lightning.model.bounds import find_archive_damage
from htr_lightning.model.info import FINDER_KEY, METADATA_KEY
from htr_lightning.training.lightning_fixes import (
    AtomicCheckpointIO,
    CheckpointWriteError,
    can_resume_exactly,
    is_rank_zero,
    mark_epoch_complete,
    restore_early_stopping,
)

_WRITTEN = ".written.ckpt"
log = logging.getLogger(__name__)


class PreemptedError(Exception):
    """The run was asked to stop (SIGTERM, SIGUSR1, Ctrl-C), and a checkpoint was saved; the message says where.

    Attributes:
        status: exit status of the process, as shells report signals.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ResumeCheckpoint(Checkpoint):
    """Saves the state of a run as ``last.ckpt``, and keeps the one before as ``previous.ckpt``.

    A checkpoint is saved after each epoch, within an epoch when the last one is older than ``every_minutes``, and when
    the process gets SIGTERM, SIGUSR1 or Ctrl-C. These end the run after the current step, or after the validation that
    belongs to it; while a trained model is measured, after the batch, or with several processes after the split.
    A resumed run takes the same steps as one that was never stopped: the loader continues with the same batch
    (`htr_lightning.data.loader.ResumableLoader`). With several processes, all of them stop after the same step,
    whichever got the signal.

    Args:
        folder: of the run.
        every_minutes: between two checkpoints within an epoch.
        checkpoint_io: the trainer's plugin that writes checkpoints.
        resumed_from: the checkpoint that the run was resumed from; None for a new run.

    Raises:
        PreemptedError: from within the trainer, after a signal.
        CheckpointWriteError: from within ``Trainer.fit``.
    """

    def __init__(
        self,
        folder: RunFolder,
        every_minutes: float,
        checkpoint_io: AtomicCheckpointIO,
        resumed_from: Path | None = None,
    ) -> None:
        self.folder, self.every_s, self.checkpoint_io = folder, 60 * every_minutes, checkpoint_io
        self._last_is_valid = resumed_from == folder.last
        self._is_epoch_end = False
        self._signal: signal.Signals | None = None
        self._saved_at = time.monotonic()

    def on_sanity_check_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Handle signals from the first hook on."""
        self._handle_signals()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Handle signals, and start the clock."""
        self._handle_signals()
        self._saved_at = time.monotonic()
        restore_early_stopping(trainer)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save a checkpoint within an epoch, but not between a step and the validation that belongs to it."""
        due = time.monotonic() - self._saved_at >= self.every_s
        stop, due = self._any_process(trainer, self._signal is not None, due)
        if not (stop or due) or not can_resume_exactly(trainer, batch_idx):
            return
        self._save(trainer)
        if stop:
            self._stop_run(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save a checkpoint after an epoch and its validation."""
        self._is_epoch_end = True
        try:
            self._save(trainer)
        finally:
            self._is_epoch_end = False
        if any(self._any_process(trainer, self._signal is not None)):
            self._stop_run(trainer)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Handle signals while a trained model is measured."""
        if trainer.state.fn != TrainerFn.FITTING:
            self._handle_signals()

    def on_validation_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Stop measuring, unless other processes wait for this one."""
        if trainer.state.fn != TrainerFn.FITTING and trainer.world_size == 1 and self._signal is not None:
            self._stop_run(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop after measuring, all processes together."""
        if trainer.state.fn != TrainerFn.FITTING and any(self._any_process(trainer, self._signal is not None)):
            self._stop_run(trainer)

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Do as in validation, here and below."""
        self.on_validation_start(trainer, pl_module)

    def on_test_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:  # noqa: D102
        self.on_validation_batch_end(trainer)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: D102
        self.on_validation_end(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Mark the epoch as complete in a checkpoint that is saved at its end."""
        if self._is_epoch_end and trainer.max_steps != -1:
            mark_epoch_complete(checkpoint)

    def _handle_signals(self) -> None:
        """Replace Lightning's handlers, which save nothing, or wait for other processes."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGTERM", "SIGUSR1", "SIGINT"):
            if number := getattr(signal, name, None):  # Windows has no SIGUSR1
                signal.signal(number, self._on_signal)  # Lightning restores the handlers of before when it ends

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(signum)
        if signum == signal.SIGINT:
            print("Stopping after this step; press Ctrl-C again to stop at once", file=sys.stderr)
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _save(self, trainer: lightning.Trainer) -> None:
        self._saved_at = time.monotonic()
        if getattr(trainer, "fast_dev_run", False):
            return
        written, last = self.folder.checkpoints / _WRITTEN, self.folder.last
        self._raise_write_error(trainer)
        trainer.save_checkpoint(written, weights_only=False)
        self._raise_write_error(trainer)
        if trainer.is_global_zero:
            if last.exists() and self._last_is_valid:
                last.replace(self.folder.previous)
            written.replace(last)
        self._last_is_valid = True

    def _raise_write_error(self, trainer: lightning.Trainer) -> None:
        """Raise the error that kept the first process from writing, in every process."""
        if any(self._any_process(trainer, self.checkpoint_io.error is not None)):
            message = f"{self.folder.checkpoints} cannot be written by the first process"
            raise self.checkpoint_io.error or CheckpointWriteError(message)

    def _stop_run(self, trainer: lightning.Trainer) -> None:
        number = self._signal or signal.SIGTERM  # of another process
        fitting = trainer.state.fn == TrainerFn.FITTING
        when = f"after step {trainer.global_step}" if fitting else "while the trained model was measured"
        raise PreemptedError(f"{number.name} was received {when}; {self.folder.last} is saved", 128 + number)

    @staticmethod
    def _any_process(trainer: lightning.Trainer, *flags: bool) -> Sequence[bool]:
        """Return for each flag whether it is true in any process."""
        if trainer.world_size == 1:
            return flags
        counts = torch.tensor(flags, dtype=torch.float32, device=trainer.strategy.root_device)
        return [number > 0 for number in trainer.strategy.reduce(counts, reduce_op="sum").tolist()]


def find_checkpoint(folder: RunFolder) -> Path | None:
    """Return the newest checkpoint of a run that can be read; None where none was saved yet.

    A damaged ``last.ckpt`` is skipped with a warning.

    Raises:
        ConfigError: there are checkpoints, and none of them can be read.
    """
    damaged: list[str] = []
    for path in folder.resumable:
        reason = find_damage(path)
        if reason is None:
            if damaged and is_rank_zero():
                log.warning("%s; resuming from %s, the one before", "; ".join(damaged), path)
            return path
        damaged.append(f"{path} is damaged ({reason})")
    if damaged:
        raise ConfigError("; ".join(damaged), key="resume", remedy="start a new run in another folder", kind="damaged")
    return None


def find_damage(path: Path) -> str | None:
    """Return why a checkpoint cannot be loaded, or None.

    Raises:
        ConfigError: the file cannot be read for another reason, such as permissions.
    """
    try:
        if damage := find_archive_damage(path):
            return damage
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror or error})", key="resume", file=path) from None
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        return str(error).splitlines()[0].partition(". ")[0] if str(error) else "it is empty"
    missing = {"state_dict", "loops", "optimizer_states"} - set(state)
    if not {METADATA_KEY, FINDER_KEY} & set(state):
        missing.add(METADATA_KEY)
    return f"it lacks {', '.join(sorted(missing))}" if missing else None
