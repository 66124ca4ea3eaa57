"""What the run itself gives to the parts that a configuration names, and what it takes from their nodes."""

import inspect
from collections.abc import Mapping
from typing import Any

RUN_KEYS = {
    "optim": ("schedule", "clip_norm", "ema_decay"),
    "optim.schedule": ("interval", "frequency", "monitor"),
}
"""Keys that may stand in the node of an optimizer or scheduler of torch, beside the arguments of its constructor."""

COLLECTIONS = ("callbacks", "logger", "metrics")
"""Root keys that hold any number of parts, each under a name of its own."""

_SUPPLIED = {"optim.schedule": ("total_steps", "T_max", "max_lr")}


def is_optimizer(target: Any) -> bool:
    """Whether ``optim._target_`` is an optimizer's own class, or a function that returns one, and not its settings."""
    return not hasattr(target, "build")


def split_node(node: Mapping[str, Any], path: str, target: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide the node of a part into what its constructor gets and what the run takes for itself.

    Args:
        node: plain.
        path: such as ``optim``.
        target: the class or function that the node names.
    """
    keys = RUN_KEYS.get(path, ()) if is_optimizer(target) else ()
    return {k: v for k, v in node.items() if k not in keys}, {k: v for k, v in node.items() if k in keys}


def list_supplied(path: str, target: Any) -> tuple[str, ...]:
    """Return the parameters of a part that the run gives: the weights of an optimizer, the charset of a decoder."""
    if path not in ("decoder", *RUN_KEYS) or (path != "decoder" and not is_optimizer(target)):
        return ()
    return (*list(inspect.signature(target).parameters)[:1], *_SUPPLIED.get(path, ()))
