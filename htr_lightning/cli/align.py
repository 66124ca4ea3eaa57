"""``python -m htr_lightning align``: cut existing transcriptions of pages into the lines of the pages."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.cli.console import UsageError, exit_with_message, print_error
from htr_lightning.cli.finder_options import add_finder_options, load_line_finder
from htr_lightning.cli.options import (
    add_device_option,
    add_layout_options,
    add_model_argument,
    add_overlay_option,
    add_overwrite_option,
    add_precision_option,
    check_layout_options,
    check_probability,
    list_inputs,
    parse_formats,
)
from htr_lightning.cli.runtime_option import add_runtime_option, load_recognizer
from htr_lightning.files import check_writable
from htr_lightning.text import format_count


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Align transcriptions, and write them as training data.

    Raises:
        SystemExit: 1 if a page or its text could not be read (the others still are), 2 for a wrong command line.
    """
    options = build_parser().parse_args(argv)
    check_options(options)
    check_writable(options.out, "--out")
    finder = load_line_finder(options)  # before the model, which takes seconds

    from htr_lightning.aligning.folder import align_folder
    from htr_lightning.progress import show_progress
    from htr_lightning.reading.api import Reader
    from htr_lightning.reading.segmenters import direct_segmenter

    model = load_recognizer(options)
    reader = Reader(model, options.model, segmenter=direct_segmenter(finder, options.direction, model.charset))
    result = align_folder(
        options.scans,
        options.texts,
        options.out,
        reader,
        formats=options.format,
        min_confidence=options.min_confidence,
        overlay=options.overlay,
        overwrite=options.overwrite,
        ignore_layouts=options.ignore_layouts,
        layouts=options.layouts,
        inputs=list(list_inputs(options)),
        report=print_error,
        progress=show_progress,
    )
    pages = result.folder
    total = result.num_placed + result.num_uncertain + result.num_without_text
    written = f"{options.out}: {result.num_placed:,} of {format_count(total, 'line')} have a text"
    if result.num_uncertain:
        written += f"; {result.num_uncertain:,} are below --min-confidence {options.min_confidence}"
    if result.num_unplaced:
        written += f"; {format_count(result.num_unplaced, 'piece')} of text without line"
    written += pages.describe_rest()
    print_error(f"{written}; align.tsv lists all of them")
    if pages.problems:
        raise SystemExit(1)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    from htr_lightning.aligning.defaults import ALIGNED_FORMATS, MIN_CONFIDENCE

    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning align",
        description="Cut existing transcriptions of pages into the lines of the pages, as training data. The line "
        "breaks of the texts may be those of the pages, others, or none.",
        epilog="Pages and texts that cannot be read are reported and skipped; the exit status is then 1.",
    )
    parser.add_argument(
        "scans", type=Path, metavar="SCANS", help="image of a page, PDF or TIFF document, or folder to search for them"
    )
    parser.add_argument(
        "texts",
        type=Path,
        metavar="TEXTS",
        help="folder with a text file for each page (NAME.txt for NAME.jpg, NAME_0002.txt for page 2 of NAME.pdf), or "
        "one file of all pages, divided by form feeds or by lines === NAME ===",
    )
    add_model_argument(parser, default="zoo:latin-large")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    parser.add_argument(
        "--format",
        type=parse_formats,
        default=["alto"],
        metavar="FORMAT[,FORMAT]",
        help=f"any of {', '.join(ALIGNED_FORMATS)}; lines writes an image of each line that has a text and the "
        "manifest lines.tsv, for dataset=lines (default: alto)",
    )
    parser.add_argument(
        "--min-confidence",
        type=float,
        default=MIN_CONFIDENCE,
        metavar="P",
        help="write no text for lines of which the alignment is less certain, 0 to 1 (default: %(default)s)",
    )
    add_overlay_option(parser, "texts")
    add_overwrite_option(
        parser, "align all pages, and replace files that exist (default: only the pages that lack a file)"
    )
    lines = parser.add_argument_group("lines")
    add_layout_options(
        lines,
        "detect the lines of pages although they have an ALTO or PAGE file (default: take those of that file)",
    )
    add_finder_options(lines)
    recognition = parser.add_argument_group("recognition")
    add_device_option(recognition)
    add_precision_option(recognition)
    add_runtime_option(recognition)
    return parser


def check_options(options: argparse.Namespace) -> None:
    """Check what can be checked before anything is loaded.

    Raises:
        UsageError: a value cannot be used, or options contradict each other.
    """
    from htr_lightning.aligning.defaults import ALIGNED_FORMATS

    for name in options.format:
        if name not in ALIGNED_FORMATS:
            remedy = f"choose from {', '.join(ALIGNED_FORMATS)}"
            raise UsageError("not a format of aligned pages", key="--format", value=name, remedy=remedy)
    check_probability("--min-confidence", options.min_confidence)
    check_layout_options(options)
    if not options.texts.exists():
        remedy = "name a folder of text files, or a text file"
        raise UsageError("there is no such file or folder", key="TEXTS", value=options.texts, remedy=remedy)


if __name__ == "__main__":
    main()
