"""The LightningModule of a line finder: loss, metrics, optimizer."""

from collections.abc import Callable
from typing import Any, cast

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from htr_lightning.data.page_module import PageBatch
from htr_lightning.model.info import FINDER_KEY
from htr_lightning.model.line_finder import EXTENT_UNIT_PX, LineFinder, MapLogits, to_darkness
from htr_lightning.segmentation.follower import LineFollower
from htr_lightning.segmentation.line_scores import LineCounts, count_matches
from htr_lightning.segmentation.maps import UPRIGHT, PageMaps, build_maps
from htr_lightning.training.finite import NonFiniteLossError
from htr_lightning.training.lightning_fixes import allow_clipping_in_bf16
from htr_lightning.training.optim import Optim, Optimizer

_DICE_SMOOTHING = 1.0
_WEIGHTS = {"baselines": 1.0, "ends": 1.0, "extents": 0.5, "orientations": 0.3}  # of the parts of the loss


class LineMetrics(Metric):
    """Precision, recall and F1 of found lines, over all pages and devices (see `count_matches`)."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    true: Tensor
    found: Tensor
    matched: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("true", "found", "matched"):
            self.add_state(name, default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, counts: LineCounts) -> None:
        """Add the counts of a page."""
        self.true += counts.true
        self.found += counts.found
        self.matched += counts.matched

    def compute(self) -> dict[str, Tensor]:
        """Return ``f1``, ``precision`` and ``recall``."""
        counts = LineCounts(int(self.true), int(self.found), int(self.matched))
        scores = {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall}
        return {name: torch.tensor(score, device=self.true.device) for name, score in scores.items()}


class FinderTask(lightning.LightningModule):
    """Trains and evaluates a line finder.

    The loss is that of baselines and of line ends (binary cross-entropy and Dice, Milletari et al. 2016), of the
    logarithms of the extents on baselines (L1), and of the orientations (cross-entropy).

    Args:
        model: the network.
        optim: optimizer and schedule; see `htr_lightning.training.task.RecognitionTask`.
        follower: turns maps into lines, to evaluate.
        info: metadata (`htr_lightning.model.finder_file.FinderInfo`), saved in every checkpoint; plain JSON types.
        rates: learning rate of each parameter as a fraction of the optimizer's; None for 1.
        num_steps: number of optimizer steps of the whole run, for the schedule; None to ask the trainer.
    """

    def __init__(
        self,
        model: LineFinder,
        optim: Optim | Callable[..., torch.optim.Optimizer],
        follower: LineFollower | None = None,
        *,
        info: dict[str, Any] | None = None,
        rates: dict[str, float] | None = None,
        num_steps: int | None = None,
    ) -> None:
        super().__init__()
        self.model, self.info, self.rates, self.num_steps = model, info or {}, rates, num_steps
        self.optim: Any = optim if hasattr(optim, "build") else Optimizer(make=cast(Any, optim))
        self.follower = follower or LineFollower()
        self.val_metrics, self.test_metrics = LineMetrics(), LineMetrics()

    def forward(self, images: Tensor) -> MapLogits:
        """Return the logits of pages ``(N, 1, H, W)`` uint8, light 255."""
        output: MapLogits = self.model(to_darkness(images).to(next(self.model.parameters()).dtype))
        return output

    def training_step(self, batch: PageBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch of crops."""
        torch.manual_seed(batch.seed)
        losses = compute_losses(self(batch.images), batch)
        total = sum((weight * losses[name] for name, weight in _WEIGHTS.items()), torch.zeros((), device=self.device))
        if not bool(torch.isfinite(total)):
            raise NonFiniteLossError(
                f"the loss is {total.item()} at step {self.global_step}; crops of the pages: {', '.join(batch.ids)}. "
                "Lower optim.lr, or use trainer.precision=32-true"
            )
        self.log("train/loss", total, batch_size=len(batch), prog_bar=True, on_step=True, on_epoch=True, sync_dist=True)
        for name, loss in losses.items():
            self.log(f"train/{name}", loss, batch_size=len(batch), on_epoch=True, sync_dist=True)
        return total

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the metadata with the weights: a checkpoint is self-contained."""
        if self.info:
            checkpoint[FINDER_KEY] = self.info

    def validation_step(self, batch: PageBatch, batch_idx: int) -> dict[str, Any]:
        """Find the lines of a page and count the matches; the lines go to the callbacks."""
        return self._evaluate(batch, self.val_metrics)

    def test_step(self, batch: PageBatch, batch_idx: int) -> dict[str, Any]:
        """Find the lines of a page and count the matches; the lines go to the callbacks."""
        return self._evaluate(batch, self.test_metrics)

    def _evaluate(self, batch: PageBatch, metrics: LineMetrics) -> dict[str, Any]:
        found = self.follower(predict_maps(self(batch.images)))
        true = [line.baseline for line in batch.target_lines[0] if line.orientation == UPRIGHT]
        metrics.update(count_matches(true, [line.baseline for line in found]))
        return {"lines": found}

    def on_validation_epoch_end(self) -> None:
        """Log ``val/f1`` and the others."""
        self._log_scores("val", self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Log ``test/f1`` and the others."""
        self._log_scores("test", self.test_metrics)

    def _log_scores(self, name: str, metrics: LineMetrics) -> None:
        for key, value in metrics.compute().items():
            self.log(f"{name}/{key}", value, prog_bar=key == "f1", sync_dist=True)
        metrics.reset()

    def configure_optimizers(self) -> Any:
        """Return the optimizer and its schedule over all steps of the run."""
        steps = self.trainer.estimated_stepping_batches if self.num_steps is None else self.num_steps
        optimizer, schedule = self.optim.build(self.model, int(steps), self.rates)
        if self.device.type == "cpu":
            allow_clipping_in_bf16(optimizer)
        return optimizer if schedule is None else ([optimizer], [{"scheduler": schedule, "interval": "step"}])


def compute_losses(output: MapLogits, batch: PageBatch) -> dict[str, Tensor]:
    """Return the parts of the loss."""
    lines = output.lines.float()
    on_line = batch.lines[:, 2:] > 0
    extents = (batch.lines[:, 2:].clamp(min=1) / EXTENT_UNIT_PX).log()
    wrong = (lines[:, 2:] - extents).abs() * on_line
    return {
        "baselines": _map_loss(lines[:, 0], batch.lines[:, 0]),
        "ends": _map_loss(lines[:, 1], batch.lines[:, 1]),
        "extents": wrong.sum() / on_line.sum().clamp(min=1),
        "orientations": F.cross_entropy(output.orientations.float(), batch.orientations),
    }


def _map_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy and Dice loss of maps ``(N, H, W)``."""
    chance = logits.sigmoid()
    shared = (chance * target).sum()
    dice = 1 - (2 * shared + _DICE_SMOOTHING) / (chance.sum() + target.sum() + _DICE_SMOOTHING)
    return F.binary_cross_entropy_with_logits(logits, target) + dice


def predict_maps(output: MapLogits) -> PageMaps:
    """Return the maps of the first page, in px of the network's input."""
    maps, orientations = (part[0].float().cpu().numpy() for part in output.to_maps())
    return build_maps(maps, orientations, 1.0)
