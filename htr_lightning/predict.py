"""``python -m htr_lightning predict``: read line images with a model."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.data.line import IMAGE_SUFFIXES, DataError, ImageFile, Line
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.decode.options import add_decoder_options, decoder_of

if TYPE_CHECKING:
    from htr_lightning.reader import Reading

PICTURE_LINES = 24


def main(argv: Sequence[str] | None = None) -> None:
    """Read images, write their texts.

    Raises:
        SystemExit: 1 when an image could not be read (the others still are), 2 for a wrong command line.
    """
    parser = parser_of_predict()
    options = parser.parse_intermixed_args(argv)

    from htr_lightning.checkpoint import ModelFileError, load_model
    from htr_lightning.reader import LineReader, device_named

    device = device_named(options.device, parser.error)
    try:
        lines = lines_of(options, parser)
        model = load_model(options.model, device)
    except (ModelFileError, DataError) as error:
        raise SystemExit(str(error)) from None
    positions = options.format == "json" or options.cut is not None or options.picture is not None
    decoder = decoder_of(options, model.charset)
    reader = LineReader(model, device, decoder=decoder, positions=positions, known=options.texts is not None)
    readings: list[Reading] = []
    for reading in reader.read(lines):
        if reading.problem is not None:
            print(reading.problem, file=sys.stderr)
        else:
            keep = options.picture is not None and len(readings) < PICTURE_LINES
            readings.append(reading if keep else replace(reading, pixels=None))
    try:
        write(readings, options, model.preprocess.max_pixels)
    except (OSError, ValueError) as error:
        raise SystemExit(f"The result cannot be written: {error}") from None
    if len(readings) < len(lines):
        raise SystemExit(1)


def write(readings: "Sequence[Reading]", options: argparse.Namespace, max_pixels: int) -> None:
    """Write what the options ask for.

    Raises:
        OSError, ValueError: it cannot be written.
    """
    from htr_lightning.files import write_text
    from htr_lightning.readings import formatted

    text = formatted(readings, options.format)
    if options.out is None:
        sys.stdout.write(text)
    else:
        write_text(options.out, text)
    if options.cut is not None:
        from htr_lightning.glyphs import INDEX, write_glyphs

        number = write_glyphs(options.cut, readings, max_pixels)
        print(f"{options.cut}: {number} characters; {INDEX} says what and where each is", file=sys.stderr)
    if options.picture is not None and readings:
        from htr_lightning.panel import draw_panel

        shown = [reading for reading in readings[:PICTURE_LINES] if reading.pixels is not None]
        lines = [(reading.pixels, "", reading.text) for reading in shown if reading.pixels is not None]
        panel = draw_panel(lines, note=lambda i: f"{shown[i].confidence:.0%}", places=[r.characters for r in shown])
        panel.save(options.picture)


def parser_of_predict() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning predict",
        description="Read line images with a model. Unreadable images are named on the error output and make "
        "the exit status 1; all others are read.",
    )
    parser.add_argument("model", help="a model.safetensors, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("images", type=Path, nargs="*", help="line images, or folders that hold some")
    parser.add_argument("--format", choices=("txt", "tsv", "json"), default="txt", help="txt: text only (default); "
                        "tsv: image, text, confidence; json: also where each word and character stands in the image, "
                        "and how sure the model is of it (0..1)")  # fmt: skip
    parser.add_argument("--out", type=Path, help="write to this file instead of the standard output")
    parser.add_argument("--picture", type=Path, help=f"also draw the first {PICTURE_LINES} lines as read, each "
                        "character under its place (PNG)")  # fmt: skip
    parser.add_argument("--cut", type=Path, metavar="DIR", help="also write one image for each character, and a table "
                        "of them")  # fmt: skip
    parser.add_argument("--texts", type=Path, metavar="MANIFEST", help="the lines of a manifest (.tsv, .csv, .jsonl) "
                        "whose texts are known: find where their characters stand, instead of reading")  # fmt: skip
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    add_decoder_options(parser)
    return parser


def lines_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Line]:
    """Return the lines that the options name: images, or a manifest with texts.

    Raises:
        DataError: the manifest cannot be read.
    """
    if (options.texts is None) == (not options.images):
        parser.error("name images or folders to read, or a manifest with --texts, not both")
    if options.texts is None:
        return [Line(path.as_posix(), ImageFile(path), "") for path in image_files(options.images, parser)]
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
