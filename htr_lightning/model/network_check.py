"""Checks that a network keeps the protocol `htr_lightning.model.network.Network`."""

import json
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from htr_lightning.model.network import Network, NetworkError, describe_error, get_class_path
from htr_lightning.text import format_count

_MAX_LISTED = 3  # parameters in a message
_WIDTHS_PX = (256, 203)  # of the lines that a network is tried on

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


def _describe(value: object) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
