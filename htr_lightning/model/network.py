"""The protocol that every network keeps, and networks by the import path of their class."""

import hashlib
import importlib
import inspect
import json
import sysconfig
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, cast

import torch
from torch import Tensor, nn

from htr_lightning.errors import InputError
from htr_lightning.text import format_count

_OURS = "htr_lightning.model."
_WIDTHS_PX = (256, 203)  # of the lines that a network is tried on
_MAX_LISTED = 3  # parameters in a message


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
    arguments of JSON types. A class need not inherit from this one; `check_network` tells what it lacks.

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


_MEMBERS = {
    "arguments": "a dict of the constructor's keyword arguments",
    "height_px": "the height of the lines in pixels",
    "frame_px": "the width of a frame in pixels",
    "heads": "the paths of the modules with a row for each class",
    "frame_lengths": "a method from widths in pixels to numbers of frames",
    "blocks": "a method that lists the paths of the parts below the heads",
}


def check_network(network: object, num_classes: int) -> None:
    """Check that a network keeps the protocol, and try it on two blank lines.

    Args:
        network: on the CPU.
        num_classes: K, with which it was built.

    Raises:
        NetworkError: it lacks a member, a method of it fails, its output has another shape than it says, or a part is
            in no block; the message names all that it lacks.
    """
    name = get_class_path(type(network))
    if not isinstance(network, nn.Module):
        raise NetworkError(f"{name} is not a torch.nn.Module", key="model", remedy="derive it from torch.nn.Module")
    missing = [f"{member} ({meaning})" for member, meaning in _MEMBERS.items() if not hasattr(network, member)]
    if missing:
        remedy = "add what htr_lightning.model.network.Network documents"
        raise NetworkError(f"{name} lacks {', '.join(missing)}", key="model", remedy=remedy)
    problems = list(_find_part_problems(network, num_classes)) or list(_find_output_problems(network, num_classes))
    if problems:
        remedy = "correct the class as htr_lightning.model.network.Network documents it"
        raise NetworkError(f"{name}: {'; '.join(problems)}", key="model", remedy=remedy)


def check_arguments(network: Network, num_classes: int) -> None:
    """Check that a network can be built again from its ``arguments``, as whoever loads its model file does.

    Args:
        network: keeps the protocol.
        num_classes: K, with which it was built.

    Raises:
        NetworkError: they are not of JSON types, the constructor refuses them, or builds a network of other weights.
    """
    name = get_class_path(type(network))
    remedy = "set self.arguments to the keyword arguments of the constructor, with their values"
    try:
        arguments = json.loads(json.dumps(dict(network.arguments), allow_nan=False))
    except (TypeError, ValueError) as error:
        problem = f"{name}: arguments must hold JSON types only ({error})"
        raise NetworkError(problem, key="model", remedy=remedy) from None
    try:
        with torch.random.fork_rng(devices=[]):
            again = cast(Any, type(network))(num_classes, **arguments)
    except Exception as error:  # whatever a class raises
        problem = f"{name} cannot be built again from its arguments {arguments} ({describe_error(error)})"
        raise NetworkError(problem, key="model", remedy=remedy) from None
    first, second = ({path: tuple(p.shape) for path, p in n.named_parameters()} for n in (network, again))
    if first != second:
        path = next(path for path in [*first, *second] if first.get(path) != second.get(path))
        shapes = f"{second.get(path, 'missing')} instead of {first.get(path, 'missing')}"
        problem = f"{name}: built again from its arguments {arguments}, {path} is {shapes}"
        raise NetworkError(problem, key="model", remedy=remedy)


def _find_part_problems(network: Any, num_classes: int) -> Iterator[str]:
    modules = dict(network.named_modules())
    if not network.heads:
        yield "heads is empty, but some module must have a row for each class"
    parts = [*network.blocks(), *network.heads]
    for part in parts:
        if part not in modules:
            yield f"blocks() or heads names {part!r}, but it has no such module"
    left_out = []
    for path, parameter in network.named_parameters():
        if not any(path.startswith(f"{part}.") for part in parts):
            left_out.append(path)
        is_head = any(path.startswith(f"{head}.") for head in network.heads)
        if is_head and parameter.shape[0] != num_classes:
            yield f"{path} is in a head, but has {parameter.shape[0]} rows for {num_classes} classes"
    if left_out:
        listed = ", ".join([*left_out[:_MAX_LISTED], "..."] if len(left_out) > _MAX_LISTED else left_out)
        yield f"blocks() and heads leave out {format_count(len(left_out), 'parameter')}: {listed}"


def _find_output_problems(network: Any, num_classes: int) -> Iterator[str]:
    """Try a network in the mode in which it is, without changing it."""
    mode = network.training
    tried = "frame_lengths(widths)"
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        try:
            lengths = network.eval().frame_lengths(torch.tensor(_WIDTHS_PX))
            all_lengths = network.frame_lengths(torch.arange(1, max(_WIDTHS_PX) + 1))
            images = torch.zeros(2, 1, network.height_px, max(_WIDTHS_PX))
            tried = f"forward(images) with images of the shape {tuple(images.shape)}"
            frames = network(images)
        except Exception as error:  # whatever a class raises
            yield f"{tried} fails ({describe_error(error)})"
            return
        finally:
            network.train(mode)
    if not isinstance(lengths, Tensor) or lengths.shape != (2,) or lengths.is_floating_point():
        yield f"frame_lengths(widths) must return an integer tensor {(2,)}, but returns {_describe(lengths)}"
        return
    yield from _find_length_problems(all_lengths)
    expected = (2, int(lengths[0]), num_classes)
    logits = getattr(frames, "logits", None)
    if not isinstance(logits, Tensor) or not hasattr(frames, "auxiliary"):
        yield f"forward(images) must return htr_lightning.model.network.Frames, but returns {_describe(frames)}"
    elif tuple(logits.shape) != expected:
        yield (
            f"for lines of {max(_WIDTHS_PX)} px, forward(images) must return logits (N, T, K) of the shape {expected}, "
            f"but returns {tuple(logits.shape)}"
        )


def _find_length_problems(lengths: Tensor) -> Iterator[str]:
    """Check the numbers of frames of lines that are 1, 2, 3, ... pixels wide, ``(n,)``."""
    if (lengths < 0).any():
        width = int(lengths.argmin()) + 1
        yield f"frame_lengths(widths) must be at least 0, but is {int(lengths.min())} for {width} px; clamp it"
    elif (falls := lengths[1:] < lengths[:-1]).any():
        width = int(falls.nonzero()[0]) + 1
        pair = f"{int(lengths[width - 1])} for {width} px and {int(lengths[width])} for {width + 1} px"
        yield f"frame_lengths(widths) must not fall where the width rises, but is {pair}"


def describe_error(error: BaseException) -> str:
    """Return type and first line of an error, and the place in the user's code that raised it."""
    reason = next(iter(str(error).splitlines()), "")
    others = [Path(__file__).parents[1], *map(Path, sysconfig.get_paths().values())]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(Path(frame.filename).is_relative_to(other) for other in others)]
    place = f", line {own[-1].lineno} of {own[-1].filename}" if own else ""
    return f"{type(error).__name__}{': ' * bool(reason)}{reason}{place}"


def _describe(value: object) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


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
