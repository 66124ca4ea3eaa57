"""Scans of pages: image files, multi-page TIFF files and PDF documents."""

import contextlib
import functools
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.decode import read_image, read_page_image
from htr_lightning.image.files import IMAGE_SUFFIXES, MAX_PIXELS, DataError
from htr_lightning.image.folder import FolderContent, is_file, search_folder, suggest
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.paths import PathPairs, get_prefix, get_suffix
from htr_lightning.image.pdf import count_pdf_pages, render_pdf_page
from htr_lightning.image.png import skip_long_texts
from htr_lightning.image.tiff import find_tiff_pages

SCAN_SUFFIXES = (*IMAGE_SUFFIXES, ".pdf")
"""Suffixes of scans; folders are searched for them."""
OVERLAY_SUFFIX = ".overlay.jpg"
"""Suffix of the pictures that show results on the page; they are not scans themselves."""
DOCUMENT_SUFFIXES = (".pdf", ".tif", ".tiff")
"""Suffixes of files that may hold several pages."""
_MIN_SIZE_PX = 32
_ORIENTATION = 0x0112  # EXIF tag


@dataclass(frozen=True, slots=True)
class Scan:
    """A page of a scanned document.

    Attributes:
        path: the file.
        number: page number in a document of several pages, from 1; None for an image of one page.
        frame: index of the page among the images of a TIFF file; None if it follows from the number.
    """

    path: Path
    number: int | None = None
    frame: int | None = None

    @property
    def fingerprint(self) -> str:
        """That of the file, with the page."""
        return f"{ImageFile(self.path).fingerprint}:page {self.number} {self.frame}"

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
                was made (see `htr_lightning.image.decode.read_page_image`).

        Returns:
            ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``.

        Raises:
            DataError: the page cannot be read, is too large, or too small to be a page.
        """
        if self.path.suffix.lower() == ".pdf":
            pixels = render_pdf_page(self.path, (self.number or 1) - 1, max_pixels)
        elif layout_size is not None and self.number is None and not self.frame:
            pixels = read_page_image(self.path, layout_size, max_pixels=max_pixels)
        else:
            frame = (self.number or 1) - 1 if self.frame is None else self.frame
            pixels = read_image(self.path, max_pixels=max_pixels, frame=frame)
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
    suffix = get_suffix(path)
    if suffix not in DOCUMENT_SUFFIXES:
        return [Scan(path)]
    if suffix == ".pdf":
        return [Scan(path, number) for number in range(1, count_pdf_pages(path) + 1)]
    frames = find_tiff_pages(path)
    if len(frames) > 1:
        return [Scan(path, number, frame) for number, frame in enumerate(frames, 1)]
    return [Scan(path, frame=frames[0] or None)]


def choose_page(path: Path, number: int | None, layout: Path) -> ImageFile | Scan:
    """Return the page that a layout file describes, of the image or document that it names.

    Args:
        path: the image or document.
        number: of the page, as the layout file gives it; None if it gives none. It counts only in a document of
            several pages.
        layout: the layout file. The number at the end of its name, ``book_0002.xml`` for ``book.tif``, counts if it
            gives none, or 1, which many programs write for all pages.

    Raises:
        DataError: the document cannot be read, or it is not clear which of its pages is meant.
    """
    if path.suffix.lower() not in DOCUMENT_SUFFIXES:
        return ImageFile(path)
    scans = _list_scans_once(path)
    if len(scans) == 1:
        return scans[0] if scans[0].number or scans[0].frame else ImageFile(path)
    match = re.fullmatch(rf"{re.escape(path.stem)}[-_. ]?0*(\d{{1,6}})", layout.stem, re.IGNORECASE)
    number = int(match[1]) if match and number in (None, 1) else number
    if number is None or not 1 <= number <= len(scans):
        which = "does not say which one it describes" if number is None else f"describes page {number}"
        raise DataError(
            f"the document {path.name} has {len(scans)} pages, and the layout {which}",
            file=layout,
            remedy=f"call it {path.stem}_0001{layout.suffix} for page 1, or save the pages as images of their own",
            kind="unknown_page",
        )
    return scans[number - 1]


@functools.lru_cache(maxsize=4)
def _list_scans_once(path: Path) -> list[Scan]:
    return list_scans(path)


def find_scan_files(
    paths: Sequence[Path], report: Callable[[str], None] = lambda sentence: None, *, keep_folders: bool = False
) -> PathPairs:
    """Find scans.

    Args:
        paths: files, returned whether they exist or not; and folders, which are searched with all subfolders.
        report: called with a sentence for each kind of pictures that were passed over, and for each file that does not
            exist, if a similar one does.
        keep_folders: files keep the folders below the one that all of these files have in common.

    Returns:
        Pairs of a file and its path relative to the folder that was searched (to its own folder, for a file).

    Raises:
        DataError: a folder contains no scan.
    """
    files = PathPairs()
    passed_over: list[str] = []
    alone = [path for path in paths if not path.is_dir()]
    relatives = dict(zip(alone, relate_files(alone, keep_folders), strict=True))
    for path in paths:
        if path in relatives:
            _report_missing(path, report)
            files.append((path, relatives[path]))
            continue
        content = search_folder(path, SCAN_SUFFIXES)
        passed_over += content.describe_passed_over(path)
        files.extend(take_scans(content, path))
    for sentence in passed_over:
        report(sentence)
    return files


def relate_files(files: Sequence[Path], keep_folders: bool) -> list[Path]:
    """Return the names of files, or their paths in the folder that all of them have in common.

    Args:
        files: of which none need exist.
        keep_folders: whether the paths are wanted.
    """
    if keep_folders and files:
        absolute = [Path(os.path.normpath(path.absolute())) for path in files]
        with contextlib.suppress(ValueError):  # on several drives
            common = os.path.commonpath([path.parent for path in absolute])
            return [path.relative_to(common) for path in absolute]
    return [Path(path.name) for path in files]


def take_scans(content: FolderContent, folder: Path) -> PathPairs:
    """Return the scans of a folder in order, each with its path in it.

    Args:
        content: what a search for `SCAN_SUFFIXES` found in it.
        folder: that was searched.

    Raises:
        DataError: there is none.
    """
    content.files.sort()
    prefix = get_prefix(folder)
    # Overlays were written by an earlier prediction.
    names = (name for name in content.files.strings if not name.endswith(OVERLAY_SUFFIX))
    if scans := PathPairs((name, name.removeprefix(prefix)) for name in names):
        return scans
    problem = f"there is no scan in this folder ({', '.join(SCAN_SUFFIXES)})"
    problem = ". ".join([problem, *content.describe_passed_over(folder)])
    raise DataError(problem, file=folder, remedy="name another folder", kind="missing")


def find_images(paths: Sequence[Path], report: Callable[[str], None] = lambda sentence: None) -> list[Path]:
    """Return image files, with folders searched for them, in alphabetical order; a missing file is returned as it is.

    Args:
        paths: files and folders.
        report: see `find_scan_files`.

    Raises:
        DataError: a folder holds no image.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            _report_missing(path, report)
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


def _report_missing(path: Path, report: Callable[[str], None]) -> None:
    """Report the file most similar to one that does not exist."""
    if not is_file(path) and (question := suggest(path)):
        report(f"{path}: there is no such file; {question}")


def read_image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image file, as stored, without decoding it; None if it cannot be opened."""
    with contextlib.suppress(Exception), path.open("rb") as file, Image.open(skip_long_texts(file)) as image:
        return image.size
    return None


def has_exif_rotation(path: Path) -> bool:
    """Return whether an image file is to be shown turned by a quarter turn, without decoding it."""
    with contextlib.suppress(Exception), path.open("rb") as file, Image.open(skip_long_texts(file)) as image:
        return int(image.getexif().get(_ORIENTATION, 1)) >= 5
    return False
