"""``python -m htr_lightning segment``: find the regions and lines of pages, without recognizing them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.cli.console import UsageError, exit_with_message, print_error
from htr_lightning.cli.finder_options import add_finder_options, load_line_finder
from htr_lightning.cli.options import (
    add_overlay_option,
    add_overwrite_option,
    add_shard_option,
    list_inputs,
    parse_formats,
    parse_shard,
)
from htr_lightning.cli.place_options import STORAGE, add_images_argument, add_listed_images
from htr_lightning.cli.reading_settings import describe_settings
from htr_lightning.cli.status import add_status_option, print_status
from htr_lightning.files import check_writable
from htr_lightning.reading.storage.places import parse_place
from htr_lightning.text import format_count


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Find the lines of pages, and write them as layout files.

    Raises:
        SystemExit: 1 if a page could not be read (the others still are), 2 for a wrong command line.
    """
    options = build_parser().parse_intermixed_args(argv)
    check_format_names(options.format)
    add_listed_images(options)
    if not options.images:
        raise UsageError("name the scans of pages, or folders that contain them")
    if isinstance(options.out, Path):
        check_writable(options.out, "--out")
    shard, settings = parse_shard(options), describe_settings(options, build_parser())
    if options.status:
        print_status(options, settings)
        return
    finder = load_line_finder(options)

    from htr_lightning.progress import show_progress
    from htr_lightning.reading.layouts import segment_folder
    from htr_lightning.reading.segmenters import direct_segmenter

    result = segment_folder(
        options.images,
        options.out,
        direct_segmenter(finder, options.direction),
        formats=options.format,
        overlay=options.overlay,
        overwrite=options.overwrite,
        split_pages=options.split_pages,
        shard=shard,
        inputs=list(list_inputs(options)),
        settings=settings,
        keep_folders=options.list is not None,
        report=print_error,
        progress=show_progress,
    )
    lines, pages = format_count(result.num_lines, "line"), format_count(result.num_pages, "page")
    written = f"{options.out}: {lines} found on {pages}"
    written += result.describe_rest()
    print_error(written)
    if result.problems:
        raise SystemExit(1)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning segment",
        description="Find the regions and lines of pages, and write them as ALTO or PAGE files, to be corrected in "
        "eScriptorium or Transkribus. Nothing is recognized; predict --layouts reads the lines of these files.",
        epilog="Images that cannot be read are reported and skipped; the exit status is then 1.",
    )
    add_images_argument(parser, "images of pages, PDF or TIFF documents, or folders to search for them")
    parser.add_argument(
        "--out", type=parse_place, required=True, metavar="FOLDER", help=f"folder for the layout files, {STORAGE}"
    )
    parser.add_argument(
        "--format",
        type=parse_formats,
        default=["alto"],
        metavar="FORMAT[,FORMAT]",
        help="alto, page or both (default: alto)",
    )
    add_overlay_option(parser, "lines")
    parser.add_argument(
        "--split-pages",
        action="store_true",
        help="write the halves of double pages as images with a layout of their own, NAME_left and NAME_right; the "
        "images of the other pages are copied beside their layouts",
    )
    add_shard_option(parser)
    add_overwrite_option(
        parser, "segment all pages, and replace files that exist (default: only the pages that lack a file)"
    )
    add_status_option(parser)
    add_finder_options(parser.add_argument_group("line finder"))
    return parser


def check_format_names(names: Sequence[str]) -> None:
    """Check that all formats are those of layouts.

    Raises:
        UsageError: one is not.
    """
    from htr_lightning.reading.layouts import LAYOUT_FORMATS

    for name in names:
        if name not in LAYOUT_FORMATS:
            remedy = f"choose from {', '.join(LAYOUT_FORMATS)}; predict writes the others"
            raise UsageError("not a format of layouts", key="--format", value=name, remedy=remedy)


if __name__ == "__main__":
    main()
