"""The option ``--status`` of ``predict`` and ``segment``: how far a folder of results is."""

import argparse
from collections.abc import Mapping

from htr_lightning.cli.console import print_result
from htr_lightning.cli.options import parse_shard


def add_status_option(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add ``--status``."""
    parser.add_argument(
        "--status",
        action="store_true",
        help="read nothing; say how many pages of --out are read, failed and left, and how long it will take",
    )


def print_status(options: argparse.Namespace, settings: Mapping[str, str]) -> None:
    """Print how many pages are read, failed and left.

    Args:
        options: of ``predict`` or ``segment``.
        settings: that the results depend on.
    """
    from htr_lightning.reading.page_jobs import find_jobs
    from htr_lightning.reading.records.journal import Journal
    from htr_lightning.reading.records.status import compute_status

    jobs, unreadable = find_jobs(
        options.images,
        options.out,
        options.format,
        overlay=options.overlay,
        ignore_layouts=getattr(options, "ignore_layouts", True),
        layouts=getattr(options, "layouts", None),
        shard=parse_shard(options),
        report=lambda sentence: None,
    )
    if getattr(options, "split_pages", False):
        jobs = [job.split() for job in jobs]
    print_result(compute_status(jobs, unreadable, Journal(options.out, settings)).describe())
