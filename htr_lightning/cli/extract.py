"""``python -m htr_lightning extract``: write the lines of a dataset as image files with a manifest."""

import argparse
import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htr_lightning.cli.console import exit_with_message, print_result
from htr_lightning.cli.options import add_config_dir_option, add_overwrite_option, positive_int
from htr_lightning.files import OutputError, atomic_write, check_writable, file_lock, report_write_errors
from htr_lightning.report.outputs import PICTURE, Output, check_outputs, list_files, mark_png

if TYPE_CHECKING:
    from htr_lightning.data.line import Line


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Write ``OUT/SPLIT/*.png`` and ``OUT/SPLIT.tsv``, which ``dataset=lines`` reads.

    Raises:
        SystemExit: the dataset or the folder cannot be used.
    """
    options = build_parser().parse_intermixed_args(argv)
    check_writable(options.out)

    from htr_lightning.config.build import build_line_source, unwrap_errors
    from htr_lightning.config.compose import compose_config
    from htr_lightning.data.line import list_image_files

    cfg = compose_config(options.overrides, options.config_dir)
    with unwrap_errors():
        source = build_line_source(cfg)
    lines = list(itertools.islice(source.lines(options.split), options.limit))
    inputs = [*list_image_files(lines), *list_dataset_files(cfg.dataset, options.out)]
    outputs = list(list_outputs(options.out, options.split, len(lines)))
    check_outputs(outputs, inputs, overwrite=options.overwrite)
    with report_write_errors(options.out), _exclude_others(options.out, options.split):
        check_outputs(outputs, inputs, overwrite=options.overwrite)  # another process may have ended meanwhile
        count = write_lines(lines, options.out, options.split, cfg.preprocess.max_pixels, cfg.loader.max_skipped)
    folder = options.out / options.split
    print_result(f"{count} lines in {folder}, listed in {folder}.tsv")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning extract",
        description="Write the lines of a dataset as PNG files with a manifest, which dataset=lines reads.",
    )
    parser.add_argument("out", type=Path, metavar="FOLDER", help="folder to write into; created if missing")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="the dataset, as for training: dataset=... dataset.KEY=VALUE"
    )
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="test", help="split to write (default: test)"
    )
    parser.add_argument("--limit", type=positive_int, metavar="N", help="write only the first N lines (default: all)")
    add_overwrite_option(
        parser,
        "replace a manifest that exists (default: exit, as it may have been corrected); never a file of the dataset",
    )
    add_config_dir_option(parser)
    return parser


@contextlib.contextmanager
def _exclude_others(folder: Path, split: str) -> Iterator[None]:
    """Exclude other processes from writing the same split, which would exchange images under its manifest.

    Raises:
        OutputError: another process is writing it.
        OSError: the folder cannot be written.
    """

    def refuse() -> None:
        remedy = "wait until it has ended, or choose another folder"
        raise OutputError("another process is writing here", file=folder / split, remedy=remedy, kind="busy")

    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(folder / f".{split}.lock", refuse):
        yield


def list_outputs(folder: Path, split: str, num_lines: int) -> Iterator[Output]:
    """Yield the files that `write_lines` writes."""
    yield Output(folder / f"{split}.tsv", key="")
    yield from (Output(folder / _name_image(split, number), PICTURE, key="") for number in range(num_lines))


def list_dataset_files(settings: Mapping[str, Any], out: Path) -> Iterator[Path]:
    """Yield the files that the settings of a dataset name, and those in its folder, as far as they existed before.

    Args:
        settings: the configuration of the dataset; of each part, for a mixture.
        out: folder to write into; what it holds is not part of a dataset whose folder contains it.
    """
    from htr_lightning.image.folder import is_file

    root = Path(str(settings.get("root") or "."))
    for value in settings.values():
        if hasattr(value, "items"):
            yield from list_dataset_files(value, out)
        elif isinstance(value, str):
            yield from (path for path in (Path(value), root / value) if is_file(path))
    if settings.get("root") and root.is_dir():
        yield from list_files([root], skip=None if root.resolve().is_relative_to(out.resolve()) else out)


def _name_image(split: str, number: int) -> str:
    return f"{split}/{number:06d}.png"


def write_lines(lines: "Sequence[Line]", folder: Path, split: str, max_pixels: int, max_skipped: int) -> int:
    """Write the images and the manifest of a split, and return how many lines were written.

    Raises:
        DataError: more than ``max_skipped`` lines cannot be used.
        OSError: the folder cannot be written.
    """
    from PIL import Image

    from htr_lightning.data.unusable import refuse_or_skip
    from htr_lightning.files import write_text
    from htr_lightning.image.files import DataError

    (folder / split).mkdir(parents=True, exist_ok=True)
    rows, skipped = ["image\ttext\tgroup"], []
    for number, line in enumerate(lines):
        name = _name_image(split, number)
        try:
            pixels = line.image.read(max_pixels)
        except DataError as error:
            skipped.append(str(error.with_line_id(line.id)))
            continue
        with atomic_write(folder / name) as file:
            Image.fromarray(pixels).save(file, "PNG", pnginfo=mark_png())
        rows.append(f"{name}\t{line.text}\t{line.group}")
    refuse_or_skip("cannot be used", skipped, max_skipped)
    write_text(folder / f"{split}.tsv", "\n".join(rows) + "\n")
    return len(rows) - 1


if __name__ == "__main__":
    main()
