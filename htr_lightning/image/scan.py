"""Scans of pages: image files, multi-page TIFF files and PDF documents."""

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.files import IMAGE_SUFFIXES, MAX_PIXELS, DataError, read_image, read_page_image
from htr_lightning.image.folder import search_folder
from htr_lightning.image.pdf import count_pdf_pages, render_pdf_page
from htr_lightning.image.png import skip_long_texts

SCAN_SUFFIXES = (*IMAGE_SUFFIXES, ".pdf")
"""Suffixes of scans; folders are searched for them."""
OVERLAY_SUFFIX = ".overlay.jpg"
"""Suffix of the pictures that show results on the page; they are not scans themselves."""
_MIN_SIZE_PX = 32


@dataclass(frozen=True, slots=True)
class Scan:
    """A page of a scanned document.

    Attributes:
        path: the file.
        number: page number in a document of several pages, from 1; None for an image of one page.
    """

    path: Path
    number: int | None = None

    @property
    def name(self) -> str:
        """Name of the page in messages."""
        return str(self.path) if self.number is None else f"{self.path}, page {self.number}"

    @property
    def stem(self) -> str:
        """Name of the result files, without suffix."""
        return self.path.stem if self.number is None else f"{self.path.stem}_{self.number:04d}"

    def read(self, max_pixels: int = MAX_PIXELS, layout_size: tuple[float, float] | None = None) -> NDArray[np.uint8]:
        """Decode the page.

        Args:
            max_pixels: larger images are refused; PDF pages are rendered at a lower resolution.
            layout_size: width and height of the page in its layout file; they tell in which orientation the layout
                was made (see `htr_lightning.image.files.read_page_image`).

        Returns:
            ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``.

        Raises:
            DataError: the page cannot be read, is too large, or too small to be a page.
        """
        if self.path.suffix.lower() == ".pdf":
            pixels = render_pdf_page(self.path, (self.number or 1) - 1, max_pixels)
        elif layout_size is not None and self.number is None:
            pixels = read_page_image(self.path, layout_size, max_pixels=max_pixels)
        else:
            pixels = read_image(self.path, max_pixels=max_pixels, frame=(self.number or 1) - 1)
        height, width = pixels.shape[:2]
        if min(height, width) < _MIN_SIZE_PX:
            raise DataError(
                f"{width} x {height} px are too few for a page",
                file=self.name,
                remedy="check whether it is the right file",
                kind="too_small",
            )
        return pixels


def list_scans(path: Path) -> list[Scan]:
    """List the pages of a file. An image is one page, even if reading it will fail.

    Raises:
        DataError: a document is damaged, locked by a password or empty.
    """
    if path.suffix.lower() == ".pdf":
        return [Scan(path, number) for number in range(1, count_pdf_pages(path) + 1)]
    if path.suffix.lower() in (".tif", ".tiff"):
        num_pages = _count_tiff_pages(path)
        if num_pages > 1:
            return [Scan(path, number) for number in range(1, num_pages + 1)]
    return [Scan(path)]


def _count_tiff_pages(path: Path) -> int:
    """Count the pages of a TIFF file; 1 for any other file, which fails when it is read.

    Raises:
        DataError: the file is truncated.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(path, formats=["TIFF"])
        except Exception:
            return 1
        with image:
            try:
                return int(getattr(image, "n_frames", 1))
            except Exception as error:
                raise DataError(
                    f"the number of its pages cannot be read ({error})",
                    file=path,
                    remedy="copy or export it again",
                    kind="damaged",
                ) from None


def find_scan_files(
    paths: Sequence[Path], report: Callable[[str], None] = lambda sentence: None
) -> list[tuple[Path, Path]]:
    """Find scans.

    Args:
        paths: files, returned whether they exist or not; and folders, which are searched with all subfolders.
        report: called with a sentence for each kind of pictures that were passed over.

    Returns:
        Pairs of a file and its path relative to the folder that was searched (to its own folder, for a file).

    Raises:
        DataError: a folder contains no scan.
    """
    files = []
    passed_over: list[str] = []
    for path in paths:
        if not path.is_dir():
            files.append((path, Path(path.name)))
            continue
        content = search_folder(path, SCAN_SUFFIXES)
        passed_over += content.describe_passed_over(path)
        # Overlays were written by an earlier prediction.
        scans = sorted(file for file in content.files if not file.name.endswith(OVERLAY_SUFFIX))
        if not scans:
            raise DataError(
                ". ".join([f"there is no scan in this folder ({', '.join(SCAN_SUFFIXES)})", *passed_over]),
                file=path,
                remedy="name another folder",
                kind="missing",
            )
        files += [(file, file.relative_to(path)) for file in scans]
    for sentence in passed_over:
        report(sentence)
    return files


def find_images(paths: Sequence[Path], report: Callable[[str], None] = lambda sentence: None) -> list[Path]:
    """Return image files, with folders searched for them, in alphabetical order; a missing file is returned as it is.

    Args:
        paths: files and folders.
        report: called with a sentence for each kind of pictures that were passed over.

    Raises:
        DataError: a folder holds no image.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        content = search_folder(path, IMAGE_SUFFIXES)
        passed_over = list(content.describe_passed_over(path))
        if not content.files:
            problem = ". ".join([f"there is no image in this folder ({', '.join(IMAGE_SUFFIXES)})", *passed_over])
            raise DataError(problem, file=path, remedy="name another folder", kind="missing")
        for sentence in passed_over:
            report(sentence)
        files += sorted(content.files)
    return files


def read_image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image file without decoding it; None if it cannot be opened."""
    with contextlib.suppress(Exception), path.open("rb") as file, Image.open(skip_long_texts(file)) as image:
        return image.size
    return None
