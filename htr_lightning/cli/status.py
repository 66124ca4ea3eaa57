"""The option ``--status`` of ``predict`` and ``segment``: how far a folder of results is."""

import argparse
from collections.abc import Mapping

from htr_lightning.cli.console import print_result
from htr_lightning.cli.options import parse_shard
from htr_lightning.cli.place_options import build_plan, get_places


def add_status_option(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add ``--status``."""
    parser.add_argument(
        "--status",
        action="store_true",
        help="read nothing; say how many pages of --out are read, failed and left, and how long it will take",
    )


def _ignore(sentence: str) -> None:
    """Tell nobody."""


def print_status(options: argparse.Namespace, settings: Mapping[str, str]) -> None:
    """Print how many pages are read, failed and left.

    Args:
        options: of ``predict`` or ``segment``.
        settings: that the results depend on.
    """
    from htr_lightning.reading.folder_work import FolderWork, find_status

    work = FolderWork(
        get_places(options), build_plan(options), shard=parse_shard(options), settings=settings, report=_ignore
    )
    print_result(find_status(work).describe())
