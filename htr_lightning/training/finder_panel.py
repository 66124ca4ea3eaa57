"""Pages with the lines that were found, as pictures in TensorBoard."""

from typing import Any

import cv2
import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.data.page_module import PageBatch
from htr_lightning.segmentation.regions import DetectedLine
from htr_lightning.training.monitor import show_picture

_TRUE_COLOR, _FOUND_COLOR, _OUTLINE_COLOR = (0, 150, 60), (220, 50, 40), (30, 110, 220)
_WIDTH_PX = 900


class FinderPanel(Callback):
    """Shows validation pages with the lines that were found (red, outlines blue) and the true ones (green).

    Args:
        num_pages: how many pages.
    """

    def __init__(self, num_pages: int = 4) -> None:
        self.num_pages = num_pages
        self._pages: list[NDArray[np.uint8]] = []

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: PageBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep pages spread over the split."""
        total = sum(n for n in trainer.num_val_batches if isinstance(n, int))
        if len(self._pages) < self.num_pages and batch_idx % max(1, total // self.num_pages) == 0:
            self._pages.append(draw_page(batch, outputs["lines"]))

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Show the pages side by side."""
        pages, self._pages = self._pages, []
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking or not pages:
            return
        height = max(len(page) for page in pages)
        padded = [np.pad(page, ((0, height - len(page)), (0, 8), (0, 0)), constant_values=255) for page in pages]
        show_picture(trainer, "val/pages", Image.fromarray(np.concatenate(padded, axis=1)))


def draw_page(batch: PageBatch, found: list[DetectedLine]) -> NDArray[np.uint8]:
    """Draw the lines of the only page of a batch: ``(H, W, 3)``."""
    gray = batch.images[0, 0].cpu().numpy()
    scale = min(1.0, _WIDTH_PX / gray.shape[1])
    size = round(gray.shape[1] * scale), round(gray.shape[0] * scale)
    canvas = np.asarray(
        cv2.cvtColor(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB), np.uint8
    )
    true = [(line.baseline, False, _TRUE_COLOR) for line in batch.target_lines[0]]
    outlines = [(line.polygon, True, _OUTLINE_COLOR) for line in found]
    baselines = [(line.baseline, False, _FOUND_COLOR) for line in found]
    for points, closed, color in [*true, *outlines, *baselines]:
        cv2.polylines(canvas, [np.round(points * scale).astype(np.int32)], closed, color, 1, cv2.LINE_AA)
    return canvas
