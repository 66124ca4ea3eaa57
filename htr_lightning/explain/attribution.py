"""Which pixels each character of a line depends on, through Captum."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htr_lightning.explain.evidence import Evidence, ink_of
from htr_lightning.model.file import Model

Method = Literal["integrated-gradients", "grad-cam"]
METHODS: tuple[Method, ...] = get_args(Method)
STEPS = 20

_PIXELS_AT_ONCE = 1_000_000  # of all lines that the network has in memory with their gradients
_LOOKS = 96  # at the path from paper to ink, before its legs are laid out

_Targets = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Attributions:
    """How much each pixel speaks for each of some characters.

    Attributes:
        places: of these characters in the text.
        maps: ``(C, H, W)`` float32. Integrated gradients: natural logarithms of the character's probability in its
            frames, negative where a pixel speaks against it. Grad-CAM: not negative, of no unit.
        change: ``(C,)`` by how much blank paper in the place of the line lowers the logarithms; what the maps of
            integrated gradients sum up to, if steps enough are taken.
    """

    places: range
    maps: NDArray[np.float32]
    change: NDArray[np.float32]

    @property
    def gap(self) -> float:
        """By how much the sums of maps miss the changes, as a share of these; the median."""
        if not len(self.change):
            return 0.0
        return float(np.median(np.abs(self.maps.sum((1, 2)) - self.change) / np.maximum(np.abs(self.change), 1e-6)))


def attribute(
    model: Model,
    evidence: Evidence,
    device: torch.device,
    *,
    method: Method = "integrated-gradients",
    steps: int = STEPS,
    places: range | None = None,
) -> Attributions:
    """Find the pixels that characters depend on.

    What is explained is the sum of log-probabilities of a character over its frames.

    Args:
        model: on ``device``, in evaluation mode.
        evidence: of the line.
        device: of the model.
        method: ``integrated-gradients`` (Sundararajan et al. 2017, *Axiomatic Attribution for Deep Networks*), from
            blank paper to the line; or ``grad-cam`` (Selvaraju et al. 2017, but see `_grad_cam`), on the last stage
            of the backbone.
        steps: of integrated gradients.
        places: of the characters in the text; None for all.
    """
    places = range(len(evidence.characters)) if places is None else places
    height, width = evidence.pixels.shape
    if not places:
        return Attributions(places, np.zeros((0, height, width), np.float32), np.zeros(0, np.float32))
    ink = ink_of(evidence.pixels, model.info.width_step_px).to(device)
    targets = _targets(model, evidence, places, device)
    # cuDNN's LSTM goes backward in training mode only, which would drop features at random.
    with torch.backends.cudnn.flags(enabled=False):
        with torch.no_grad():
            change = (targets(ink) - targets(torch.zeros_like(ink)))[0]
        if method == "grad-cam":
            maps = _grad_cam(model, targets, ink, len(places))
        else:
            maps = _integrated_gradients(targets, ink, len(places), steps)
    return Attributions(places, maps[:, :, :width].cpu().numpy(), change.cpu().numpy())


def _targets(model: Model, evidence: Evidence, places: range, device: torch.device) -> _Targets:
    """Return what is explained: lines ``(N, 1, H, W)`` -> ``(N, C)`` log-probabilities, summed over frames."""
    chosen = [evidence.characters[place] for place in places]
    class_ids = torch.tensor([seen.class_id for seen in chosen], device=device)
    frame = torch.arange(len(evidence.probabilities), device=device)
    inside = torch.stack([(frame >= seen.first) & (frame < seen.end) for seen in chosen], 1)  # (T, C)

    def targets(images: Tensor) -> Tensor:
        logits: Tensor = model.network(images).logits[:, : len(frame)] / model.info.temperature
        return (logits.log_softmax(2)[:, :, class_ids] * inside).sum(1)

    return targets


def _integrated_gradients(targets: _Targets, ink: Tensor, number: int, steps: int) -> Tensor:
    """Return ``(C, H, W)``.

    Where the path is a row of legs, the gradients integrated along them add up. A leg takes one step, in its middle
    (Gauss and Legendre's rule of one point), and there are as many legs as steps.
    """
    from captum.attr import IntegratedGradients

    captum = IntegratedGradients(lambda images: _EachCharacter.apply(images, targets, number))
    maps = torch.zeros(number, *ink.shape[2:], device=ink.device)
    stops = _stops(targets, ink, steps)
    for some in torch.split(torch.arange(steps, device=ink.device), _at_once(ink)):
        ends = [(stops[legs, None, None, None] * ink).repeat_interleave(number, 0) for legs in (some, some + 1)]
        of_legs = captum.attribute(ends[1], baselines=ends[0], n_steps=1, method="gausslegendre")
        maps += of_legs.detach().view(len(some), *maps.shape).sum(0)
    return maps


def _stops(targets: _Targets, ink: Tensor, steps: int) -> Tensor:
    """Return how dark the ink is where the legs of the path begin and end, ``(steps + 1,)`` from 0 to 1.

    A network that reads faint writing changes its mind while the ink has 2 to 20 % of its darkness, and then hardly.
    So the legs are laid out such that its mind changes as much in each; mostly, for each must get somewhere too.
    """
    looks = torch.linspace(0, 1, _LOOKS + 1, device=ink.device) ** 3
    with torch.no_grad():
        seen = torch.cat([targets(some[:, None, None, None] * ink) for some in torch.split(looks, _at_once(ink))])
    changes = seen.diff(dim=0).abs().double()
    changes = (changes / changes.sum(0).clamp(min=1e-9)).mean(1)
    passed = (0.9 * changes / changes.sum().clamp(min=1e-9) + 0.1 / _LOOKS).cumsum(0)
    places = np.linspace(0, 1, steps + 1)
    stops = np.interp(places, [0.0, *(passed / passed[-1]).tolist()], looks.tolist())
    return torch.tensor(stops, dtype=ink.dtype, device=ink.device)


def _at_once(ink: Tensor) -> int:
    """Return how many copies of a line the network reads at once."""
    return max(1, _PIXELS_AT_ONCE // ink.numel())


class _EachCharacter(torch.autograd.Function):
    """The targets of C characters for images that come C times each, one time for each character.

    Captum wants it so. But the C images are the same, so the network reads only one of them, and only the gradients
    are worked out C times; that halves the time.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, targets: _Targets, number: int) -> Tensor:
        """``(N C, 1, H, W)`` -> ``(N C,)``."""
        with torch.enable_grad():
            ctx.images = images[::number].detach().requires_grad_()
            values = targets(ctx.images)
            ctx.of_characters = values.unbind(1)
        return values.detach().flatten()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """``(N C,)`` -> ``(N C, 1, H, W)``."""
        number = len(ctx.of_characters)
        of_characters = gradients[0].view(-1, number).unbind(1)
        of_images = [
            torch.autograd.grad(values, ctx.images, gradient, retain_graph=True)[0]
            for values, gradient in zip(ctx.of_characters, of_characters, strict=True)
        ]
        return torch.stack(of_images, 1).flatten(0, 1), None, None


def _grad_cam(model: Model, targets: _Targets, ink: Tensor, number: int) -> Tensor:
    """Return ``(C, H, W)``.

    Grad-CAM averages a channel's gradient over all places, as what is in a photograph may be anywhere in it. In a line
    that lights up every stroke like those of the character, from end to end. So the gradient of each place weighs the
    activation of that place (Draelos and Carin 2020, *Use HiResCAM instead of Grad-CAM*, equation 3).
    """
    from captum.attr import LayerAttribution, LayerGradientXActivation

    captum = LayerGradientXActivation(targets, model.network.backbone.stages[-1])
    maps = []
    for some in torch.split(torch.arange(number), _at_once(ink)):
        rows = some.tolist()
        channels = captum.attribute(ink.expand(len(rows), -1, -1, -1), target=rows)  # (rows, D, H', T)
        of_stage = channels.detach().sum(1, keepdim=True).relu()
        maps.append(LayerAttribution.interpolate(of_stage, ink.shape[2:], "bilinear")[:, 0])
    return torch.cat(maps)
