"""``python -m htr_lightning predict``: read images of lines, or whole pages (`htr_lightning.cli.predict_pages`)."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.options import (
    add_decoder_options,
    add_device_option,
    add_precision_option,
    add_reading_options,
    decoder_of,
)
from htr_lightning.cli.predict_pages import are_pages, read_pages, segmenter_of
from htr_lightning.data.line import Line
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError, ImageFile

if TYPE_CHECKING:
    from htr_lightning.reading.lines import Prediction

PICTURE_LINES = 24
LINE_FORMATS = ("txt", "tsv", "json")
PAGE_FORMATS = ("txt", "json", "alto", "page", "hocr", "pdf")


def main(argv: Sequence[str] | None = None) -> None:
    """Read images, write their texts.

    Raises:
        SystemExit: 1 when an image could not be read (the others still are), 2 for a wrong command line.
    """
    parser = parser_of_predict()
    options = parser.parse_intermixed_args(argv)
    pages = checked(options, parser)
    segmenter = segmenter_of(options.segment, parser)

    from htr_lightning.device import DeviceError
    from htr_lightning.image.views import get_views
    from htr_lightning.model.info import ModelFileError
    from htr_lightning.model.load import load_recognizer
    from htr_lightning.reading.lines import LineReader

    try:
        lines = [] if pages else lines_of(options, parser)
        model = load_recognizer(options.model, options.device, options.precision)
    except DeviceError as error:
        parser.error(str(error))
    except (ModelFileError, DataError) as error:
        raise SystemExit(str(error)) from None
    decoder, views = decoder_of(options, model.charset), get_views(options.tta)
    if pages:
        from htr_lightning.reading.pages import PageReader

        reader = LineReader(model, decoder=decoder, positions=True, views=views)
        read_pages(options, options.format, PageReader(reader, segmenter, model=options.model))
        return
    positions = options.format == ["json"] or options.cut is not None or options.picture is not None
    reader = LineReader(
        model, decoder=decoder, positions=positions, forced_alignment=options.texts is not None, views=views
    )
    readings: list[Prediction] = []
    for reading in reader.read(lines):
        if reading.problem is not None:
            print(reading.problem, file=sys.stderr)
        else:
            keep = options.picture is not None and len(readings) < PICTURE_LINES
            readings.append(reading if keep else replace(reading, pixels=None))
    if not readings:  # each was named
        raise SystemExit(1)
    try:
        write(readings, options, model.preprocess.max_pixels)
    except (OSError, ValueError) as error:
        raise SystemExit(f"The result cannot be written: {error}") from None
    if len(readings) < len(lines):
        raise SystemExit(1)


def write(readings: "Sequence[Prediction]", options: argparse.Namespace, max_pixels: int) -> None:
    """Write what the options ask for.

    Raises:
        OSError, ValueError: it cannot be written.
    """
    from htr_lightning.files import write_text
    from htr_lightning.reading.line_formats import format_predictions

    text = format_predictions(readings, options.format[0])
    if options.out is None:
        sys.stdout.write(text)
    else:
        write_text(options.out, text)
    if options.cut is not None:
        from htr_lightning.reading.character_crops import INDEX, write_character_crops

        number = write_character_crops(options.cut, readings, max_pixels)
        print(f"{options.cut}: {number} characters; {INDEX} says what and where each is", file=sys.stderr)
    if options.picture is not None and readings:
        from htr_lightning.report.panel import draw_panel

        shown = [reading for reading in readings[:PICTURE_LINES] if reading.pixels is not None]
        lines = [(reading.pixels, "", reading.text) for reading in shown if reading.pixels is not None]
        panel = draw_panel(lines, note=lambda i: f"{shown[i].confidence:.0%}", characters=[r.characters for r in shown])
        panel.save(options.picture)


def parser_of_predict() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning predict",
        description="Read images of lines, or scans of whole pages: find their lines, read them, and write what "
        "archives use. What cannot be read is named on the error output and makes the exit status 1; all others are "
        "read.",
    )
    parser.add_argument("model", help="a model.safetensors, a model.onnx, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("images", type=Path, nargs="*", help="images of lines or of pages (also PDF, TIFF of several "
                        "pages), or folders that hold some")  # fmt: skip
    parser.add_argument("--format", type=_formats, default=["txt"], metavar="FORMAT[,FORMAT...]", help="txt: text only "
                        "(default); json: also where each word and character stands, and how sure the model is of it "
                        "(0..1); of lines also tsv: image, text, confidence; of pages also alto, page, hocr, and pdf, "
                        "a searchable document")  # fmt: skip
    parser.add_argument("--out", type=Path, help="of lines: write to this file instead of the standard output; of "
                        "pages: the folder of the results")  # fmt: skip
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--pages", action="store_true", help="each image is a page (default: what has the form of one, "
                      "or where a format asks for pages)")  # fmt: skip
    kind.add_argument("--lines", action="store_true", help="each image is a single line")
    pages = parser.add_argument_group("pages")
    pages.add_argument("--find-lines", action="store_true", help="find lines also where an ALTO or PAGE file beside "
                       "the image says where they are")  # fmt: skip
    pages.add_argument("--overlay", action="store_true", help="also write a picture of each page with what was found "
                       "and read")  # fmt: skip
    pages.add_argument("--again", action="store_true", help="read pages anew whose results are there already")
    pages.add_argument("--segment", nargs="+", default=[], metavar="KEY=VALUE", help="how lines are found: "
                       "columns=false, min_height_px=12, working_px=4000000")  # fmt: skip
    parser.add_argument("--picture", type=Path, help=f"also draw the first {PICTURE_LINES} lines as read, each "
                        "character under its place (PNG)")  # fmt: skip
    parser.add_argument("--cut", type=Path, metavar="DIR", help="also write one image for each character, and a table "
                        "of them")  # fmt: skip
    parser.add_argument("--texts", type=Path, metavar="MANIFEST", help="the lines of a manifest (.tsv, .csv, .jsonl) "
                        "whose texts are known: find where their characters stand, instead of reading")  # fmt: skip
    add_device_option(parser)
    add_precision_option(parser)
    add_reading_options(parser)
    add_decoder_options(parser)
    return parser


def _formats(written: str) -> list[str]:
    """Read the formats that are separated by commas."""
    names = [name.strip() for name in written.split(",") if name.strip()]
    for name in names:
        if name not in LINE_FORMATS + PAGE_FORMATS:
            known = ", ".join(dict.fromkeys(LINE_FORMATS + PAGE_FORMATS))
            raise argparse.ArgumentTypeError(f"{name!r} is none of {known}")
    return list(dict.fromkeys(names)) or ["txt"]


def checked(options: argparse.Namespace, parser: argparse.ArgumentParser) -> bool:
    """Return whether pages are to be read; options that contradict each other end the program."""
    only_lines = [f"--{name}" for name in ("cut", "picture", "texts") if getattr(options, name) is not None]
    only_pages = [f"--{name.replace('_', '-')}" for name in ("find_lines", "overlay", "again", "segment")
                  if getattr(options, name)]  # fmt: skip
    pages = bool(options.pages)
    if not (options.pages or options.lines or only_lines):
        try:
            pages = bool(only_pages) or are_pages(options.images, options.format)
        except ValueError as error:
            parser.error(str(error))
    wrong = only_lines if pages else only_pages
    if wrong:
        parser.error(f"{wrong[0]} is for {'lines' if pages else 'pages'}, but the images are read as "
                     f"{'pages; --lines' if pages else 'lines; --pages'} changes that")  # fmt: skip
    known, what = (PAGE_FORMATS, "pages") if pages else (LINE_FORMATS, "lines")
    unfit = [name for name in options.format if name not in known]
    if unfit or (not pages and len(options.format) > 1):
        parser.error(f"--format {','.join(options.format)}: {what} are written as "
                     f"{', '.join(known)}{'' if pages else '; one of them'}")  # fmt: skip
    if pages and not options.images:
        parser.error("name scans of pages, or folders that hold some")
    if pages and options.out is None and (options.format not in (["txt"], ["json"]) or options.overlay):
        parser.error(f"--out FOLDER is needed for --format {','.join(options.format)}"
                     f"{' --overlay' if options.overlay else ''}; only txt or json alone can be printed")  # fmt: skip
    return pages


def lines_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Line]:
    """Return the lines that the options name: images, or a manifest with texts.

    Raises:
        DataError: the manifest cannot be read.
    """
    if (options.texts is None) == (not options.images):
        parser.error("name images or folders to read, or a manifest with --texts, not both")
    if options.texts is None:
        return [Line(path.as_posix(), ImageFile(path), "") for path in image_files(options.images, parser)]
    if options.tta:
        parser.error("--tta is for reading; with --texts, the texts are known")
    lines = read_manifest(options.texts)
    return [replace(line, id=line.image.path.as_posix()) for line in lines if isinstance(line.image, ImageFile)]


def image_files(paths: Sequence[Path], parser: argparse.ArgumentParser) -> Iterator[Path]:
    """Yield the files that the arguments name, folders searched through, in alphabetical order."""
    for path in paths:
        if path.is_dir():
            images = (p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
            found = sorted(p for p in images if not p.name.startswith("."))  # also ._x.png, left by macOS
            if not found:
                parser.error(f"{path}: there is no image in this folder ({', '.join(IMAGE_SUFFIXES)})")
            yield from found
        else:
            yield path  # a missing file is reported as any other that cannot be read


if __name__ == "__main__":
    main()
