"""``python -m htr_lightning predict``: read line images with a model."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from htr_lightning.data.line import IMAGE_SUFFIXES, ImageFile, Line
from htr_lightning.decode.options import add_decoder_options, decoder_of

FORMATS = ("txt", "tsv", "json")
PICTURE_LINES = 24


def main(argv: Sequence[str] | None = None) -> None:
    """Read images, write their texts.

    Raises:
        SystemExit: 1 when an image could not be read (the others still are), 2 for a wrong command line.
    """
    parser = parser_of_predict()
    options = parser.parse_args(argv)

    from htr_lightning.checkpoint import ModelFileError, load_model
    from htr_lightning.files import write_text
    from htr_lightning.reader import LineReader, Reading, device_named

    device = device_named(options.device, parser.error)
    paths = list(image_files(options.images, parser))
    try:
        model = load_model(options.model, device)
    except ModelFileError as error:
        raise SystemExit(str(error)) from None
    reader = LineReader(model, device, decoder=decoder_of(options, model.charset))
    rows: list[tuple[str, str, float]] = []
    shown: list[Reading] = []
    for reading in reader.read(Line(path.as_posix(), ImageFile(path), "") for path in paths):
        if reading.problem is not None:
            print(reading.problem, file=sys.stderr)
            continue
        rows.append((reading.id, reading.text, round(reading.confidence, 4)))
        if len(shown) < PICTURE_LINES:
            shown.append(reading)
    text = formatted(rows, options.format)
    try:
        if options.out is None:
            sys.stdout.write(text)
        else:
            write_text(options.out, text)
        if options.picture is not None and shown:
            from htr_lightning.panel import draw_panel

            lines = [(r.pixels, "", r.text) for r in shown if r.pixels is not None]
            draw_panel(lines, note=lambda i: f"{shown[i].confidence:.0%}").save(options.picture)
    except (OSError, ValueError) as error:
        raise SystemExit(f"The result cannot be written: {error}") from None
    if len(rows) < len(paths):
        raise SystemExit(1)


def parser_of_predict() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning predict",
        description="Read line images with a model. Unreadable images are named on the error output and make "
        "the exit status 1; all others are read.",
    )
    parser.add_argument("model", help="a model.safetensors, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("images", type=Path, nargs="+", help="line images, or folders that hold some")
    parser.add_argument("--format", choices=FORMATS, default="txt", help="txt: text only (default); tsv, json: "
                        "image, text, confidence (0..1, not calibrated)")  # fmt: skip
    parser.add_argument("--out", type=Path, help="write to this file instead of the standard output")
    parser.add_argument("--picture", type=Path, help=f"also draw the first {PICTURE_LINES} lines as read (PNG)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    add_decoder_options(parser)
    return parser


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


def formatted(rows: Sequence[tuple[str, str, float]], form: str) -> str:
    """Return (image, text, confidence) as text of one of `FORMATS`."""
    names = ("image", "text", "confidence")
    if form == "json":
        return json.dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False, indent=1) + "\n"
    if form == "txt":
        return "".join(f"{text}\n" for _, text, _ in rows)
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    writer.writerows([names, *rows])
    return out.getvalue()


if __name__ == "__main__":
    main()
