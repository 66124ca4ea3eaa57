"""The batch and the weights that led to a loss that is NaN or infinite."""

import logging
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from htr_lightning.data.batch import Batch
from htr_lightning.files import RunFolder, atomic_write
from htr_lightning.report.panel import draw_panel
from htr_lightning.training.finite import NonFiniteLossError
from htr_lightning.training.monitor import line_pixels

log = logging.getLogger(__name__)


class NonFiniteReport(Callback):
    """Saves the batch and the weights of a step whose loss is NaN or infinite, to reproduce it.

    In ``non_finite`` in the run folder, ``lines.png`` shows the batch after augmentation, and ``step.pt`` holds
    (``torch.load``) ``batch``: images ``(N, 1, H, W)``, widths, targets, target_lengths, ids, texts, seed, num_views;
    ``state_dict`` of the task before the step; ``optimizer_states``; ``step`` and ``epoch``.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder.non_finite
        self._batch: Batch | None = None

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Remember the batch of the current step."""
        self._batch = batch

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Save it, without waiting for other processes, which may be stuck in their own step."""
        if not isinstance(exception, NonFiniteLossError) or self._batch is None:
            return
        batch = self._batch
        folder = self.folder if trainer.world_size == 1 else self.folder / str(trainer.global_rank)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            rows = [(line_pixels(batch, row), text, "") for row, text in enumerate(batch.texts)]
            with atomic_write(folder / "lines.png") as file:
                draw_panel(rows).save(file, "png")
            with atomic_write(folder / "step.pt") as file:
                torch.save(_step(trainer, pl_module, batch), file)
        except OSError as error:
            log.warning("%s: the batch of the non-finite loss cannot be saved (%s)", folder, error.strerror or error)


def _step(trainer: lightning.Trainer, task: lightning.LightningModule, batch: Batch) -> dict[str, Any]:
    return {
        "step": trainer.global_step,
        "epoch": trainer.current_epoch,
        "batch": {name: getattr(batch, name) for name in Batch.__slots__},
        "state_dict": task.state_dict(),
        "optimizer_states": [optimizer.state_dict() for optimizer in trainer.optimizers],
    }
