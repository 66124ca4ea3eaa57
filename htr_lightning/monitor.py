"""What one sees while a run goes on: pictures of validation lines, a throughput figure, the progress bar."""

import logging
import math
import time
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray

from htr_lightning.data.batch import Batch
from htr_lightning.panel import draw_panel, paper_from_ink

log = logging.getLogger(__name__)


class ProgressBar(RichProgressBar):
    """Lightning's Rich bar, showing loss, CER and speed."""

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, Any]:
        """Return what stands beside the bar."""
        shown = super().get_metrics(trainer, pl_module)
        names = {"train/loss_step": "loss", "val/cer": "CER", "train/lines_per_second": "lines/s"}
        return {short: shown[name] for name, short in names.items() if name in shown}

    def _get_train_description(self, current_epoch: int) -> str:
        if self.trainer.max_epochs not in (None, -1):
            return super()._get_train_description(current_epoch)
        return f"Epoch {current_epoch}, from step {self.trainer.global_step} of {self.trainer.max_steps}"


class ValidationLog(Callback):
    """Writes one line for each validation to the log: what remains readable where there is no progress bar."""

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the scores; the loss is that of the last training batch."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        scores = trainer.callback_metrics
        by_steps = trainer.max_epochs in (None, -1)
        log.info(
            "%s %d of %s: loss %.3f, val CER %.2f %%, WER %.2f %%",
            "step" if by_steps else "epoch",
            trainer.global_step if by_steps else trainer.current_epoch + 1,
            trainer.max_steps if by_steps else trainer.max_epochs,
            scores.get("train/loss_step", math.nan),
            100 * scores["val/cer"],
            100 * scores["val/wer"],
        )


class ValidationPanel(Callback):
    """Writes validation lines with reference and hypothesis as one picture to TensorBoard, each validation.

    Args:
        num_lines: how many, the first of the split that come by.
    """

    def __init__(self, num_lines: int = 8) -> None:
        self.num_lines = num_lines
        self._rows: list[tuple[NDArray[np.uint8], str, str]] = []

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep lines spread over the batches, so that short and long ones show."""
        total = sum(n for n in trainer.num_val_batches if isinstance(n, int))
        if len(self._rows) >= self.num_lines or batch_idx % max(1, total // self.num_lines):
            return
        pixels = paper_from_ink(batch.images[0, 0, :, : int(batch.widths[0])].float().cpu().numpy())
        self._rows.append((pixels, batch.texts[0], outputs["hypotheses"][0]))

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw what was kept."""
        rows, self._rows = self._rows, []
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking or not rows:
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                panel = np.asarray(draw_panel(rows))
                logger.experiment.add_image("val/lines", panel, trainer.global_step, dataformats="HWC")


class Throughput(Callback):
    """Logs ``train/lines_per_second`` of each epoch, and ``train/share_waiting``.

    The latter is the share of time between the end of a step and the start of the next: loading, transfer to the
    device and augmentation.
    """

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._start = self._free = time.perf_counter()
        self._lines, self._waited = 0, 0.0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Count the time since the last step as waiting."""
        self._waited += time.perf_counter() - self._free
        self._lines += len(batch)

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:
        """Note when the next batch could start."""
        self._free = time.perf_counter()
        self._seconds = self._free - self._start

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the epoch's figures (of this process)."""
        pl_module.log("train/lines_per_second", self._lines / self._seconds, prog_bar=True, sync_dist=False)
        pl_module.log("train/share_waiting", self._waited / self._seconds, sync_dist=False)
