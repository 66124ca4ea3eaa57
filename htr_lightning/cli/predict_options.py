"""The command line of ``predict``."""

import argparse
from pathlib import Path

from htr_lightning.cli.console import UsageError
from htr_lightning.cli.finder_options import add_finder_options
from htr_lightning.cli.options import (
    MANIFEST,
    add_decoder_options,
    add_device_option,
    add_layout_options,
    add_model_argument,
    add_overlay_option,
    add_overwrite_option,
    add_precision_option,
    add_shard_option,
    add_tta_option,
    check_layout_options,
    parse_formats,
    positive_int,
)
from htr_lightning.cli.place_options import STORAGE, add_images_argument, find_urls
from htr_lightning.cli.runtime_option import add_runtime_option
from htr_lightning.cli.status import add_status_option
from htr_lightning.reading.storage.places import parse_place

VISUALIZED_LINES = 24
LINE_FORMATS = ("txt", "tsv", "json")
_LINE_OPTIONS = ("align", "character_crops", "visualize")
_PAGE_OPTIONS = (
    "ignore_layouts",
    "layouts",
    "overlay",
    "segmenter",
    "min_line_confidence",
    "shard",
    "status",
    "index",
    "engine",
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    from htr_lightning.reading.write.writers import PAGE_WRITERS

    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning predict",
        description="Recognize images of lines, or whole pages, which are segmented into lines first. Write text, "
        "JSON, ALTO, PAGE, hOCR or searchable PDF.",
        epilog="Images that cannot be read are reported and skipped; the exit status is then 1.",
    )
    add_model_argument(parser)
    add_images_argument(parser, "images of lines or pages, PDF or TIFF documents, or folders to search for them")
    parser.add_argument(
        "--out",
        type=parse_place,
        metavar="PATH",
        help=f"lines: the file to write (default: standard output); pages: the folder for the results, {STORAGE}",
    )
    add_overwrite_option(
        parser,
        "replace files that exist (default: lines: refuse; pages: recognize only those whose results do not exist yet, "
        "so that a job can be resumed)",
    )
    parser.add_argument(
        "--format",
        type=parse_formats,
        default=["txt"],
        metavar="FORMAT[,FORMAT...]",
        help="lines: txt, tsv (image, text, confidence) or json (also words and characters with outline and "
        f"confidence); pages: any of {', '.join(PAGE_WRITERS)}; a PDF is searchable; "
        "or a format that a module of --trust registers (default: txt)",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--lines", action="store_true", help="each image is one line")
    kind.add_argument(
        "--pages",
        action="store_true",
        help="each image is a page (default: decided by --format and the shape of the images)",
    )
    _add_page_options(parser)
    _add_line_options(parser)
    recognition = parser.add_argument_group("recognition")
    add_device_option(recognition)
    add_precision_option(recognition)
    add_runtime_option(recognition)
    add_tta_option(recognition)
    add_decoder_options(parser)
    return parser


def _add_page_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("pages only")
    add_overlay_option(group, "lines and predictions")
    add_layout_options(
        group,
        "segment pages although they have an ALTO or PAGE file (default: recognize the lines of that file)",
        parse_place,
    )
    add_shard_option(group)
    group.add_argument(
        "--engine",
        choices=("ray",),
        help="ray: read with several processes, here or on a Ray cluster; writes index.parquet (default: one process)",
    )
    group.add_argument(
        "--workers",
        type=positive_int,
        metavar="N",
        help="--engine ray: number of processes, of one thread each (default: one for each core)",
    )
    group.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="--engine ray: a cluster that sees the same folders; auto for the one that this machine belongs to "
        "(default: this machine)",
    )
    group.add_argument(
        "--index",
        action="store_true",
        help="also write index.parquet, a table of all pages in the folder with their expected CER, the worst first",
    )
    add_status_option(group)
    add_finder_options(group)


def _add_line_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("lines only")
    group.add_argument(
        "--visualize",
        type=Path,
        metavar="PNG",
        help=f"also draw the first {VISUALIZED_LINES} lines, each character below its position",
    )
    group.add_argument(
        "--character-crops",
        type=Path,
        metavar="FOLDER",
        help="also write an image of each character, and a table of them",
    )
    group.add_argument(
        "--align",
        type=Path,
        metavar="MANIFEST",
        help=f"forced alignment: locate the characters of known transcriptions instead of recognizing; {MANIFEST}",
    )


def check_format_names(options: argparse.Namespace) -> None:
    """Check that all formats exist, those of the user's own modules included.

    Raises:
        UsageError: a format is unknown.
        InputError: a module that ``--trust`` names cannot be imported.
    """
    from htr_lightning.reading.write.writers import PAGE_WRITERS, load_page_writers

    load_page_writers([name for name in options.format if name not in LINE_FORMATS], options.trust)
    known = list(dict.fromkeys((*LINE_FORMATS, *PAGE_WRITERS)))
    for name in options.format:
        if name not in known:
            remedy = f"choose from {', '.join(known)}, or name the module that registers it with --trust"
            raise UsageError(f"unknown format {name!r}", remedy=remedy)


def decide_pages(options: argparse.Namespace) -> bool:
    """Return whether the images are pages.

    Raises:
        UsageError: some images have the shape of pages and some that of lines, or options do not go together.
    """
    check_format_names(options)
    line_options, page_options = _given(options, _LINE_OPTIONS), _given(options, _PAGE_OPTIONS)
    if options.pages or options.lines or line_options:
        pages = bool(options.pages)
    else:
        from htr_lightning.image.files import DataError
        from htr_lightning.reading.page_jobs import are_pages

        try:
            pages = bool(page_options or find_urls(options)) or are_pages(options.images, options.format)
        except DataError as error:
            raise UsageError(str(error)) from None
    kind, other = ("pages", "lines") if pages else ("lines", "pages")
    if wrong := line_options if pages else page_options:
        raise UsageError(f"{wrong[0]}: only for {other}, but the images are read as {kind}", remedy=f"add --{other}")
    _check_formats(options.format, kind)
    if pages:
        _check_output_of_pages(options)
    elif urls := find_urls(options):
        remedy = "copy the lines to this machine, or read pages with --pages"
        raise UsageError(f"{urls[0]}: lines are read in local files only", remedy=remedy)
    return pages


def _given(options: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]


def _check_formats(formats: list[str], kind: str) -> None:
    from htr_lightning.reading.write.writers import PAGE_WRITERS

    known = tuple(PAGE_WRITERS) if kind == "pages" else LINE_FORMATS
    remedy = f"choose {'' if kind == 'pages' else 'one '}from {', '.join(known)}"
    if unknown := [name for name in formats if name not in known]:
        raise UsageError(f"--format: {', '.join(unknown)} cannot be written for {kind}", remedy=remedy)
    if kind == "lines" and len(formats) > 1:
        raise UsageError(f"--format: only one format can be written for {kind}", remedy=remedy)


def _check_output_of_pages(options: argparse.Namespace) -> None:
    check_layout_options(options)
    if not options.images:
        raise UsageError("name the scans of pages, or folders that contain them")
    for name in ("workers", "address"):
        if options.engine is None and getattr(options, name):
            raise UsageError(f"--{name}: only for --engine ray", remedy="add --engine ray, or leave it out")
    for name in ("shard", "status", "index", "engine"):
        if options.out is None and getattr(options, name):
            raise UsageError(f"--{name}: only for files", remedy="add --out FOLDER")
    if options.out is None and find_urls(options):
        raise UsageError("--out FOLDER is required for scans in remote storage")
    if options.out is None and (options.format not in (["txt"], ["json"]) or options.overlay):
        what = f"--format {','.join(options.format)}{' --overlay' if options.overlay else ''}"
        raise UsageError(f"{what}: --out FOLDER is required; only txt or json alone can be printed")
