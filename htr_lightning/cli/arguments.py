"""The command line of a run: Hydra's options, ours, and overrides in any order."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from htr_lightning.cli.console import UsageError
from htr_lightning.config.compose import check_syntax, compose_or_none, list_groups
from htr_lightning.config.overrides import check_overrides, quote_texts

_FLAGS = ("resolve", "run", "multirun", "shell_completion", "hydra_help")
_WITH_VALUE = ("cfg", "package", "config_path", "config_name", "config_dir", "info")


@dataclass(frozen=True)
class Arguments:
    """A command line.

    Attributes:
        options: Hydra's, by name.
        overrides: in which texts are quoted for Hydra; ``--trust`` is the override ``trust``.
        typed: the arguments as they were given.
    """

    options: argparse.Namespace
    overrides: list[str]
    typed: list[str]

    @property
    def config_dir(self) -> Path | None:
        """Folder with config groups of the user."""
        return None if self.options.config_dir is None else Path(self.options.config_dir)

    @property
    def is_sweep(self) -> bool:
        """Whether several runs are asked for."""
        return bool(self.options.multirun)

    @property
    def has_own_config(self) -> bool:
        """Whether the configuration is that of this package, and is composed at all."""
        others = ("config_path", "config_name", "shell_completion", "hydra_help")
        return not any(getattr(self.options, name) for name in others)

    @property
    def is_run(self) -> bool:
        """Whether anything is run, rather than shown."""
        shown = ("cfg", "info", "shell_completion", "hydra_help")
        return not any(getattr(self.options, name) for name in shown)

    def for_hydra(self) -> list[str]:
        """Return the arguments as Hydra takes them: overrides first, since it accepts none behind options."""
        flags = [f"--{name.replace('_', '-')}" for name in _FLAGS if getattr(self.options, name)]
        valued = [(name, getattr(self.options, name)) for name in _WITH_VALUE]
        pairs = [[f"--{name.replace('_', '-')}", value] for name, value in valued if value is not None]
        return [*self.overrides, *flags, *(part for pair in pairs for part in pair)]


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Parse a command line.

    Raises:
        UsageError: an option is unknown, lacks its value, or contradicts another one.
        ConfigError: a file of ``--config-dir`` cannot be read.
    """
    options = build_parser().parse_intermixed_args(list(argv))
    _check_options(options)
    config_dir = None if options.config_dir is None else Path(options.config_dir)
    if config_dir is not None:
        check_syntax(options.overrides, config_dir)
    overrides = quote_texts(
        options.overrides,
        list(list_groups(config_dir)),
        lambda given: compose_or_none(given, config_dir),
        is_sweep=options.multirun,
    )
    check_overrides(overrides, list(list_groups(config_dir)))
    if options.trust:
        overrides.append(f"trust=[{','.join(map(_check_import_path, options.trust))}]")
    return Arguments(options, overrides, list(argv))


def _check_import_path(name: str) -> str:
    if all(part.isidentifier() for part in name.split(".")):
        return name
    raise UsageError(
        "not an import path", key="--trust", value=name, remedy="write module.Class, a module or a package"
    )


def parse_config_dir(argv: Sequence[str]) -> Path | None:
    """Return the folder that ``--config-dir`` names, whatever else the command line says.

    Raises:
        UsageError: there is no such folder.
    """
    options, _ = build_parser().parse_known_intermixed_args(list(argv))
    if options.config_dir is not None:
        _check_config_dir(options.config_dir)
    return None if options.config_dir is None else Path(options.config_dir)


def build_parser() -> argparse.ArgumentParser:
    """Return Hydra's parser with the options of this package."""
    parser: argparse.ArgumentParser = get_args_parser()
    parser.add_argument("--trust", action="append", default=[], metavar="NAME")

    def refuse(message: str) -> NoReturn:
        raise UsageError(message, remedy="python -m htr_lightning --help lists the options")

    parser.error = refuse  # type: ignore[method-assign]
    return parser


def _check_options(options: argparse.Namespace) -> None:
    shown = [f"--{name}" for name in ("cfg", "info") if getattr(options, name)]
    if options.multirun and shown:
        raise UsageError("--cfg and --info show a single configuration; leave out --multirun")
    if len(shown) > 1:
        raise UsageError("--cfg and --info cannot be combined; leave out one of them")
    if options.resolve and not options.cfg:
        raise UsageError("--resolve needs --cfg", remedy="write --cfg job --resolve")
    if options.experimental_rerun is not None:
        raise UsageError("--experimental-rerun would run what a pickle file says", remedy="use resume=FOLDER")
    if options.config_dir is not None:
        _check_config_dir(options.config_dir)


def _check_config_dir(folder: str) -> None:
    if not Path(folder).is_dir():
        raise UsageError("there is no such folder", key="--config-dir", value=folder)
