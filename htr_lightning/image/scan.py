"""Scans of pages: image files, TIFF files of several pages, PDF documents."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.files import IMAGE_SUFFIXES, MAX_PIXELS, DataError, read_image, read_page_image

SCAN_SUFFIXES = (*IMAGE_SUFFIXES, ".pdf")
"""What is taken for a scan when a folder is searched."""
OVERLAY_SUFFIX = ".overlay.jpg"
"""What the pictures of results are called."""
PDF_DPI = 300
_SMALLEST_PX = 32  # a page has more, each way


@dataclass(frozen=True, slots=True)
class Scan:
    """A page to read.

    Attributes:
        path: the file.
        number: of the page in a document of several, from 1; None for an image that is one page.
    """

    path: Path
    number: int | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path) if self.number is None else f"{self.path}, page {self.number}"

    @property
    def stem(self) -> str:
        """What its results are called, without suffix."""
        return self.path.stem if self.number is None else f"{self.path.stem}_{self.number:04d}"

    def read(self, max_pixels: int = MAX_PIXELS, layout_size: tuple[float, float] | None = None) -> NDArray[np.uint8]:
        """Return ``(H, W)`` gray or ``(H, W, 3)`` RGB; a page of a PDF is drawn at `PDF_DPI`, or coarser if too large.

        Args:
            max_pixels: images that have more are refused.
            layout_size: width and height of the page in the layout whose lines are to be read: of photographs that
                are stored turned, it tells how its author saw them.

        Raises:
            DataError: it cannot be read, is too large, or too small to be a page.
        """
        if self.path.suffix.lower() == ".pdf":
            pixels = _drawn(self.path, (self.number or 1) - 1, max_pixels)
        elif layout_size is not None and self.number is None:
            pixels = read_page_image(self.path, layout_size, max_pixels=max_pixels)
        else:
            pixels = read_image(self.path, max_pixels=max_pixels, frame=(self.number or 1) - 1)
        height, width = pixels.shape[:2]
        if min(height, width) < _SMALLEST_PX:
            raise DataError(f"{self.name}: {width} x {height} px are too few for a page; is it the right file?")
        return pixels


def list_scans(path: Path) -> list[Scan]:
    """Return the pages of a file; one that cannot be opened is a page whose reading says so.

    Raises:
        DataError: a document is damaged, locked by a password or empty.
    """
    if path.suffix.lower() == ".pdf":
        with _opened(path) as document:
            return [Scan(path, number) for number in range(1, len(document) + 1)]
    if path.suffix.lower() in (".tif", ".tiff"):
        frames = _frames(path)
        if frames > 1:
            return [Scan(path, number) for number in range(1, frames + 1)]
    return [Scan(path)]


def _frames(path: Path) -> int:
    """Count the pages of a TIFF file; 1 for what is none, which is for its reader to say.

    Raises:
        DataError: it is cut off.
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
                raise DataError(f"{path}: its pages cannot be counted ({error}); copy or export it again") from None


def find_scan_files(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return the files that are named, folders searched through, each with its path below the folder it was found in.

    Raises:
        DataError: a folder holds no scan.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append((path, Path(path.name)))
            continue
        found = sorted(p for p in path.rglob("*") if _is_scan(p.relative_to(path)))
        if not found:
            raise DataError(f"{path}: there is no scan in this folder ({', '.join(SCAN_SUFFIXES)})")
        files += [(file, file.relative_to(path)) for file in found]
    return files


def _is_scan(path: Path) -> bool:
    """Return whether a file in a folder is one, and no picture of an earlier result; what is hidden is none."""
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in SCAN_SUFFIXES and not hidden and not path.name.endswith(OVERLAY_SUFFIX)


def read_image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image file without decoding it; None of what cannot be opened."""
    with contextlib.suppress(Exception), Image.open(path) as image:
        return image.size
    return None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a PDF document.

    Raises:
        DataError: it is missing, damaged, locked or empty.
    """
    import pypdfium2

    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DataError(f"{path}: is locked by a password; save a copy without one") from None
        raise DataError(f"{path}: is damaged or no PDF document ({error}); copy or export it again") from None
    try:
        if not len(document):
            raise DataError(f"{path}: has no pages; export it again")
        yield document
    finally:
        document.close()


def _drawn(path: Path, index: int, max_pixels: int) -> NDArray[np.uint8]:
    import pypdfium2

    with _opened(path) as document:
        if index >= len(document):
            raise DataError(f"{path}: has {len(document)} pages, not {index + 1}; was it changed meanwhile?")
        try:
            page = document[index]
            width, height = page.get_size()  # points, 1/72 inch
            scale = min(PDF_DPI / 72, float(np.sqrt(max_pixels / max(width * height, 1.0))) * 0.999)
            return np.array(page.render(scale=scale).to_pil().convert("RGB"))
        except pypdfium2.PdfiumError as error:
            raise DataError(f"{path}, page {index + 1}: cannot be drawn ({error}); export it again") from None
