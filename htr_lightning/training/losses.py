"""Losses of line recognizers: CTC, and the consistency of two views."""

import torch
import torch.nn.functional as F
from torch import Tensor

from htr_lightning.data.batch import count_required_frames


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
