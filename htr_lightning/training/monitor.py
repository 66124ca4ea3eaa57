"""What a run shows while it trains: images of lines, a log line for each validation, the progress bar."""

import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.data.batch import Batch
from htr_lightning.evaluation.confusion import Confusions
from htr_lightning.evaluation.crops import WrongLines
from htr_lightning.evaluation.lines import score_line
from htr_lightning.evaluation.picture import draw_confusions
from htr_lightning.report.panel import draw_panel, ink_to_gray
from htr_lightning.training.monitored_score import MonitoredScore
from htr_lightning.training.throughput import Throughput

if TYPE_CHECKING:
    from htr_lightning.training.task import RecognitionTask

log = logging.getLogger(__name__)
SHOWN = {
    "train/loss_step": "loss",
    "val/cer": "CER",
    "val/f1": "F1",
    "speed/lines_per_second": "lines/s",
    "speed/crops_per_second": "crops/s",
    "speed/fraction_waiting": "waiting for data",
    "speed/gpu_utilization": "GPU",
    "speed/gpu_memory_gb": "GB",
}
"""Metrics beside the progress bar, and their labels."""


class ProgressBar(RichProgressBar):
    """Lightning's Rich bar, showing loss, CER and speed."""

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, Any]:
        """Return the metrics beside the bar."""
        shown = super().get_metrics(trainer, pl_module)
        return {short: shown[name] for name, short in SHOWN.items() if name in shown}

    def _get_train_description(self, current_epoch: int) -> str:
        if self.trainer.max_epochs not in (None, -1):
            return super()._get_train_description(current_epoch)
        return f"Epoch {current_epoch}, from step {self.trainer.global_step} of {self.trainer.max_steps}"


class ValidationLog(Callback):
    """Logs one line for each validation, which is readable also without a progress bar.

    Args:
        monitor: names the scores.
    """

    def __init__(self, monitor: MonitoredScore) -> None:
        self.labels = monitor.labels

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the scores and the speed of the epoch so far; the loss is that of the last training batch."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        scores = trainer.callback_metrics
        by_steps = trainer.max_epochs in (None, -1)
        log.info(
            "%s %d of %s: train loss %.3f, val %s%s",
            "step" if by_steps else "epoch",
            trainer.global_step if by_steps else trainer.current_epoch + 1,
            trainer.max_steps if by_steps else trainer.max_epochs,
            scores.get("train/loss_step", math.nan),
            ", ".join(f"{label} {100 * scores[name]:.2f} %" for name, label in self.labels.items()),
            "".join(c.summary() for c in trainer.callbacks if isinstance(c, Throughput)),  # type: ignore[attr-defined]
        )


class ValidationPanel(Callback):
    """Writes validation lines with reference and hypothesis as one picture to TensorBoard, each validation.

    Args:
        num_lines: how many lines.
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
        """Keep lines spread over the batches, so that short and long ones are shown."""
        total = sum(n for n in trainer.num_val_batches if isinstance(n, int))
        if len(self._rows) >= self.num_lines or batch_idx % max(1, total // self.num_lines):
            return
        self._rows.append((line_pixels(batch, 0), batch.texts[0], outputs["hypotheses"][0]))

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw the lines."""
        rows, self._rows = self._rows, []
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking or not rows:
            return
        show_picture(trainer, "val/lines", draw_panel(rows))


class ErrorPanel(Callback):
    """Writes the errors in the val and test lines to TensorBoard: the confusion matrix, and of test the worst lines.

    With several processes, these are the lines of the first.

    Args:
        num_lines: how many lines are drawn.
    """

    def __init__(self, num_lines: int = 12) -> None:
        self.num_lines = num_lines
        self._worst: WrongLines | None = None

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start a new validation."""
        self._confusions, self._worst = Confusions(), None

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count the errors of a batch."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._count(trainer, pl_module, outputs, batch)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw the confusion matrix, if there are errors."""
        matrix = draw_confusions(self._confusions)
        if matrix is not None:
            show_picture(trainer, "val/confusions", matrix)

    def on_test_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start a new test."""
        self._confusions, self._worst = Confusions(), WrongLines(self.num_lines)

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count the errors of a batch, and keep its worst lines."""
        self._count(trainer, pl_module, outputs, batch)

    def on_test_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw the errors, if there are any."""
        matrix = draw_confusions(self._confusions)
        if matrix is None or self._worst is None:
            return
        lines = self._worst.get_lines()
        show_picture(trainer, "test/confusions", matrix)
        rows = [(pixels, line.reference, line.hypothesis) for line, pixels in lines]
        show_picture(trainer, "test/worst_lines", draw_panel(rows, note=lambda row: f"{lines[row][0].cer:.0%}"))

    def _count(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Batch
    ) -> None:
        if not trainer.is_global_zero:
            return
        normalization = cast("RecognitionTask", pl_module).charset.normalization
        texts = zip(batch.ids, batch.texts, outputs["hypotheses"], strict=True)
        for row, (id, reference, hypothesis) in enumerate(texts):
            line = score_line(id, "", reference, hypothesis, 0.0, normalization)
            self._confusions.add(line)
            if self._worst is not None:
                self._worst.offer(line, partial(line_pixels, batch, row))


def line_pixels(batch: Batch, row: int) -> NDArray[np.uint8]:
    """Return the pixels of a line ``(H, W)`` as the network saw it, dark on white."""
    return ink_to_gray(batch.images[row, 0, :, : int(batch.widths[row])].float().cpu().numpy())


def show_picture(trainer: lightning.Trainer, name: str, picture: Image.Image) -> None:
    """Give a picture to TensorBoard."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, np.asarray(picture), trainer.global_step, dataformats="HWC")
