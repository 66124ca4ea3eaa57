"""What ``predict`` does with whole pages: recognize them, and write or print the results, or say how far they are."""

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import print_error, write_stdout
from htr_lightning.cli.finder_options import load_line_finder
from htr_lightning.cli.options import build_decoder, list_inputs, parse_shard
from htr_lightning.cli.place_options import build_plan, get_places
from htr_lightning.cli.predict_options import build_parser
from htr_lightning.cli.reading_settings import describe_settings
from htr_lightning.cli.runtime_option import choose_runtime, load_recognizer
from htr_lightning.files import check_writable
from htr_lightning.text import format_count

if TYPE_CHECKING:
    from htr_lightning.reading.api import Reader
    from htr_lightning.reading.work import FolderResult


def write_pages(options: argparse.Namespace) -> None:
    """Recognize pages, and write the results into a folder.

    Raises:
        SystemExit: 1 if a page could not be read.
    """
    if isinstance(options.out, Path):
        check_writable(options.out, "--out")

    from htr_lightning.progress import show_progress
    from htr_lightning.reading.folder import read_folder

    shard = parse_shard(options)
    settings = describe_settings(options, build_parser())
    if options.engine is not None:
        report_result(options, read_on_ray(options, settings))
        return
    result = read_folder(
        options.images,
        options.out,
        functools.partial(load_reader, options),
        formats=options.format,
        overlay=options.overlay,
        overwrite=options.overwrite,
        ignore_layouts=options.ignore_layouts,
        layouts=options.layouts,
        shard=shard,
        inputs=list(list_inputs(options)),
        settings=settings,
        index=options.index,
        keep_folders=options.list is not None,
        report=print_error,
        progress=show_progress,
    )
    report_result(options, result)


def read_on_ray(options: argparse.Namespace, settings: Mapping[str, str]) -> "FolderResult":
    """Read the pages with Ray; all workers run the model with what ``--runtime`` stands for on this machine."""
    from htr_lightning.progress import show_progress
    from htr_lightning.reading.folder_work import FolderWork
    from htr_lightning.reading.ray_engine import RayEngine
    from htr_lightning.reading.ray_pages import read_folder_on_ray

    work = FolderWork(
        get_places(options),
        build_plan(options),
        overwrite=options.overwrite,
        shard=parse_shard(options),
        inputs=list(list_inputs(options)),
        settings=settings,
        report=print_error,
        progress=show_progress,
    )
    runtime = choose_runtime(options)
    make_reader = functools.partial(load_reader, argparse.Namespace(**vars(options) | {"runtime": runtime}))
    return read_folder_on_ray(work, make_reader, RayEngine(options.workers, options.address))


def report_result(options: argparse.Namespace, result: "FolderResult") -> None:
    """Print what became of the pages.

    Raises:
        SystemExit: 1 if a page could not be read.
    """
    written = (
        f"{options.out}: {format_count(result.num_pages, 'page')} with {format_count(result.num_lines, 'line')} read"
    )
    written += result.describe_rest()
    print_error(written)
    if result.problems:
        raise SystemExit(1)


def print_pages(options: argparse.Namespace) -> None:
    """Recognize pages, and print them as text or JSON, separated by form feeds.

    Raises:
        SystemExit: 1 if a page could not be read.
    """
    from datetime import UTC, datetime

    from htr_lightning.reading.folder import read_pages
    from htr_lightning.reading.write.writers import PAGE_WRITERS

    separator, failed = "", False
    reader = load_reader(options)
    for result in read_pages(
        options.images, reader, ignore_layouts=options.ignore_layouts, layouts=options.layouts, report=print_error
    ):
        for problem in [*result.warnings, *filter(None, [result.problem])]:
            print_error(problem)
        if result.page is None:
            failed = True
            continue
        write_stdout(separator + PAGE_WRITERS[options.format[0]].write(result.page, datetime.now(UTC)).decode())
        separator = "\f"
    if failed:
        raise SystemExit(1)


def load_reader(options: argparse.Namespace) -> "Reader":
    """Load the model, with the decoder and the segmenter that the options describe."""
    finder = load_line_finder(options)  # before the model, which takes seconds

    from htr_lightning.reading.api import Reader
    from htr_lightning.reading.segmenters import direct_segmenter

    model = load_recognizer(options)
    decoder = build_decoder(options, model.charset, model.info)
    segmenter = direct_segmenter(finder, options.direction, model.charset)
    return Reader(model, options.model, tta=options.tta, decoder=decoder, segmenter=segmenter)
