"""Attribution: which pixels of a line each predicted character depends on, computed with Captum."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from htr_lightning.errors import InputError
from htr_lightning.explain.line_output import LineOutput, to_network_input
from htr_lightning.model.file import Model

Method = Literal["integrated-gradients", "grad-cam"]
METHODS: tuple[Method, ...] = get_args(Method)
STEPS = 20

_MAX_PIXELS = 1_000_000  # of a batch of lines, for which the network keeps activations in memory
_NUM_PROBES = 96  # along the path, before the steps are chosen

_Targets = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Attributions:
    """Attributions of C characters to the pixels of a line.

    Attributes:
        positions: of these characters in the text.
        maps: ``(C, H, W)`` float32. Integrated gradients: contributions to the character's log-probability, summed over
            its frames; a pixel with a negative value is evidence against it. Grad-CAM: not negative, without a unit.
        changes: ``(C,)`` difference between the log-probabilities for the line and for blank paper; the maps of
            integrated gradients sum up to it if there are enough steps.
    """

    positions: range
    maps: NDArray[np.float32]
    changes: NDArray[np.float32]

    @property
    def relative_delta(self) -> float:
        """Convergence delta: difference between the sum of a map and the change, as a fraction of it; the median."""
        if not len(self.changes):
            return 0.0
        deltas = np.abs(self.maps.sum((1, 2)) - self.changes)
        return float(np.median(deltas / np.maximum(np.abs(self.changes), 1e-6)))


def attribute(
    model: Model,
    output: LineOutput,
    device: torch.device,
    *,
    method: Method = "integrated-gradients",
    steps: int = STEPS,
    positions: range | None = None,
) -> Attributions:
    """Compute which pixels characters depend on.

    The target of the attribution is the log-probability of a character, summed over its frames.

    Args:
        model: on ``device``, in evaluation mode.
        output: of the model for the line.
        device: of the model.
        method: ``integrated-gradients`` (Sundararajan et al. 2017, *Axiomatic Attribution for Deep Networks*), with
            blank paper as the baseline; or ``grad-cam`` (Selvaraju et al. 2017, but see `_grad_cam`), on the last
            feature map.
        steps: of integrated gradients.
        positions: of the characters in the text; None for all.
    """
    positions = range(len(output.characters)) if positions is None else positions
    height, width = output.pixels.shape
    if not positions:
        return Attributions(positions, np.zeros((0, height, width), np.float32), np.zeros(0, np.float32))
    ink = to_network_input(output.pixels, model.info.width_step_px).to(device)
    targets = _build_targets(model, output, positions, device)
    # cuDNN's LSTM has a backward pass in training mode only, which would apply dropout.
    with torch.backends.cudnn.flags(enabled=False):
        with torch.no_grad():
            changes = (targets(ink) - targets(torch.zeros_like(ink)))[0]
        if method == "grad-cam":
            maps = _grad_cam(model, targets, ink, len(positions))
        else:
            maps = _integrated_gradients(targets, ink, len(positions), steps)
    return Attributions(positions, maps[:, :, :width].cpu().numpy(), changes.cpu().numpy())


def _build_targets(model: Model, output: LineOutput, positions: range, device: torch.device) -> _Targets:
    """Return the target function: lines ``(N, 1, H, W)`` -> log-probabilities ``(N, C)``, summed over frames."""
    characters = [output.characters[position] for position in positions]
    class_ids = torch.tensor([character.class_id for character in characters], device=device)
    frame = torch.arange(len(output.probabilities), device=device)
    masks = torch.stack([(frame >= character.first) & (frame < character.end) for character in characters], 1)  # (T, C)

    def targets(images: Tensor) -> Tensor:
        logits: Tensor = model.network(images).logits[:, : len(frame)] / model.info.temperature
        return (logits.log_softmax(2)[:, :, class_ids] * masks).sum(1)

    return targets


def _integrated_gradients(targets: _Targets, ink: Tensor, num_characters: int, steps: int) -> Tensor:
    """Return maps ``(C, H, W)``.

    The integral from blank paper to the line is the sum of the integrals over ``steps`` segments of the path. Each of
    them is approximated with one gradient, at its midpoint (Gauss-Legendre quadrature with one node).
    """
    from captum.attr import IntegratedGradients

    captum = IntegratedGradients(lambda images: _CharacterTargets.apply(images, targets, num_characters))
    maps = torch.zeros(num_characters, *ink.shape[2:], device=ink.device)
    alphas = _choose_alphas(targets, ink, steps)
    for batch in torch.split(torch.arange(steps, device=ink.device), _compute_batch_size(ink)):
        starts, ends = (
            (alphas[index, None, None, None] * ink).repeat_interleave(num_characters, 0) for index in (batch, batch + 1)
        )
        of_segments = captum.attribute(ends, baselines=starts, n_steps=1, method="gausslegendre")
        maps += of_segments.detach().view(len(batch), *maps.shape).sum(0)
    return maps


def _choose_alphas(targets: _Targets, ink: Tensor, steps: int) -> Tensor:
    """Return the bounds of the segments of the path, ``(steps + 1,)``: factors of the ink from 0 to 1.

    The output of a network that reads faint writing changes most while the ink has 2 to 20 % of its darkness. So the
    segments are chosen such that the targets change by about the same amount in each; a small constant keeps all of
    them short.
    """
    probes = torch.linspace(0, 1, _NUM_PROBES + 1, device=ink.device) ** 3
    with torch.no_grad():
        values = torch.cat(
            [targets(batch[:, None, None, None] * ink) for batch in torch.split(probes, _compute_batch_size(ink))]
        )
    changes = values.diff(dim=0).abs().double()
    changes = (changes / changes.sum(0).clamp(min=1e-9)).mean(1)
    cumulative = (0.9 * changes / changes.sum().clamp(min=1e-9) + 0.1 / _NUM_PROBES).cumsum(0)
    fractions = np.linspace(0, 1, steps + 1)
    alphas = np.interp(fractions, [0.0, *(cumulative / cumulative[-1]).tolist()], probes.tolist())
    return torch.tensor(alphas, dtype=ink.dtype, device=ink.device)


def _compute_batch_size(ink: Tensor) -> int:
    """Return how many copies of a line fit into a batch."""
    return max(1, _MAX_PIXELS // ink.numel())


class _CharacterTargets(torch.autograd.Function):
    """The targets of C characters for a batch in which each image occurs C times, once for each character.

    This is how Captum computes one gradient for each target. As the C images are equal, the network processes only one
    of them, and only the backward passes are repeated; that halves the time.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, targets: _Targets, num_characters: int) -> Tensor:
        """``(N C, 1, H, W)`` -> ``(N C,)``."""
        with torch.enable_grad():
            ctx.images = images[::num_characters].detach().requires_grad_()
            values = targets(ctx.images)
            ctx.of_characters = values.unbind(1)
        return values.detach().flatten()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """``(N C,)`` -> ``(N C, 1, H, W)``."""
        num_characters = len(ctx.of_characters)
        of_characters = gradients[0].view(-1, num_characters).unbind(1)
        of_images = [
            torch.autograd.grad(values, ctx.images, gradient, retain_graph=True)[0]
            for values, gradient in zip(ctx.of_characters, of_characters, strict=True)
        ]
        return torch.stack(of_images, 1).flatten(0, 1), None, None


def _find_last_feature_map(model: Model, ink: Tensor) -> nn.Module:
    """Return the module that computes the last feature map ``(N, C, H', W')``.

    Raises:
        InputError: the network has none.
    """
    last: list[nn.Module] = []

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[1] > 1:
            last[:] = [module]

    hooks = [module.register_forward_hook(record) for _, module in model.network.named_modules()]
    try:
        with torch.no_grad():
            model.network(ink)
    finally:
        for hook in hooks:
            hook.remove()
    if not last:
        raise InputError(
            f"{model.info.architecture} has no feature maps",
            key="--method",
            value="grad-cam",
            remedy="use integrated-gradients",
        )
    return last[0]


def _grad_cam(model: Model, targets: _Targets, ink: Tensor, num_characters: int) -> Tensor:
    """Return maps ``(C, H, W)``.

    Grad-CAM averages the gradient of a channel over all positions, because an object may be anywhere in a photograph.
    In a line, that highlights all strokes like those of the character, from end to end. So the activation at each
    position is multiplied by the gradient at that position (Draelos and Carin 2020, *Use HiResCAM instead of Grad-CAM*,
    equation 3).
    """
    from captum.attr import LayerAttribution, LayerGradientXActivation

    captum = LayerGradientXActivation(targets, _find_last_feature_map(model, ink))
    maps = []
    for batch in torch.split(torch.arange(num_characters), _compute_batch_size(ink)):
        indices = batch.tolist()
        channels = captum.attribute(ink.expand(len(indices), -1, -1, -1), target=indices)  # (C, D, H', T)
        of_stage = channels.detach().sum(1, keepdim=True).relu()
        maps.append(LayerAttribution.interpolate(of_stage, ink.shape[2:], "bilinear")[:, 0])
    return torch.cat(maps)
