"""``python -m htr_lightning extract``: write the lines of a dataset as image files with a manifest."""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import exit_with_message
from htr_lightning.cli.options import add_config_dir_option, positive_int
from htr_lightning.files import check_writable, writing_to

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

    from htr_lightning.config.build import build, unwrap_errors
    from htr_lightning.config.compose import compose_config

    cfg = compose_config(options.overrides, options.config_dir)
    with unwrap_errors():
        source = build(cfg.dataset)
    lines = list(itertools.islice(source.lines(options.split), options.limit))
    with writing_to(options.out):
        count = write_lines(lines, options.out, options.split, cfg.preprocess.max_pixels, cfg.loader.max_skipped)
    folder = options.out / options.split
    print(f"{count} lines in {folder}, listed in {folder}.tsv")


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
    add_config_dir_option(parser)
    return parser


def write_lines(lines: "Sequence[Line]", folder: Path, split: str, max_pixels: int, max_skipped: int) -> int:
    """Write the images and the manifest of a split, and return how many lines were written.

    Raises:
        DataError: more than ``max_skipped`` lines cannot be used.
        OSError: the folder cannot be written.
    """
    from PIL import Image

    from htr_lightning.files import write_text
    from htr_lightning.image.files import DataError

    (folder / split).mkdir(parents=True, exist_ok=True)
    rows, skipped = ["image\ttext\tgroup"], []
    for number, line in enumerate(lines):
        name = f"{split}/{number:06d}.png"
        try:
            pixels = line.image.read(max_pixels)
        except DataError as error:
            skipped.append(str(error.of_line(line.id)))
            continue
        Image.fromarray(pixels).save(folder / name)
        rows.append(f"{name}\t{line.text}\t{line.group}")
    if len(skipped) > max_skipped:
        problems = "\n  ".join(skipped)
        remedy = f"Skip them with loader.max_skipped={len(skipped)}"
        raise DataError(f"{len(skipped)} lines cannot be used:\n  {problems}\n{remedy}")
    write_text(folder / f"{split}.tsv", "\n".join(rows) + "\n")
    return len(rows) - 1


if __name__ == "__main__":
    main()
