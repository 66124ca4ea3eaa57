"""Which functions and classes a configuration may name.

Hydra calls what a ``_target_`` names. The user's own words are the command line, ``--config-dir`` and ``--trust``; the
``config.yaml`` of a run folder may be a stranger's, so that what it names is checked before anything is imported.
"""

import importlib
import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from htr_lightning.config.schema import ConfigError

_ROOTS = ("htr_lightning", "torch", "torchmetrics", "torchvision", "lightning")
_KINDS = {
    "torch": ("torch.nn.Module", "torch.optim.Optimizer", "torch.optim.lr_scheduler.LRScheduler"),
    "torchmetrics": ("torchmetrics.Metric",),
    "torchvision": ("torch.nn.Module", "torchvision.transforms.Compose"),
    "lightning": (
        "lightning.Trainer",
        "lightning.pytorch.callbacks.Callback",
        "lightning.pytorch.loggers.Logger",
        "lightning.pytorch.strategies.Strategy",
        "lightning.pytorch.profilers.Profiler",
    ),
}
"""Base classes of what other packages may contribute. Their functions, such as ``torch.load``, may run code."""


def check_targets(cfg: DictConfig, shipped: Collection[str], trusted: Collection[str], place: Path) -> None:
    """Refuse a configuration that names functions or classes which nobody vouches for; imports none of them.

    Args:
        cfg: of a run folder.
        shipped: what the configuration files of this package name.
        trusted: import paths, of functions, classes, or packages as a whole, that the user trusts.
        place: where the configuration comes from.

    Raises:
        ConfigError: names each of them, and the option that allows it.
    """
    problems = []
    for key, name in find_targets(OmegaConf.to_container(cfg, resolve=False)):
        is_allowed = any(name == prefix or name.startswith(f"{prefix}.") for prefix in trusted)
        if not (is_allowed or name in shipped or _is_ours(name)):
            problems.append(
                f"{key}={name}: named by {place}, and neither a part of this package nor a module of torch, "
                f"torchvision, torchmetrics or lightning; if you know what it does, add --trust {name}"
            )
    if problems:
        raise ConfigError("\n".join(problems), kind="untrusted")


def find_targets(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the key and the name of each ``_target_`` in a plain configuration."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            path = f"{key}.{name}" if key else str(name)
            if name == "_target_":
                yield path, str(child)
            else:
                yield from find_targets(child, path)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, child in enumerate(node):
            yield from find_targets(child, f"{key}[{index}]")


def read_targets(folder: Path) -> set[str]:
    """Return what the configuration files in a folder name."""
    names: set[str] = set()
    for path in sorted(folder.rglob("*.yaml")):
        try:
            content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        except Exception:  # some other YAML file; Hydra reports it if it is used
            continue
        names |= {name for _, name in find_targets(content)}
    return names


def _is_ours(name: str) -> bool:
    """Whether a name is that of a class of this package, or of a class of torch, torchvision or lightning in `_KINDS`.

    Where a class is defined counts: ``htr_lightning.files.os.system`` is none of ours.
    """
    root = name.partition(".")[0]
    if root not in _ROOTS:
        return False
    try:
        target = get_object(name)
    except Exception:  # whatever the import raises
        return False
    if not inspect.isclass(target) or target.__module__.partition(".")[0] != root:
        return False
    return root not in _KINDS or issubclass(target, tuple(map(_import_class, _KINDS[root])))


def _import_class(name: str) -> type:
    module, _, attribute = name.rpartition(".")
    found: type = getattr(importlib.import_module(module), attribute)
    return found
