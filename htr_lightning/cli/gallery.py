"""``python -m htr_lightning gallery``: draw the effect of preprocessing and augmentation on lines."""

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import exit_with_message, print_result
from htr_lightning.cli.options import add_overwrite_option
from htr_lightning.files import atomic_write, check_writable, report_write_errors
from htr_lightning.report.outputs import PICTURE, Output, check_outputs, mark_png

if TYPE_CHECKING:
    from PIL import Image

    from htr_lightning.data.augment import Augment
    from htr_lightning.layout.page import Page

_MAX_AUGMENTED_LINES = 8
_PREPROCESSING_GRAYS, _AUGMENTATION_GRAYS = 64, 8  # few, for small files


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Draw the pictures of the line images and layouts on the command line.

    Raises:
        SystemExit: an image or a layout cannot be read, or a picture cannot be written.
    """
    options = build_parser().parse_args(argv)
    check_writable(options.out, "--out")

    from htr_lightning.image.decode import read_image
    from htr_lightning.image.line_image import ImageFile
    from htr_lightning.image.preprocess import Preprocess
    from htr_lightning.report.gallery import draw_augmentation, draw_preprocessing
    from htr_lightning.report.layout_picture import draw_layout

    layouts = [path for path in options.files if path.suffix.lower() == ".xml"]
    pages = [read_page(path, options.images) for path in layouts]
    names = [*(path.stem for path in layouts), *(["preprocessing", "augmentation"] if layouts != options.files else [])]
    outputs = [Output(options.out / f"{name}.png", PICTURE, folder=options.out) for name in names]
    check_outputs(outputs, [*options.files, *(image for _, image in pages)], overwrite=options.overwrite)
    images = [read_image(path) for path in options.files if path not in layouts]
    lines = [Preprocess()(image) for image in images[:_MAX_AUGMENTED_LINES]]
    with report_write_errors(options.out, "--out"):
        options.out.mkdir(parents=True, exist_ok=True)
        for path, (page, image) in zip(layouts, pages, strict=True):
            _save(draw_layout(page, ImageFile(image)), options.out / f"{path.stem}.png", _PREPROCESSING_GRAYS)
        if images:
            _save(draw_preprocessing(images), options.out / "preprocessing.png", _PREPROCESSING_GRAYS)
            augmentation = draw_augmentation(lines, load_strong_augmentation(), seed=options.seed)
            _save(augmentation, options.out / "augmentation.png", _AUGMENTATION_GRAYS)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning gallery",
        description="Draw the effect of preprocessing and augmentation on lines, or for an ALTO or PAGE file, the "
        "lines that are cropped from its page.",
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="image of a line, or ALTO or PAGE file of a page"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the PNG files")
    add_overwrite_option(parser)
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="folder of the page images (default: that of the ALTO or PAGE file, or its parent)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the augmentation (default: 1)")
    return parser


def _save(picture: "Image.Image", path: Path, num_grays: int) -> None:
    """Write a picture with few levels of gray, and print its path."""
    from PIL import Image

    with atomic_write(path) as file:
        picture.quantize(num_grays, dither=Image.Dither.NONE).save(file, "PNG", optimize=True, pnginfo=mark_png())
    print_result(path)


def load_strong_augmentation() -> "Augment":
    """Build the augmentation of ``augment=strong``."""
    from omegaconf import OmegaConf

    from htr_lightning.config.build import build
    from htr_lightning.config.compose import conf_dir

    augment: Augment = build(OmegaConf.load(conf_dir() / "augment" / "strong.yaml"))
    return augment


def read_page(path: Path, images: Path | None) -> "tuple[Page, Path]":
    """Read an ALTO or PAGE file, and find the image of its page.

    Raises:
        DataError: the file or its image cannot be read.
    """
    from htr_lightning.data.sources.page_images import PageImages
    from htr_lightning.image.files import DataError
    from htr_lightning.layout.formats import read_layout

    page = read_layout(path)
    # Transkribus and eScriptorium keep the layouts beside the images, or in a folder there.
    folders = [images] if images else [path.absolute().parent, path.absolute().parent.parent]
    for folder in folders:
        with contextlib.suppress(DataError):
            return page, PageImages(folder).find(path, page.image_name)
    raise DataError(f"its image {page.image_name!r} is not found", file=path, remedy="name its folder with --images")


if __name__ == "__main__":
    main()
