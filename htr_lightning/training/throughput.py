"""How fast a run trains, and what it waits for."""

import contextlib
import time
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from htr_lightning.data.batch import Batch


class Clock:
    """Counts lines and time from a start: the time in steps, and the time between them."""

    def __init__(self) -> None:
        self._start = self._free = time.perf_counter()
        self._lines, self._waited = 0, 0.0

    def step_begins(self, num_lines: int) -> None:
        """Count the time since the last step as waiting."""
        self._waited += time.perf_counter() - self._free
        self._lines += num_lines

    def step_ends(self) -> None:
        """Note when the next batch could start."""
        self._free = time.perf_counter()

    def leave_out(self, seconds: float) -> None:
        """Do not count the time just past."""
        self._start += seconds
        self._free += seconds

    def figures(self) -> dict[str, float]:
        """Return lines per second and the share of waiting, up to the end of the last step."""
        seconds = max(self._free - self._start, 1e-9)
        return {"lines_per_second": self._lines / seconds, "share_waiting": self._waited / seconds}


class Throughput(Callback):
    """Logs ``lines_per_second`` and ``share_waiting``: ``train/...`` of each epoch, ``speed/...`` of the last steps.

    Waiting is the time between the end of a step and the start of the next: loading, transfer to the device,
    augmentation, and what is written there, checkpoints included. With several processes the lines are those of all,
    as far as their steps take equally long. On a GPU, ``speed/gpu_memory_gb`` is the most that torch has taken
    (gigabytes of 1e9 bytes), and ``speed/gpu_utilization`` the share of the last second in which it computed (where the
    package nvidia-ml-py is installed).
    """

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clocks, also where a run goes on in the middle of an epoch."""
        self._logged_at = -1
        self._epoch, self._now = Clock(), Clock()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the epoch's clock anew."""
        self._epoch = Clock()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """A step begins."""
        for clock in (self._epoch, self._now):
            clock.step_begins(len(batch) // batch.num_views * trainer.world_size)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """A step ends; log the figures of the last ones."""
        for clock in (self._epoch, self._now):
            clock.step_ends()
        # Optimizer steps, counted as Lightning's loggers count them.
        every = getattr(trainer, "log_every_n_steps", 0)
        if not every or trainer.global_step % every or trainer.global_step == self._logged_at:
            return
        self._logged_at = trainer.global_step
        figures = self._now.figures() | _gpu_figures(trainer)
        self._now = Clock()
        for name, value in figures.items():
            pl_module.log(f"speed/{name}", value, prog_bar=True, on_step=True, on_epoch=False)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A validation begins, perhaps in the middle of an epoch."""
        self._validates = time.perf_counter()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """It does not count."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        for clock in (self._epoch, self._now):
            clock.leave_out(time.perf_counter() - self._validates)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the figures of the epoch."""
        for name, value in self._epoch.figures().items():
            pl_module.log(f"train/{name}", value, sync_dist=True)

    def summary(self) -> str:
        """Return the figures of the epoch so far, as they follow others in a line of the log."""
        figures = self._epoch.figures()
        return f"; {figures['lines_per_second']:.0f} lines/s, waiting {100 * figures['share_waiting']:.0f} %"


def _gpu_figures(trainer: lightning.Trainer) -> dict[str, float]:
    device = trainer.strategy.root_device
    if device.type != "cuda":
        return {}
    figures = {"gpu_memory_gb": torch.cuda.max_memory_allocated(device) / 1e9}
    with contextlib.suppress(Exception):  # no nvidia-ml-py, or a driver that does not tell
        figures["gpu_utilization"] = torch.cuda.utilization(device) / 100
    return figures
