"""Augmentations of one's own: transforms of torchvision, and functions on the tensor of a batch."""

import abc
import inspect
import random
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from htr_lightning.errors import InputError


class Augmentation(Protocol):
    """Varies the lines of a training batch, as `htr_lightning.data.augment.Augment` does."""

    def __call__(
        self, images: Tensor, widths: Tensor, generator: torch.Generator, num_views: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            images: float32 ``(N, 1, H, W)``, paper 0 and ink 1, 0 to the right of a line's width; not to be modified.
            widths: int64 ``(N,)`` on the CPU, width of each line in px, without the padding.
            generator: a CPU generator, to be the only source of randomness: a resumed run then takes the same steps.
            num_views: V, the number of views of each line, 2 with ``consistency_weight``. Views of a line share their
                geometry.

        Returns:
            Images ``(V N, 1, H, W')`` and widths ``(V N,)``: the first view of all lines, then the second.
        """
        ...


def adapt_augmentation(augment: Callable[..., Any]) -> Augmentation:
    """Return an augmentation of a batch for whatever ``augment._target_`` may name.

    - With a parameter ``widths``, it is an `Augmentation` itself.
    - With a parameter ``generator``: ``augment(images, generator)`` returns images ``(N, 1, H, W')``. Where W' is not
      W, the lines count as wider or narrower by that ratio.
    - Otherwise it takes one line: a transform of ``torchvision.transforms.v2``, or a ``Compose`` of several. It gets
      float ``(1, H, W)`` without padding, paper 0 and ink 1 (so that the default ``fill=0`` is paper), and returns
      ``(1, H, W')``. The random numbers of torch and of Python that it draws depend on the seed of the batch only.

    Raises:
        InputError: it cannot be called with any of these; its key is ``augment``.
    """
    parameters = _list_parameters(augment)
    if parameters is not None and "widths" in parameters:
        return augment
    if parameters is not None and "generator" in parameters:
        return _BatchAugmentation(augment)
    if parameters is None or len(parameters) == 0:
        remedy = "give it (images, widths, generator, num_views), (images, generator) or (image)"
        raise InputError(f"{_name(augment)} cannot be called with images", key="augment", remedy=remedy)
    return _LineAugmentation(augment)


class _OwnAugmentation(abc.ABC):
    """An augmentation that knows nothing of widths and of views."""

    def __init__(self, augment: Callable[..., Any]) -> None:
        self.augment = augment

    def __call__(
        self, images: Tensor, widths: Tensor, generator: torch.Generator, num_views: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch; see `Augmentation`."""
        if num_views != 1:
            raise InputError(
                "two views of a line need the same geometry",
                key="consistency_weight",
                remedy="give augment a method __call__(images, widths, generator, num_views), or set it to 0",
            )
        return self._vary(images, widths, generator) if len(images) else (images, widths)

    @abc.abstractmethod
    def _vary(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augment at least one line."""


class _BatchAugmentation(_OwnAugmentation):
    """Of ``(images, generator)``."""

    def _vary(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        varied = self.augment(images, generator)
        _check_shape(self.augment, varied, (len(images), 1, images.shape[2]))
        if varied.shape[3] != images.shape[3]:
            widths = (widths * (varied.shape[3] / images.shape[3])).round().long().clamp(min=1)
        return varied, widths


class _LineAugmentation(_OwnAugmentation):
    """Of one image at a time."""

    def _vary(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        seed = int(torch.randint(2**62, (), generator=generator))
        devices = [images.device] if images.device.type == "cuda" else []
        python_state = random.getstate()
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            torch.manual_seed(seed)
            random.seed(seed)
            lines = [self.augment(image[..., :width]) for image, width in zip(images, widths.tolist(), strict=True)]
        random.setstate(python_state)
        for line in lines:
            _check_shape(self.augment, line, (1, images.shape[2]))
        new_widths = torch.tensor([line.shape[-1] for line in lines])
        varied = images.new_zeros((*images.shape[:3], max(images.shape[3], int(new_widths.max()))))
        for place, line in zip(varied, lines, strict=True):
            place[..., : line.shape[-1]] = line
        return varied, new_widths


def _check_shape(augment: Callable[..., Any], result: Any, expected: tuple[int, ...]) -> None:
    if isinstance(result, Tensor) and result.shape[:-1] == expected and result.is_floating_point() and result.shape[-1]:
        return
    given = (
        f"a {str(result.dtype).removeprefix('torch.')} tensor of {tuple(result.shape)}"
        if isinstance(result, Tensor)
        else f"{type(result).__name__}"
    )
    wanted = ", ".join(map(str, expected))
    remedy = f"return floats of the shape ({wanted}, any width)"
    raise InputError(f"{_name(augment)} returned {given}", key="augment", remedy=remedy)


def _list_parameters(augment: Callable[..., Any]) -> list[str] | None:
    """Return the names of the parameters that a call takes; ``forward`` of a module; None if it cannot be called."""
    if not callable(augment):
        return None
    called = augment.forward if isinstance(augment, torch.nn.Module) else augment
    try:
        return list(inspect.signature(called).parameters)
    except (TypeError, ValueError):
        return None


def _name(augment: Any) -> str:
    kind = augment if inspect.isclass(augment) or inspect.isfunction(augment) else type(augment)
    return f"{kind.__module__}.{kind.__qualname__}"
