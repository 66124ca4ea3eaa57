"""From nodes of a configuration to objects."""

import contextlib
from collections.abc import Iterator
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from htr_lightning.config.schema import ConfigError
from htr_lightning.errors import InputError


def build(node: Any) -> Any:
    """Return the object that a config node describes; lists and mappings reach its constructor as plain Python.

    Raises:
        hydra.errors.InstantiationException: the constructor refuses its arguments; ``__cause__`` says why.
    """
    return instantiate(node, _convert_="all")


def build_dataset(cfg: DictConfig) -> Any:
    """Return the dataset of a configuration; ``dataset.direction`` is not its own.

    Raises:
        hydra.errors.InstantiationException: see `build`.
    """
    return build({key: value for key, value in cfg.dataset.items_ex(resolve=False) if key != "direction"})


def build_line_source(cfg: DictConfig) -> Any:
    """Return the dataset of a configuration, which has to be one of lines.

    Raises:
        ConfigError: it has none, but pages, for example.
        hydra.errors.InstantiationException: see `build`.
    """
    source = build_dataset(cfg)
    if not hasattr(source, "lines"):
        remedy = "add it to the class, or choose a dataset of lines: alto or page_xml for pages with transcriptions"
        raise ConfigError(f"{type(source).__name__} has no method lines", key="dataset", remedy=remedy)
    return source


@contextlib.contextmanager
def unwrap_errors() -> Iterator[None]:
    """Raise the errors of constructors that `build` calls in the block, instead of ``InstantiationException``.

    Raises:
        InputError: the constructor refuses its arguments.
    """
    try:
        yield
    except InstantiationException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise ConfigError(str(error.__cause__ or error)) from None
