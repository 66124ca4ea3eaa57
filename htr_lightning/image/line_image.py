"""The images of lines that datasets name."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.decode import read_image
from htr_lightning.image.files import MAX_PIXELS, DataError
from htr_lightning.image.tiff import find_tiff_pages


class LineImage(Protocol):
    """The image of a line that is read later, in a worker: small and picklable."""

    @property
    def fingerprint(self) -> str:
        """Changes when the pixels change. Must be cheap: it is computed for every line at every start."""
        ...

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels, upright: ``(H, W)`` gray or ``(H, W, 3)`` RGB, contiguous ``uint8``.

        Args:
            max_pixels: limit of width times height of the image file (of the page, for a line cropped from one); a
                larger file is refused before it is decoded.

        Raises:
            DataError: the pixels cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class UnusableImage:
    """An image that can never be read: a data source yields it instead of silently dropping the line.

    The line counts as skipped (``loader.max_skipped``) and is listed with the reason.

    Attributes:
        reason: one sentence that names the file, the line, the problem and the remedy.
    """

    reason: str

    @property
    def fingerprint(self) -> str:
        """The reason."""
        return self.reason

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Raise the error.

        Raises:
            DataError: always, with the reason.
        """
        raise DataError(self.reason, kind="unusable")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file that shows a single line."""

    path: Path

    @property
    def fingerprint(self) -> str:
        """Path, size and modification time; ``absent`` for a missing file."""
        try:
            status = self.path.stat()
        except (OSError, ValueError):
            return f"{self.path}:absent"
        return f"{self.path}:{status.st_size}:{status.st_mtime_ns}"

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Decode the file (see `read_image`).

        Raises:
            DataError: it cannot be read, or is a TIFF file of several pages.
        """
        return read_image(self.path, max_pixels=max_pixels, frame=_find_single_page(self.path))


@dataclass(frozen=True, slots=True, eq=False)
class InMemoryImage:
    """Pixels in memory: ``(H, W)`` gray or ``(H, W, 3)`` RGB, uint8."""

    pixels: NDArray[np.uint8]

    @property
    def fingerprint(self) -> str:
        """Digest of the pixels."""
        return hashlib.blake2b(self.pixels.tobytes(), digest_size=12).hexdigest()

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels."""
        return self.pixels


def _find_single_page(path: Path) -> int:
    """Return the index of the only page of an image file: 0, unless a TIFF file begins with its thumbnail.

    Raises:
        DataError: a TIFF file has several pages.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        return 0
    try:
        pages = find_tiff_pages(path)
    except DataError:  # damaged behind the first image, which may still be readable
        return 0
    if len(pages) > 1:
        raise DataError(
            f"the file has {len(pages)} pages, but one image is needed",
            file=path,
            remedy="save each page as an image of its own, or read the document with --pages",
            kind="several_pages",
        )
    return pages[0]
