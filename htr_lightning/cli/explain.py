"""``python -m htr_lightning explain``: show which pixels the predicted characters depend on."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import UsageError, exit_with_message, print_result
from htr_lightning.cli.options import (
    add_decoder_options,
    add_device_option,
    add_model_argument,
    add_overwrite_option,
    build_decoder,
    list_inputs,
    positive_int,
)
from htr_lightning.errors import InputError
from htr_lightning.files import check_writable, report_write_errors
from htr_lightning.report.outputs import PICTURE, REPORT, Output, check_outputs
from htr_lightning.text import format_count

if TYPE_CHECKING:
    from htr_lightning.explain.attribution import Attributions, Method
    from htr_lightning.explain.line_output import LineOutput

METHODS = ("integrated-gradients", "grad-cam")


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Explain lines, and write a picture and a report of each.

    Raises:
        SystemExit: 1 if a line cannot be explained (the others still are) or nothing can be written, 2 for a wrong
            command line.
    """
    options = build_parser().parse_intermixed_args(argv)
    if importlib.util.find_spec("captum") is None:
        raise InputError("explain needs Captum, which is not installed; run: pip install 'htr-lightning[explain]'")

    from htr_lightning.data.line import Line
    from htr_lightning.device import select_device
    from htr_lightning.image.files import DataError
    from htr_lightning.image.line_image import ImageFile
    from htr_lightning.image.scan import find_images

    images = find_images(options.images, lambda sentence: print(sentence, file=sys.stderr))
    files = choose_files(images, options)
    check_writable(options.out, "--out")
    kinds = (PICTURE, REPORT)
    outputs = [Output(path, kind, folder=options.out) for pair in files for path, kind in zip(pair, kinds, strict=True)]
    check_outputs(outputs, [*images, *list_inputs(options)], overwrite=options.overwrite)

    from htr_lightning.explain.attribution import attribute
    from htr_lightning.explain.line_output import compute_line_output
    from htr_lightning.model.file import load_model

    model = load_model(options.model, select_device(options.device), options.trust)
    decoder = build_decoder(options, model.charset, model.info)
    failed = False
    for image, (picture, report) in zip(images, files, strict=True):
        try:
            line = Line(image.as_posix(), ImageFile(image), "")
            output = compute_line_output(model, line, decoder=decoder, text=options.text)
            positions = select_positions(options.characters, len(output.characters), image)
        except DataError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        attributions = attribute(
            model, output, model.device, method=options.method, steps=options.steps, positions=positions
        )
        with report_write_errors(options.out, "--out"):
            write_files(output, attributions, options.method, picture, report)
        print_result(report)
    if failed:
        raise SystemExit(1)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning explain",
        description="Explain the predictions of a model for lines. Write NAME.png and NAME.html for each line, with "
        "the probabilities of every frame, the alternatives of every character, and the pixels that it depends on.",
    )
    add_model_argument(parser, onnx=False)
    parser.add_argument(
        "images", type=Path, nargs="+", metavar="IMAGE", help="images of lines, or folders to search for them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the PNG and HTML files")
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="attribution method: integrated-gradients (default; fine, slow) or grad-cam (coarse, fast)",
    )
    parser.add_argument(
        "--steps",
        type=positive_int,
        default=20,
        metavar="N",
        help="steps of integrated gradients, from a blank line to the image (default: 20)",
    )
    parser.add_argument(
        "--characters",
        type=_parse_range,
        metavar="A-B",
        help="explain only the characters from A to B, counted from 1 (default: all)",
    )
    parser.add_argument("--text", help="explain this text instead of the prediction: why was it not recognized?")
    add_overwrite_option(parser)
    add_device_option(parser)
    add_decoder_options(parser)
    return parser


def _parse_range(value: str) -> tuple[int, int]:
    first, _, last = value.partition("-")
    last = last or first
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{value!r} is not a range of characters; write 3-7, or 3 for one character")
    return int(first), int(last)


def select_positions(first_and_last: tuple[int, int] | None, num_characters: int, image: Path) -> range:
    """Return the positions of the characters to explain that exist.

    Raises:
        DataError: none of them exists.
    """
    first, last = first_and_last or (1, num_characters)
    if first_and_last and first > num_characters:
        from htr_lightning.image.files import DataError

        problem = f"there is no character {first}, as the text has {format_count(num_characters, 'character')}"
        raise DataError(problem, file=image, remedy="choose other --characters")
    return range(first - 1, min(last, num_characters))


def choose_files(images: Sequence[Path], options: argparse.Namespace) -> list[tuple[Path, Path]]:
    """Return the picture and the report of each image; images of the same name are numbered.

    Raises:
        UsageError: ``--text`` is given for several images.
    """
    from htr_lightning.layout.names import make_unique_ids

    if options.text is not None and len(images) > 1:
        raise UsageError("--text: only for a single image")
    names = make_unique_ids([image.stem for image in images])
    return [(options.out / f"{name}.png", options.out / f"{name}.html") for name in names]


def write_files(
    output: "LineOutput", attributions: "Attributions", method: "Method", picture: Path, report: Path
) -> None:
    """Write the picture and the report of a line.

    Raises:
        OSError: they cannot be written.
    """
    from htr_lightning.explain.html import render_page
    from htr_lightning.explain.picture import draw_explanation
    from htr_lightning.files import atomic_write, write_text
    from htr_lightning.report.picture import encode_png

    picture.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(picture) as file:
        file.write(encode_png(draw_explanation(output, attributions)))
    write_text(report, render_page(output, attributions, method))


if __name__ == "__main__":
    main()
