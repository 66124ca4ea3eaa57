"""The LightningModule: loss, training and evaluation steps, optimizer."""

from typing import Any, cast

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from htr_lightning.charset import Charset
from htr_lightning.data.batch import Batch, count_required_frames
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.model.network import Network
from htr_lightning.training.lightning_fixes import allow_clipping_in_bf16
from htr_lightning.training.metrics import RecognitionMetrics
from htr_lightning.training.optim import AdamW


class NonFiniteLossError(ValueError):
    """The loss or a gradient is NaN or infinite; the message names the step and the lines of the batch."""


class RecognitionTask(lightning.LightningModule):
    """Trains and evaluates a line recognizer with CTC (Graves et al. 2006).

    Attributes:
        decoder: turns logits into class ids; greedy during training, that of the configuration in the final evaluation.

    Args:
        model: a network whose classes are those of the charset.
        charset: the mapping between characters and class ids.
        optim: optimizer and schedule.
        auxiliary_weight: weight of the auxiliary head's loss; 0 ignores the head.
        consistency_weight: weight of `consistency_loss` between two views of each line; a training batch then holds all
            lines twice. 0 for one view and no such loss.
        info: model metadata, saved in every checkpoint; plain JSON types.
        rates: learning rate of each parameter as a fraction of the optimizer's; None for 1.
        num_steps: number of optimizer steps of the whole run, for the schedule (see `count_training_steps`).
    """

    def __init__(
        self,
        model: Network,
        charset: Charset,
        optim: AdamW,
        *,
        auxiliary_weight: float = 0.1,
        consistency_weight: float = 0.0,
        info: dict[str, Any] | None = None,
        rates: dict[str, float] | None = None,
        num_steps: int = 1,
    ) -> None:
        super().__init__()
        self.rates, self.num_steps = rates, num_steps
        self.info = info or {}
        self.model, self.charset, self.optim = cast(nn.Module, model), charset, optim
        self.auxiliary_weight, self.consistency_weight = auxiliary_weight, consistency_weight
        self.decoder: Decoder = greedy_decode
        self.val_metrics = RecognitionMetrics(charset)
        self.test_metrics = RecognitionMetrics(charset)

    @property
    def network(self) -> Network:
        """The network, typed."""
        return cast(Network, self.model)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Raises:
            NonFiniteLossError: the loss is NaN or infinite.
        """
        # Dropout depends on the seed of the batch, so that a resumed run takes the same steps.
        torch.manual_seed(batch.seed)
        frames = self.network(batch.images)
        loss = self._loss(frames.logits, batch)
        total = loss
        if frames.auxiliary is not None:
            total = total + self.auxiliary_weight * self._loss(frames.auxiliary, batch)
        if self.consistency_weight:
            if batch.num_views != 2:
                raise ValueError(
                    f"consistency_weight: the batch must have two views of each line, but has {batch.num_views}"
                )
            lengths = self.network.frame_lengths(batch.widths)
            consistency = consistency_loss(frames.logits, lengths, batch.target_lengths)
            total = total + self.consistency_weight * consistency
            self.log("train/consistency", consistency, batch_size=len(batch), on_epoch=True, sync_dist=True)
        self._ids = batch.ids
        if not self._is_true_in_all_processes(torch.isfinite(total)):
            raise self._build_non_finite_error(f"the loss is {total.item()}")
        self._log_infeasible(batch)
        self.log("train/loss", loss, batch_size=len(batch), prog_bar=True, on_step=True, on_epoch=True, sync_dist=True)
        return total

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Refuse gradients that are NaN or infinite before they reach the weights, and clip their norm.

        Raises:
            NonFiniteLossError: a gradient is NaN or infinite, in any process: they share gradients.
        """
        has_scaler = getattr(self.trainer.precision_plugin, "scaler", None) is not None  # it skips such steps itself
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not (has_scaler or bool(torch.isfinite(norm))):
            raise self._build_non_finite_error(f"the loss is finite, but its gradient is not (norm {norm.item()})")
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def _build_non_finite_error(self, problem: str) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"{problem} at step {self.global_step}, epoch {self.current_epoch}; lines of the batch: "
            f"{', '.join(self._ids)}. Lower optim.lr, or use trainer.precision=32-true"
        )

    def _is_true_in_all_processes(self, condition: Tensor) -> bool:
        """Whether a condition holds in all processes."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            minimum = condition.float()
            torch.distributed.all_reduce(minimum, torch.distributed.ReduceOp.MIN)
            return bool(minimum > 0)
        return bool(condition)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Predict the texts of a batch and count the errors; the hypotheses go to the callbacks."""
        return self._evaluate(batch, "val", self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Predict the texts of a batch and count the errors; the hypotheses go to the callbacks."""
        return self._evaluate(batch, "test", self.test_metrics)

    def on_validation_epoch_end(self) -> None:
        """Log ``val/cer`` and the other scores of all lines."""
        self._log_scores("val", self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Log ``test/cer`` and the other scores of all lines."""
        self._log_scores("test", self.test_metrics)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save charset, architecture and preprocessing with the weights: a checkpoint is self-contained."""
        checkpoint["htr_lightning"] = self.info

    def configure_optimizers(self) -> Any:
        """Return the optimizer and its schedule over all steps of the run."""
        optimizer, schedule = self.optim.build(self.model, self.num_steps, self.rates)
        if self.device.type == "cpu":
            allow_clipping_in_bf16(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _evaluate(self, batch: Batch, name: str, metrics: RecognitionMetrics) -> dict[str, list[str]]:
        logits = self.network(batch.images).logits
        hypotheses = self.decode(logits, batch.widths)
        metrics.update(batch.texts, hypotheses)
        loss = self._loss(logits, batch)
        self.log(f"{name}/loss", loss, batch_size=len(batch), on_epoch=True, sync_dist=True)
        return {"hypotheses": hypotheses}

    def decode(self, logits: Tensor, widths: Tensor) -> list[str]:
        """Return the texts of logits ``(N, T, K)`` of lines that are ``widths`` pixels wide."""
        lengths = self.network.frame_lengths(widths)
        ids = self.decoder(logits.detach().float().cpu().numpy(), lengths.cpu().numpy())
        return [self.charset.decode(line).strip() for line in ids]

    def _log_infeasible(self, batch: Batch) -> None:
        """Log the fraction of lines that random rescaling made too narrow for their text; `ctc_loss` ignores them."""
        needed = count_required_frames(batch.targets, batch.target_lengths)
        fraction = (self.network.frame_lengths(batch.widths) < needed).float().mean()
        self.log(
            "train/fraction_too_narrow", fraction, batch_size=len(batch), on_step=False, on_epoch=True, sync_dist=True
        )

    def _log_scores(self, name: str, metrics: RecognitionMetrics) -> None:
        scores = metrics.compute()
        for key, value in scores.items():  # already of all processes; sync_dist only keeps Lightning quiet
            self.log(f"{name}/{key}", value, prog_bar=key == "cer", sync_dist=True)
        metrics.reset()

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return ctc_loss(logits, batch.targets, self.network.frame_lengths(batch.widths), batch.target_lengths)


def ctc_loss(logits: Tensor, targets: Tensor, frame_lengths: Tensor, target_lengths: Tensor) -> Tensor:
    """Return the mean over lines of -log P(text) per character, in fp32 whatever the precision around it.

    A line with too few frames for its text is ignored: its loss would be infinite. Training refuses such lines
    beforehand, but random rescaling can still make one.

    Args:
        logits: ``(N, T, K)``.
        targets: class ids, one text after the other, on the CPU.
        frame_lengths: ``(N,)`` int64 on the CPU.
        target_lengths: ``(N,)`` int64 on the CPU.
    """
    feasible = frame_lengths >= count_required_frames(targets, target_lengths)
    if not bool(feasible.all()):
        targets = targets[torch.repeat_interleave(feasible, target_lengths)]
        target_lengths = target_lengths * feasible
    logits = logits.cpu() if logits.device.type == "mps" else logits  # where torch has no CTC
    with torch.autocast(logits.device.type, enabled=False):
        log_probs = logits.float().log_softmax(dim=2).transpose(0, 1)
        # int64 targets beside the logits choose torch's own CTC: cuDNN's has given NaN.
        losses = F.ctc_loss(log_probs, targets.to(logits.device), frame_lengths, target_lengths, reduction="none")
        weights = feasible.float() / target_lengths.clamp(min=1)
        return (losses * weights.to(logits.device)).sum() / max(1, int(feasible.sum()))


def consistency_loss(logits: Tensor, frame_lengths: Tensor, target_lengths: Tensor) -> Tensor:
    """Return how much the predictions of two views of a line differ, per character, averaged over lines, in fp32.

    For each frame, the mean of the Kullback-Leibler divergences of each view's distribution from the other's, which is
    detached. Each view thus learns from the other, also where it is masked and the other is not, and the peaks of CTC
    become less extreme (Yao et al. 2025, *CR-CTC: Consistency regularization on CTC for improved speech
    recognition*, arXiv 2410.05101, there summed over a line and weighted by 0.2 beside the CTC loss).

    Args:
        logits: ``(2 N, T, K)``: one view of every line, then the other.
        frame_lengths: ``(2 N,)`` int64 on the CPU.
        target_lengths: ``(2 N,)`` int64 on the CPU.
    """
    num = len(logits) // 2
    with torch.autocast(logits.device.type, enabled=False):
        log_probs = logits.float().log_softmax(dim=2)
        first, second = log_probs[:num], log_probs[num:]
        divergence = _compute_kl_divergence(first.detach(), second) + _compute_kl_divergence(second.detach(), first)
        is_frame = torch.arange(divergence.shape[1]) < frame_lengths[:num, None]  # (N, T), False for padding
        weights = is_frame / (2 * target_lengths[:num, None].clamp(min=1))
        return (divergence * weights.to(divergence.device)).sum() / max(1, num)


def _compute_kl_divergence(target: Tensor, prediction: Tensor) -> Tensor:
    """Return KL(target || prediction) of each frame ``(N, T)``, from log-probabilities ``(N, T, K)``."""
    return F.kl_div(prediction, target, reduction="none", log_target=True).sum(2)
