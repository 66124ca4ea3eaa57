"""``python -m htr_lightning explain``: show what a model saw in lines."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.options import add_decoder_options, add_device_option, decoder_of
from htr_lightning.cli.predict import image_files
from htr_lightning.data.line import Line
from htr_lightning.image.files import DataError, ImageFile

if TYPE_CHECKING:
    from htr_lightning.explain.attribution import Attributions, Method
    from htr_lightning.explain.evidence import Evidence

METHODS = ("integrated-gradients", "grad-cam")
MISSING = "explain needs Captum, which is not installed; install it with: pip install 'htr-lightning[explain]'"


def main(argv: Sequence[str] | None = None) -> None:
    """Explain lines, and write a picture and a page for each.

    Raises:
        SystemExit: 1 when a line could not be explained (the others still are) or nothing can be written, 2 for a
            wrong command line.
    """
    parser = parser_of_explain()
    options = parser.parse_intermixed_args(argv)
    if importlib.util.find_spec("captum") is None:
        raise SystemExit(MISSING)
    paths, files = files_of(options, parser)

    from htr_lightning.device import DeviceError, select_device
    from htr_lightning.explain.attribution import attribute
    from htr_lightning.explain.evidence import observe
    from htr_lightning.model.file import load_model
    from htr_lightning.model.info import ModelFileError

    try:
        model = load_model(options.model, select_device(options.device))
    except DeviceError as error:
        parser.error(str(error))
    except ModelFileError as error:
        raise SystemExit(str(error)) from None
    _make(options.out)
    decoder = decoder_of(options, model.charset)
    failed = 0
    for path, (picture, page) in zip(paths, files, strict=True):
        try:
            line = Line(path.as_posix(), ImageFile(path), "")
            evidence = observe(model, line, decoder=decoder, text=options.text)
        except DataError as error:
            print(error, file=sys.stderr)
            failed += 1
            continue
        places = chosen(options.characters, len(evidence.characters))
        found = attribute(model, evidence, model.device, method=options.method, steps=options.steps, places=places)
        _write(evidence, found, options.method, picture, page)
        print(page)
    if failed:
        raise SystemExit(1)


def parser_of_explain() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning explain",
        description="Show what a model saw in lines: for each, NAME.png and NAME.html with the probabilities of every "
        "frame, the alternatives of every character, and the pixels that it depends on.",
    )
    parser.add_argument("model", help="a model.safetensors, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("images", type=Path, nargs="+", help="line images, or folders that hold some")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the pictures and pages")
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="how pixels are found: "
                        "integrated-gradients (default; fine, slow) or grad-cam (coarse, fast)")  # fmt: skip
    parser.add_argument("--steps", type=_steps, default=20, metavar="N", help="of integrated gradients, from blank "
                        "paper to the line (default: 20)")  # fmt: skip
    parser.add_argument("--characters", type=_first_and_last, metavar="A-B", help="only find the pixels of the "
                        "characters from A to B, counted from 1")  # fmt: skip
    parser.add_argument("--text", help="look for this text in the line, instead of reading it: why not what is "
                        "written?")  # fmt: skip
    add_device_option(parser)
    add_decoder_options(parser)
    return parser


def _steps(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of steps; give 1 or more")
    return int(value)


def _first_and_last(value: str) -> tuple[int, int]:
    first, _, last = value.partition("-")
    last = last or first
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{value!r} is no range of characters; write 3-7, or 3 for one")
    return int(first), int(last)


def chosen(first_and_last: tuple[int, int] | None, number: int) -> range:
    """Return the places of the chosen characters, of those that there are."""
    first, last = first_and_last or (1, number)
    return range(min(first - 1, number), min(last, number))


def files_of(
    options: argparse.Namespace, parser: argparse.ArgumentParser
) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """Return the line images, and for each its picture and its page. Lines of one name are numbered.

    Raises:
        SystemExit: a picture would take the place of a line image.
    """
    from htr_lightning.layout.names import make_unique_ids

    paths, folder = list(image_files(options.images, parser)), options.out
    if options.text is not None and len(paths) > 1:
        parser.error("--text: the text of one line; name one image")
    names = make_unique_ids([path.stem for path in paths])
    files = [(folder / f"{name}.png", folder / f"{name}.html") for name in names]
    lines = {path.resolve() for path in paths}
    for picture, _ in files:
        if picture.resolve() in lines:
            raise SystemExit(f"--out {folder}: {picture} is one of the line images; choose another folder")
    return paths, files


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"--out {folder}: cannot be made ({error.strerror})") from None


def _write(evidence: "Evidence", found: "Attributions", method: "Method", picture: Path, page: Path) -> None:
    from htr_lightning.explain.html import render_page
    from htr_lightning.explain.picture import draw_sheet
    from htr_lightning.files import replacing, write_text
    from htr_lightning.report.picture import encode_png

    try:
        with replacing(picture) as file:
            file.write(encode_png(draw_sheet(evidence, found)))
        write_text(page, render_page(evidence, found, method))
    except OSError as error:
        raise SystemExit(f"--out {picture.parent}: cannot be written ({error.strerror})") from None


if __name__ == "__main__":
    main()
