"""What this project works around in Lightning 2.6, each with the upstream issue.

``tests/training/test_lightning_fixes.py`` has a test for each that fails once upstream has changed, so that the
workaround can be removed. Issue numbers are those of Lightning-AI/pytorch-lightning.
"""

import functools
import io
import logging
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, WeightAveraging
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from htr_lightning.files import atomic_write
from htr_lightning.training.monitored_score import MonitoredScore


class CheckpointWriteError(OSError):
    """A checkpoint cannot be written; the one before is still there."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints that appear whole or not at all, also when the disk is full (#19970).

    Attributes:
        error: why a checkpoint could not be written. It is not raised at once, while other processes wait for this
            one, but by `htr_lightning.training.resume.ResumeCheckpoint`, in all of them.
    """

    error: CheckpointWriteError | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; Lightning calls this in the first process."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(Path(path)) as file:
                file.write(content.getbuffer())
        except OSError as error:
            self.error = CheckpointWriteError(f"{Path(path).parent} cannot be written ({error.strerror or error})")


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights with the best score on val, also in a run folder that was moved (#15705).

    Args:
        folder: of the checkpoints.
        monitor: the score.
    """

    def __init__(self, folder: Path, monitor: MonitoredScore) -> None:
        super().__init__(folder, "best", monitor=monitor.score, mode=monitor.mode, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state with its paths changed to the current folder; Lightning would drop the best score."""
        before, now = str(state_dict["dirpath"]), str(self.dirpath)
        moved = {
            key: value.replace(before, now) if isinstance(value, str) else value for key, value in state_dict.items()
        }
        moved["best_k_models"] = {path.replace(before, now): k for path, k in state_dict["best_k_models"].items()}
        super().load_state_dict(moved)


def slurm_plugins() -> list[SLURMEnvironment]:
    """Return the plugin that keeps Lightning from requeueing SLURM jobs and loading checkpoints of its own (#10601).

    Lightning would load ``hpc_ckpt_*.ckpt`` also to validate and test, and saves it within a signal handler (#21406).
    """
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        return [SLURMEnvironment(auto_requeue=False)]
    return []


def replace_overfit_batches(
    make_trainer: "functools.partial[lightning.Trainer]",
) -> tuple[Callable[..., lightning.Trainer], bool]:
    """Return a trainer's constructor without ``overfit_batches``, which replaces custom samplers (#21282).

    Returns:
        The constructor, with the limits that ``overfit_batches`` stands for, and whether to overfit.
    """
    number = make_trainer.keywords.get("overfit_batches", 0)
    if not number:
        return make_trainer, False
    limits = {"overfit_batches": 0, "limit_train_batches": number, "limit_val_batches": number}
    return functools.partial(make_trainer, **limits), True


def count_training_steps(trainer: lightning.Trainer, num_batches: int) -> int:
    """Return the number of optimizer steps of the whole run.

    ``trainer.estimated_stepping_batches`` makes the training loader before Lightning restores its state, which is then
    lost (#20550).

    Args:
        trainer: of the run.
        num_batches: that each process trains on in an epoch.
    """
    limit = trainer.limit_train_batches
    num_batches = min(num_batches, limit) if isinstance(limit, int) else int(num_batches * limit)
    num_steps = (trainer.max_epochs or 0) * math.ceil(num_batches / trainer.accumulate_grad_batches)
    limits = [number for number in (num_steps, trainer.max_steps) if number > 0]
    return min(limits, default=1)


def allow_clipping_in_bf16(optimizer: torch.optim.Optimizer) -> None:
    """Let Lightning clip gradients of a fused optimizer in bf16, which scales none (#21435)."""
    optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]


def restore_early_stopping(trainer: lightning.Trainer) -> None:
    """Stop a resumed run that early stopping had ended already: ``should_stop`` is not in checkpoints (#8278)."""
    stoppers = [c for c in trainer.callbacks if isinstance(c, EarlyStopping)]  # type: ignore[attr-defined]
    if any(stopper.wait_count >= stopper.patience for stopper in stoppers):
        trainer.should_stop = True


def mark_epoch_complete(checkpoint: dict[str, Any]) -> None:
    """Change a checkpoint saved at the end of an epoch so that the resumed run starts the next one (#19815).

    In runs that are limited by steps, Lightning would repeat the epoch and skip the one after.
    """
    loops = checkpoint["loops"]["fit_loop"]
    for progress in (loops["epoch_progress"]["current"], loops["epoch_progress"]["total"]):
        progress["completed"] = progress["processed"]
    batches = loops["epoch_loop.batch_progress"]
    batches["current"] = dict.fromkeys(batches["current"], 0)
    batches["is_last_batch"] = False


def can_resume_exactly(trainer: lightning.Trainer, batch_idx: int) -> bool:
    """Whether a checkpoint saved after this batch resumes exactly: no gradients accumulated, no validation due.

    Lightning saves neither accumulated gradients nor that a validation is due (#18060).
    """
    every = trainer.val_check_batch
    counted = trainer.fit_loop.total_batch_idx if trainer.check_val_every_n_epoch is None else batch_idx
    last = batch_idx + 1 >= trainer.num_training_batches
    validates = every is not None and every != float("inf") and (counted + 1) % every == 0
    done = 0 < trainer.max_steps <= trainer.global_step
    return not (last or validates or done or (batch_idx + 1) % trainer.accumulate_grad_batches)


class MovingAverage(WeightAveraging):
    """An exponential moving average of the weights in which frozen weights and statistics stay what they are.

    Lightning's ``EMAWeightAveraging`` adds up two rounded products, so that equal values drift (by design of torch's
    ``get_ema_avg_fn``); this moves towards the current value, by nothing where it is equal. Integers, such as the
    number of batches that a normalization has seen, are those of the current weights.

    Args:
        decay: weight of the average before.
    """

    def __init__(self, decay: float) -> None:
        def move(averages: Sequence[Tensor], currents: Sequence[Tensor], number: Any) -> None:
            for average, current in zip(averages, currents, strict=True):
                if average.is_floating_point():
                    average.lerp_(current, 1 - decay)
                else:
                    average.copy_(current)

        super().__init__(multi_avg_fn=torch.no_grad()(move))


def remove_weight_averaging(trainer: lightning.Trainer) -> None:
    """Remove the callbacks that would validate the average of the last step instead of the best weights (#20545)."""
    trainer.callbacks = [c for c in trainer.callbacks if not isinstance(c, WeightAveraging)]  # type: ignore[attr-defined]


def interrupted_by_user(error: BaseException) -> bool:
    """Whether an error is Ctrl-C: Lightning turns it into ``SystemExit(1)`` without a message (#19976)."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt)
    )


def is_rank_zero() -> bool:
    """Return whether this is the only or first process; Lightning's own attribute is missing until it has a rank."""
    return getattr(rank_zero_only, "rank", 0) == 0


def silence_lightning() -> None:
    """Leave to the console what users can act on; Lightning's hints and internal deprecations are not that.

    Only the first of several processes logs.
    """
    if not is_rank_zero():
        logging.getLogger().setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").handlers.clear()  # they repeat what the root logger prints
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\.pytorch\.utilities\._pytree")
    warnings.filterwarnings("ignore", ".*could not find the monitored key")  # a run without validation says so itself
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # of a resumed run
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # collating is a copy; see the loader
