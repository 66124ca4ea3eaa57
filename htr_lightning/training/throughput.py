"""Lines per second, and the fraction of time spent waiting for data."""

import contextlib
import time
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn


class Clock:
    """Counts samples, and time within and between steps.

    Args:
        unit: what is counted.
    """

    def __init__(self, unit: str = "lines") -> None:
        self.unit = unit
        self._start = self._free = time.perf_counter()
        self._samples, self._waited = 0, 0.0

    def start_step(self, num_samples: int) -> None:
        """Count the time since the last step as waiting."""
        self._waited += time.perf_counter() - self._free
        self._samples += num_samples

    def end_step(self) -> None:
        """Note when the next batch could start."""
        self._free = time.perf_counter()

    def exclude(self, seconds: float) -> None:
        """Exclude the time just past."""
        self._start += seconds
        self._free += seconds

    def figures(self) -> dict[str, float]:
        """Return samples per second and the fraction of waiting, up to the end of the last step."""
        seconds = max(self._free - self._start, 1e-9)
        return {f"{self.unit}_per_second": self._samples / seconds, "fraction_waiting": self._waited / seconds}


class Throughput(Callback):
    """Logs ``lines_per_second`` and ``fraction_waiting``: ``train/...`` of each epoch, ``speed/...`` of the last steps.

    Waiting is the time between the end of a step and the start of the next: loading, transfer to the device,
    augmentation and checkpoints. With several processes the lines are those of all of them, if their steps take equally
    long. On a GPU, ``speed/gpu_memory_gb`` is the peak memory allocated by torch (1e9 bytes), and
    ``speed/gpu_utilization`` the fraction of the last second in which it computed (with the package nvidia-ml-py).

    Args:
        unit: what a batch consists of, ``lines`` or ``crops``.
    """

    def __init__(self, unit: str = "lines") -> None:
        self.unit = unit

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clocks, also in a run that is resumed within an epoch."""
        self._logged_at = -1
        self._epoch, self._now = Clock(self.unit), Clock(self.unit)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Restart the clock of the epoch."""
        self._epoch = Clock(self.unit)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clocks of a step."""
        for clock in (self._epoch, self._now):
            clock.start_step(len(batch) // getattr(batch, "num_views", 1) * trainer.world_size)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Stop the clocks of a step; log the figures of the last ones."""
        for clock in (self._epoch, self._now):
            clock.end_step()
        # Optimizer steps, counted as Lightning's loggers count them.
        every = getattr(trainer, "log_every_n_steps", 0)
        if not every or trainer.global_step % every or trainer.global_step == self._logged_at:
            return
        self._logged_at = trainer.global_step
        figures = self._now.figures() | _get_gpu_figures(trainer)
        self._now = Clock(self.unit)
        for name, value in figures.items():
            pl_module.log(f"speed/{name}", value, prog_bar=True, on_step=True, on_epoch=False)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note when a validation begins."""
        self._validation_start = time.perf_counter()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Exclude the time of the validation."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        for clock in (self._epoch, self._now):
            clock.exclude(time.perf_counter() - self._validation_start)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the figures of the epoch."""
        for name, value in self._epoch.figures().items():
            pl_module.log(f"train/{name}", value, sync_dist=True)

    def summary(self) -> str:
        """Return the figures of the epoch so far, for the end of a log line."""
        figures = self._epoch.figures()
        speed, waiting = figures[f"{self.unit}_per_second"], 100 * figures["fraction_waiting"]
        return f"; {speed:.0f} {self.unit}/s, {waiting:.0f} % waiting for data"


def _get_gpu_figures(trainer: lightning.Trainer) -> dict[str, float]:
    device = trainer.strategy.root_device
    if device.type != "cuda":
        return {}
    figures = {"gpu_memory_gb": torch.cuda.max_memory_allocated(device) / 1e9}
    with contextlib.suppress(Exception):  # no nvidia-ml-py, or a driver that does not tell
        figures["gpu_utilization"] = torch.cuda.utilization(device) / 100
    return figures
