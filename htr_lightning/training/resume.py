"""What lets a stopped run go on as if it had not stopped: its whole state, kept while it trains."""

import io
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
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_only

from htr_lightning.config.schema import ConfigError
from htr_lightning.files import replacing

LAST, PREVIOUS, _WRITTEN = "last.ckpt", "previous.ckpt", ".written.ckpt"
log = logging.getLogger(__name__)


class PreemptedError(Exception):
    """The run was asked to stop (SIGTERM, SIGUSR1, Ctrl-C), and its state is kept; the message says where.

    Attributes:
        status: of the process, as shells report signals.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class CheckpointWriteError(OSError):
    """The state of the run cannot be written; what was kept before is still there."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints that appear whole or not at all; Lightning's own may be cut where the disk is full.

    Attributes:
        error: why one could not be written. It is not raised at once, when other processes are waiting for this one,
            but by `ResumeCheckpoint`, in all of them.
    """

    error: CheckpointWriteError | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; Lightning calls this in the first process."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with replacing(Path(path)) as file:
                file.write(content.getbuffer())
        except OSError as error:
            self.error = CheckpointWriteError(f"{Path(path).parent} cannot be written ({error.strerror or error})")


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights with the lowest CER on val; a run whose folder was moved still knows which they are.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "best", monitor="val/cer", mode="min", enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state over into the folder of now."""
        before, now = str(state_dict["dirpath"]), str(self.dirpath)
        moved = {
            key: value.replace(before, now) if isinstance(value, str) else value for key, value in state_dict.items()
        }
        moved["best_k_models"] = {path.replace(before, now): k for path, k in state_dict["best_k_models"].items()}
        super().load_state_dict(moved)


class ResumeCheckpoint(Checkpoint):
    """Keeps the state of a run in ``last.ckpt``, and the one before in ``previous.ckpt``.

    It is written after each epoch, in the middle of one when the last is older than ``every_minutes``, and when the
    process gets SIGTERM, SIGUSR1 or Ctrl-C, which end the run after the step it is in, or the validation that belongs
    to it; while a trained model is measured, after the batch, or with several processes after the split.
    A run that goes on from it takes the same steps as one that never stopped: the loader goes on with the same batch
    (`htr_lightning.data.module.LineLoader`). With several processes, all of them stop after the same step, whichever
    got the signal.

    Args:
        folder: of the checkpoints.
        every_minutes: between two writings in an epoch.
        writer: of the checkpoints.
        begun_from: the checkpoint that the run goes on from, if any.

    Raises:
        PreemptedError: from within the trainer, after a signal.
        CheckpointWriteError: from within ``Trainer.fit``.
    """

    def __init__(
        self, folder: Path, every_minutes: float, writer: AtomicCheckpointIO, begun_from: Path | None = None
    ) -> None:
        self.folder, self.every_s, self.writer = folder, 60 * every_minutes, writer
        self._last_is_sound = begun_from == folder / LAST
        self._epoch_ends = False
        self._signal: signal.Signals | None = None
        self._kept_at = time.monotonic()

    def on_sanity_check_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen to signals, as early as Lightning lets."""
        self._listen()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen to signals, and start the clock."""
        self._listen()
        self._kept_at = time.monotonic()
        watching = [c for c in trainer.callbacks if isinstance(c, EarlyStopping)]  # type: ignore[attr-defined]
        if any(callback.wait_count >= callback.patience for callback in watching):
            trainer.should_stop = True  # early stopping ended the run before it was stopped; Lightning forgets that

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep the state in the middle of an epoch, but not between a step and the validation that belongs to it."""
        due = time.monotonic() - self._kept_at >= self.every_s
        stop, due = self._anywhere(trainer, self._signal is not None, due)
        if not (stop or due) or not between_steps(trainer, batch_idx):
            return
        self._keep(trainer)
        if stop:
            self._end(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep the state after an epoch and its validation."""
        self._epoch_ends = True
        try:
            self._keep(trainer)
        finally:
            self._epoch_ends = False
        if any(self._anywhere(trainer, self._signal is not None)):
            self._end(trainer)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen to signals while a trained model is measured."""
        if trainer.state.fn != TrainerFn.FITTING:
            self._listen()

    def on_validation_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Stop measuring, unless others wait for this process to go on."""
        if trainer.state.fn != TrainerFn.FITTING and trainer.world_size == 1 and self._signal is not None:
            self._end(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop after measuring, all processes together."""
        if trainer.state.fn != TrainerFn.FITTING and any(self._anywhere(trainer, self._signal is not None)):
            self._end(trainer)

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
        """Say that an epoch is over where Lightning, in runs by steps, would go on in it, and skip the next one."""
        if not self._epoch_ends or trainer.max_steps == -1:
            return
        loops = checkpoint["loops"]["fit_loop"]
        for counted in (loops["epoch_progress"]["current"], loops["epoch_progress"]["total"]):
            counted["completed"] = counted["processed"]
        batches = loops["epoch_loop.batch_progress"]
        batches["current"] = dict.fromkeys(batches["current"], 0)
        batches["is_last_batch"] = False

    def _listen(self) -> None:
        """Take signals in place of Lightning, which would keep nothing, or wait for other processes."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGTERM", "SIGUSR1", "SIGINT"):
            if asked := getattr(signal, name, None):  # Windows has no SIGUSR1
                signal.signal(asked, self._stop)  # Lightning puts the handlers of before back when it ends

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(signum)
        if signum == signal.SIGINT:
            print("Stopping after this step; Ctrl-C again stops at once", file=sys.stderr)
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _keep(self, trainer: lightning.Trainer) -> None:
        self._kept_at = time.monotonic()
        if getattr(trainer, "fast_dev_run", False):
            return
        written, last = self.folder / _WRITTEN, self.folder / LAST
        self._refuse_what_is_not_written(trainer)
        trainer.save_checkpoint(written, weights_only=False)
        self._refuse_what_is_not_written(trainer)
        if trainer.is_global_zero:
            if last.exists() and self._last_is_sound:
                last.replace(self.folder / PREVIOUS)
            written.replace(last)
        self._last_is_sound = True

    def _refuse_what_is_not_written(self, trainer: lightning.Trainer) -> None:
        """Raise what kept the first process from writing, in every process."""
        if any(self._anywhere(trainer, self.writer.error is not None)):
            raise self.writer.error or CheckpointWriteError(f"{self.folder} cannot be written by the first process")

    def _end(self, trainer: lightning.Trainer) -> None:
        asked = self._signal or signal.SIGTERM  # of another process
        raise PreemptedError(
            f"asked to stop ({asked.name}) "
            + (f"after step {trainer.global_step}" if trainer.state.fn == TrainerFn.FITTING else "while it measured")
            + f"; {self.folder / LAST} is kept",
            128 + asked,
        )

    @staticmethod
    def _anywhere(trainer: lightning.Trainer, *here: bool) -> Sequence[bool]:
        """Whether it is so in any process; all get the same answers."""
        if trainer.world_size == 1:
            return here
        there = torch.tensor(here, dtype=torch.float32, device=trainer.strategy.root_device)
        return [number > 0 for number in trainer.strategy.reduce(there, reduce_op="sum").tolist()]


def between_steps(trainer: lightning.Trainer, batch_idx: int) -> bool:
    """Whether a run stopped after this batch could go on exactly: no gradients gathered, no validation due."""
    every = trainer.val_check_batch
    counted = trainer.fit_loop.total_batch_idx if trainer.check_val_every_n_epoch is None else batch_idx
    last = batch_idx + 1 >= trainer.num_training_batches
    validates = every is not None and every != float("inf") and (counted + 1) % every == 0
    done = 0 < trainer.max_steps <= trainer.global_step
    return not (last or validates or done or (batch_idx + 1) % trainer.accumulate_grad_batches)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest state of a run that can be read, from which it goes on; None where none was kept yet.

    A damaged ``last.ckpt`` is passed over with a warning.

    Raises:
        ConfigError: there are checkpoints, and none of them can be read.
    """
    damaged: list[str] = []
    for path in kept(folder):
        reason = unreadable(path)
        if reason is None:
            if damaged and getattr(rank_zero_only, "rank", 0) == 0:
                log.warning("%s; going on from %s, the one before", "; ".join(damaged), path)
            return path
        damaged.append(f"{path} is damaged ({reason})")
    if damaged:
        raise ConfigError(f"resume: {'; '.join(damaged)}; start anew in another folder")
    return None


def kept(folder: Path) -> list[Path]:
    """Return the states that a run folder holds, the newest first."""
    return [path for name in (LAST, PREVIOUS) if (path := folder / "checkpoints" / name).is_file()]


def unreadable(path: Path) -> str | None:
    """Return how a checkpoint is damaged, or None.

    Raises:
        ConfigError: it cannot be read for another reason.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(f"resume: {path} cannot be read ({error.strerror or error})") from None
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        return str(error).splitlines()[0] if str(error) else "it is empty"
    missing = {"state_dict", "loops", "optimizer_states", "htr_lightning"} - set(state)
    return f"it lacks {', '.join(sorted(missing))}" if missing else None
