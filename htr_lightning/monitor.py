"""What one sees while a run goes on: pictures of validation lines, a throughput figure, the progress bar."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from htr_lightning.data.batch import Batch

log = logging.getLogger(__name__)
RIGHT, WRONG, INK = (0, 110, 40), (190, 20, 20), (20, 20, 20)


def progress_bar(steps: Iterable[Any], num_lines: int, description: str) -> Iterable[Any]:
    """Draw a bar while lists of lines go by; nothing is drawn where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(description, total=num_lines)
        for step in steps:
            yield step
            progress.advance(task, len(step))


class ProgressBar(RichProgressBar):
    """Lightning's Rich bar, showing loss, CER and speed."""

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, Any]:
        """Return what stands beside the bar."""
        shown = super().get_metrics(trainer, pl_module)
        names = {"train/loss_step": "loss", "val/cer": "CER", "train/lines_per_second": "lines/s"}
        return {short: shown[name] for name, short in names.items() if name in shown}


class EpochLog(Callback):
    """Writes one line for each epoch to the log: what remains readable where there is no progress bar."""

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the epoch's scores; the training loss is that of the epoch so far."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        scores = trainer.callback_metrics
        log.info(
            "epoch %d of %s: loss %.3f, val CER %.2f %%, WER %.2f %%",
            trainer.current_epoch + 1,
            trainer.max_epochs,
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
    """Logs ``train/lines_per_second`` of each epoch, and the share of its time spent waiting for data."""

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


def paper_from_ink(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn ink (0..1) back into grey pixels with white paper."""
    pixels: NDArray[np.uint8] = (255 * (1 - ink.clip(0, 1))).astype(np.uint8)
    return pixels


def draw_panel(
    rows: Sequence[tuple[NDArray[np.uint8], str, str]],
    size_px: int = 16,
    note: Callable[[int], str] | None = None,
) -> Image.Image:
    """Draw lines one under the other, each with its reference and, in green or red, its hypothesis.

    Args:
        rows: pixels ``(H, W)``, reference, hypothesis; without a reference (empty) the hypothesis is black.
        size_px: of the type.
        note: a word for each row, by its number, written before the hypothesis.
    """
    font = ImageFont.load_default(size_px)
    gap, step = 8, size_px + 6
    written = [text for _, *texts in rows for text in texts]
    width = max([pixels.shape[1] for pixels, _, _ in rows] + [int(font.getlength(t)) + 140 for t in written])
    heights = [pixels.shape[0] + (2 if reference else 1) * step + gap for pixels, reference, _ in rows]
    panel = Image.new("RGB", (width + 2 * gap, sum(heights) + gap), "white")
    draw = ImageDraw.Draw(panel)
    y = gap
    for number, (pixels, reference, hypothesis) in enumerate(rows):
        panel.paste(Image.fromarray(pixels), (gap, y))
        y += pixels.shape[0]
        if reference:
            draw.text((gap, y), reference, INK, font)
            y += step
        colour = INK if not reference else RIGHT if reference == hypothesis else WRONG
        draw.text((gap, y), (f"{note(number)}  " if note else "") + hypothesis, colour, font)
        y += step + gap
    return panel
