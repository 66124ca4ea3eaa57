"""Where scans come from and results go: local files, lists of them, and remote storage."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.reading.storage.places import Places, Url, parse_place, read_list

if TYPE_CHECKING:
    from htr_lightning.reading.page_jobs import PagePlan

STORAGE = "or an address in remote storage, such as s3://bucket/scans"


def add_images_argument(parser: argparse.ArgumentParser, described: str) -> None:
    """Add the images, and ``--list``."""
    parser.add_argument("images", type=parse_place, nargs="*", metavar="IMAGE", help=f"{described}; {STORAGE}")
    parser.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        help="also take the images, documents and folders that this text file names, a path or address on each line; "
        "the results keep the folders below the one that all files have in common",
    )


def add_listed_images(options: argparse.Namespace) -> None:
    """Add those that ``--list`` names to the images.

    Raises:
        InputError: the list cannot be read.
    """
    if options.list is not None:
        options.images = [*options.images, *read_list(options.list)]


def get_places(options: argparse.Namespace) -> Places:
    """Return where scans come from and results go."""
    layouts = getattr(options, "layouts", None)
    return Places(tuple(options.images), options.out, layouts, keep_folders=options.list is not None)


def build_plan(options: argparse.Namespace) -> "PagePlan":
    """Return which files are written for each page; its folders are those of the places."""
    from htr_lightning.reading.page_jobs import PagePlan

    return PagePlan(
        Path(),
        options.format,
        options.overlay,
        getattr(options, "ignore_layouts", True),
        split_pages=getattr(options, "split_pages", False),
    )


def find_urls(options: argparse.Namespace) -> list[Url]:
    """Return the addresses in remote storage that the options name."""
    places = (*options.images, options.out, getattr(options, "layouts", None))
    return [place for place in places if isinstance(place, Url)]
