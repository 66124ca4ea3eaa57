"""The protocol that every network keeps, and networks by the import path of their class."""

import hashlib
import importlib
import inspect
import sysconfig
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, cast

import torch
from torch import Tensor, nn

from htr_lightning.errors import InputError

_OURS = "htr_lightning.model."


class NetworkError(InputError):
    """A class does not keep the protocol `Network`, or cannot be imported, or is not trusted."""


class Frames(NamedTuple):
    """Output of a network: logits ``(N, T, K)``, of which class 0 is the CTC blank.

    ``auxiliary`` holds logits of the same shape with a CTC loss of their own (``auxiliary_weight``); None for none,
    and outside training.
    """

    logits: Tensor
    auxiliary: Tensor | None = None


class Network(Protocol):
    """What a run, model files, fine-tuning and export need of a network: a `torch.nn.Module` with these members.

    Its constructor takes the number of classes K, including the CTC blank, as its first argument, and keyword
    arguments of JSON types. A class need not inherit from this one;
    `htr_lightning.model.network_check.check_network` tells what it lacks.

    Attributes:
        arguments: the keyword arguments, defaults included, as JSON types; a model file stores them.
        height_px: height of the line images.
        heads: paths of the modules whose parameters have a row for each class. A change of the charset keeps the rows
            of characters that remain.

    A module with the path ``backbone`` is what ``compile=true`` compiles, what Lightning's ``BackboneFinetuning``
    freezes; without it, the whole network is compiled.
    """

    arguments: Mapping[str, Any]
    height_px: int
    heads: Sequence[str]
    training: bool

    @property
    def frame_px(self) -> int:
        """Width of a frame in pixels of the line image."""
        ...

    def frame_lengths(self, widths: Tensor) -> Tensor:
        """Return the number of frames of lines that are ``widths`` pixels wide, both ``(N,)`` int64."""
        ...

    def blocks(self) -> Sequence[str]:
        """Return the paths of the parts below the heads, from the top down, for freezing and learning rates."""
        ...

    def __call__(self, images: Tensor) -> Frames:
        """Compute the logits of line images ``(N, 1, H, W)``, from 0 (paper) to 1 (ink)."""
        ...

    # Of torch.nn.Module:

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Yield the parameters."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the parameters with their paths."""
        ...

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the modules with their paths."""
        ...

    def get_submodule(self, target: str) -> nn.Module:
        """Return the module at a path."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the weights by their paths."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Set the weights."""
        ...

    def train(self, mode: bool = True) -> Self:
        """Set the training mode."""
        ...

    def eval(self) -> Self:
        """Set the evaluation mode."""
        ...

    def to(self, device: str | torch.device) -> Self:
        """Move the weights to a device."""
        ...


def describe_error(error: BaseException) -> str:
    """Return type and first line of an error, and the place in the user's code that raised it."""
    reason = next(iter(str(error).splitlines()), "")
    others = [Path(__file__).parents[1], *map(Path, sysconfig.get_paths().values())]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(Path(frame.filename).is_relative_to(other) for other in others)]
    place = f", line {own[-1].lineno} of {own[-1].filename}" if own else ""
    return f"{type(error).__name__}{': ' * bool(reason)}{reason}{place}"


def get_class_path(cls: type) -> str:
    """Return the import path of a class: what a model file names, and what ``_target_`` and ``--trust`` take."""
    return f"{cls.__module__}.{cls.__qualname__}"


def is_ours(cls: type) -> bool:
    """Return whether a network is part of this package."""
    return cls.__module__.startswith(_OURS)


def find_class(path: str, trusted: Collection[str] = ()) -> type[Any]:
    """Import the class of a network; nothing is imported that is neither of this package nor trusted.

    Args:
        path: see `get_class_path`.
        trusted: import paths of classes, or of modules and packages as a whole, that the user vouches for.

    Raises:
        NetworkError: the class is not trusted, cannot be imported, or is not a `torch.nn.Module`.
    """
    is_trusted = any(path == name or path.startswith(f"{name}.") for name in trusted)
    if not is_trusted and not path.startswith(_OURS):
        raise NetworkError(
            f"the network is {path}, whose code is not part of this package",
            remedy=f"if you know what it does, add --trust {path} (in Python: trust=[{path!r}])",
            kind="untrusted",
        )
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever the module raises
        raise NetworkError(
            f"the network {path} cannot be imported ({type(error).__name__}: {error})",
            remedy="upgrade this package"
            if path.startswith(_OURS)
            else "start in the folder of its module, or install it",
            kind="missing",
        ) from None
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)) or (not is_trusted and cls.__module__ != module):
        raise NetworkError(f"{path} is not the class of a network", kind="foreign")
    return cast(type[Any], cls)


def hash_source(cls: type) -> str:
    """Return a digest of the source of a class, by which a model file notices changes; empty if unknown."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):  # typed into a prompt
        return ""
    return hashlib.blake2b(source.encode(), digest_size=8).hexdigest()


def collect_arguments(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `Network.arguments` from the ``locals()`` at the start of a constructor.

    Args:
        cls: whose signature names the arguments.
        given: the value of each, and perhaps others.
    """
    names = inspect.signature(cls).parameters
    return {name: to_json_types(given[name]) for name in names if name != "num_classes"}


def to_json_types(value: Any) -> Any:
    """Return a value of `Network.arguments` as JSON has it: sequences as lists."""
    return (
        [to_json_types(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
    )
