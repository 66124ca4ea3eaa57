"""The record that joins every reader to everything that follows."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".pgm", ".ppm")
"""What is taken for an image when a folder is searched."""
MAX_PIXELS = 178_000_000
"""An image with more is refused unless told otherwise; Pillow refuses by itself a little above."""
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class DataError(ValueError):
    """Data that is missing or unusable; the message names the file or line and the remedy."""


class LineImage(Protocol):
    """Where the pixels of a line come from: small, picklable, read in a worker process."""

    @property
    def fingerprint(self) -> str:
        """Changes when the pixels change; cheap, for it is computed for every line at every start."""
        ...

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels, upright: ``(H, W)`` grey or ``(H, W, 3)`` RGB, contiguous ``uint8``.

        Args:
            max_pixels: an image file that holds more (a page, for a line cut from one) is refused before it is
                decoded.

        Raises:
            DataError: the pixels cannot be had; names the file and the reason.
        """
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of handwriting.

    Attributes:
        id: unique within its data set; what messages call this line.
        image: where its pixels come from.
        text: what it says; whitespace collapsed (see `clean_text`). Unicode normalisation is the charset's.
        group: writer, page or font; what must not be shared between splits. Empty when unknown.
    """

    id: str
    image: LineImage
    text: str
    group: str = ""


class Source(Protocol):
    """A data set: all that a reader of one's own has to offer."""

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of one split, in a fixed order; empty when the data set lacks that split.

        Raises:
            DataError: a file that the data set needs is missing or malformed.
        """
        ...


@runtime_checkable
class DrawnSource(Source, Protocol):
    """A data set that says how often each of its training lines is seen in an epoch."""

    def draws(self, ids: Iterable[str]) -> NDArray[np.float64]:
        """Return, for each training line that can be used, how often it is drawn in an epoch, on average."""
        ...


def clean_text(text: str) -> str:
    """Collapse runs of whitespace, also no-break and other Unicode spaces, to one space; strip the ends."""
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Unusable:
    """The place of pixels that can never be had: a reader yields it instead of dropping a line in silence.

    Such a line counts as skipped (``loader.max_skipped``) and is listed with its reason.

    Attributes:
        reason: one sentence that names the file, the line and the remedy.
    """

    reason: str

    @property
    def fingerprint(self) -> str:
        """The reason."""
        return self.reason

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Raise.

        Raises:
            DataError: always, with the reason.
        """
        raise DataError(self.reason)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A line that is a whole image file."""

    path: Path

    @property
    def fingerprint(self) -> str:
        """Path, size and time of change; ``absent`` for a file that is not there."""
        try:
            status = self.path.stat()
        except OSError:
            return f"{self.path}:absent"
        return f"{self.path}:{status.st_size}:{status.st_mtime_ns}"

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Decode the file (see `htr_lightning.data.image.read_image`)."""
        from htr_lightning.data.image import read_image

        return read_image(self.path, max_pixels=max_pixels)


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A line whose pixels are there already: ``(H, W)`` grey or ``(H, W, 3)`` RGB, uint8."""

    pixels: NDArray[np.uint8]

    @property
    def fingerprint(self) -> str:
        """Of the pixels."""
        return hashlib.blake2b(self.pixels.tobytes(), digest_size=12).hexdigest()

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels."""
        return self.pixels
