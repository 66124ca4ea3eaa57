"""From nodes of a configuration to objects."""

from typing import Any

from hydra.utils import instantiate


def build(node: Any) -> Any:
    """Return the object that a config node describes; lists and mappings reach its constructor as plain Python.

    Raises:
        hydra.errors.InstantiationException: the constructor refuses its arguments; ``__cause__`` says why.
    """
    return instantiate(node, _convert_="all")
