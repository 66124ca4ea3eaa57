"""``python -m htr_lightning predict``: recognize images of lines, or whole pages."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import UsageError, exit_with_message, print_error, write_stdout
from htr_lightning.cli.options import build_decoder, list_inputs
from htr_lightning.cli.place_options import add_listed_images
from htr_lightning.cli.predict_options import VISUALIZED_LINES, build_parser, decide_pages
from htr_lightning.cli.reading_settings import describe_settings
from htr_lightning.cli.runtime_option import load_recognizer
from htr_lightning.cli.status import print_status
from htr_lightning.files import atomic_write, check_writable, report_write_errors, write_text
from htr_lightning.report.outputs import Output, check_outputs
from htr_lightning.text import format_count

if TYPE_CHECKING:
    from htr_lightning.data.line import Line
    from htr_lightning.reading.lines import Prediction

_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Recognize images, and write or print their texts.

    Raises:
        SystemExit: 1 if an image could not be read (the others still are), 2 for a wrong command line.
    """
    options = build_parser().parse_intermixed_args(argv)
    add_listed_images(options)
    if not decide_pages(options):
        predict_lines(options)
        return

    from htr_lightning.cli.predict_pages import print_pages, write_pages

    if options.status:
        print_status(options, describe_settings(options, build_parser()))
    elif options.out is None:
        print_pages(options)
    else:
        write_pages(options)


def predict_lines(options: argparse.Namespace) -> None:
    """Recognize or align lines, and write or print them in one format.

    Raises:
        SystemExit: 1 if a line could not be read.
    """
    from htr_lightning.image.views import get_views
    from htr_lightning.reading.lines import LineReader

    lines = find_lines(options)
    check_files(options, lines)
    model = load_recognizer(options)
    reader = LineReader(
        model,
        decoder=build_decoder(options, model.charset, model.info),
        positions=options.format == ["json"] or options.character_crops is not None or options.visualize is not None,
        forced_alignment=options.align is not None,
        views=get_views(options.tta),
    )
    predictions: list[Prediction] = []
    for prediction in reader.read(lines):
        if prediction.problem is not None:
            print_error(prediction.problem)
        else:
            keeps_pixels = options.visualize is not None and len(predictions) < VISUALIZED_LINES
            predictions.append(prediction if keeps_pixels else replace(prediction, pixels=None))
    if predictions:
        write_lines(predictions, options, model.preprocess.max_pixels)
    if len(predictions) < len(lines):
        raise SystemExit(1)


def find_lines(options: argparse.Namespace) -> "list[Line]":
    """Return the lines to read: images, or a manifest with transcriptions to align.

    Raises:
        UsageError: neither or both are given.
        DataError: the manifest cannot be read, or a folder holds no image.
    """
    from htr_lightning.data.line import Line
    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.image.line_image import ImageFile
    from htr_lightning.image.scan import find_images

    if options.align is None and not options.images:
        raise UsageError("there is nothing to read", remedy="name images or folders, or a manifest with --align")
    if options.align is not None and options.images:
        raise UsageError("--align cannot be combined with images", remedy="leave one of them out")
    if options.align is None:
        return [Line(path.as_posix(), ImageFile(path), "") for path in find_images(options.images, print_error)]
    if options.tta:
        raise UsageError("--tta cannot be combined with --align", remedy="leave one of them out")
    lines = read_manifest(options.align)
    return [replace(line, id=line.image.path.as_posix()) for line in lines if isinstance(line.image, ImageFile)]


def check_files(options: argparse.Namespace, lines: "Sequence[Line]") -> None:
    """Check, before lines are read, that the results can be written, and destroy nothing.

    Raises:
        OutputError: one of them cannot be written, or is a file that is read or that exists.
        UsageError: ``--visualize`` does not name an image.
    """
    if options.out is not None:
        check_writable(options.out, "--out", is_file=True)
    if options.visualize is not None:
        check_writable(options.visualize, "--visualize", is_file=True)
        if options.visualize.suffix.lower() not in _PICTURE_SUFFIXES:
            remedy = "end the name in .png"
            raise UsageError("unknown image format", key="--visualize", value=options.visualize, remedy=remedy)
    if options.character_crops is not None:
        check_writable(options.character_crops, "--character-crops")

    from htr_lightning.data.line import list_image_files

    inputs = [*list_inputs(options), *list_image_files(lines)]
    check_outputs(list_outputs(options, lines), inputs, overwrite=options.overwrite)


def list_outputs(options: argparse.Namespace, lines: "Sequence[Line]") -> "Iterator[Output]":
    """Yield the files that will be written; existing texts and tables are kept, as people correct them."""
    if options.out is not None:
        yield Output(options.out)
    if options.visualize is not None:
        yield Output(options.visualize, key="--visualize")
    if options.character_crops is not None:
        from htr_lightning.reading.character_crops import list_outputs

        yield from list_outputs(options.character_crops, [line.id for line in lines], "--character-crops")


def write_lines(predictions: "Sequence[Prediction]", options: argparse.Namespace, max_pixels: int) -> None:
    """Write what the options ask for.

    Raises:
        OutputError: it cannot be written.
    """
    from htr_lightning.reading.line_formats import format_predictions

    text = format_predictions(predictions, options.format[0])
    if options.out is None:
        write_stdout(text)
    else:
        with report_write_errors(options.out, "--out", is_file=True):
            write_text(options.out, text)
    if options.character_crops is not None:
        from htr_lightning.reading.character_crops import INDEX, write_character_crops

        with report_write_errors(options.character_crops, "--character-crops"):
            number = write_character_crops(options.character_crops, predictions, max_pixels)
        print_error(f"{options.character_crops}: {format_count(number, 'character')}, listed in {INDEX}")
    if options.visualize is not None:
        draw_lines(predictions[:VISUALIZED_LINES], options.visualize)


def draw_lines(predictions: "Sequence[Prediction]", path: Path) -> None:
    """Draw lines with their predictions and confidences.

    Raises:
        OutputError: the file cannot be written.
    """
    from PIL import Image

    from htr_lightning.report.panel import draw_panel

    shown = [prediction for prediction in predictions if prediction.pixels is not None]
    lines = [(prediction.pixels, "", prediction.text) for prediction in shown if prediction.pixels is not None]
    panel = draw_panel(
        lines, note=lambda i: f"{shown[i].confidence:.0%}", characters=[prediction.characters for prediction in shown]
    )
    with report_write_errors(path, "--visualize", is_file=True), atomic_write(path) as file:
        panel.save(file, Image.registered_extensions()[path.suffix.lower()])


if __name__ == "__main__":
    main()
