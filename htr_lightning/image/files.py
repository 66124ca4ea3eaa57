"""Decoding of image files to 8-bit pixels, and the images of lines that datasets name."""

import hashlib
import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, features

from htr_lightning.errors import InputError
from htr_lightning.image.bit_depth import convert_to_8_bits
from htr_lightning.image.png import skip_long_texts

_HAS_AVIF = bool(features.check("avif"))  # in Pillow 11.3 and later, unless it was built without
IMAGE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif"),
    *(".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c", ".pbm", ".pgm", ".ppm", ".pnm"),
    *((".avif",) if _HAS_AVIF else ()),
)
"""Suffixes of image files, of all formats that are decoded; folders are searched for them, in any letter case."""
MAX_PIXELS = 178_000_000
"""Default limit of width times height; Pillow's own limit is a little higher."""
MAX_WIDTH_STEP_PX = 4096
"""Largest step to which the widths of lines are rounded up; a model file that states a larger one would fill memory."""
MAX_ASPECT_DIFFERENCE = 0.02
"""Relative difference of two aspect ratios, of a page and of its image, up to which they are the same."""
# Raster formats only: Pillow would start a PostScript interpreter for an .eps file.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", *(("AVIF",) if _HAS_AVIF else ()))
_ORIENTATION = 0x0112  # the EXIF tag
_TILE_SIZE = (322, 323)  # tags of TIFF: width and length
_REPLACE = "copy or export it again, or remove it from the dataset"


class DataError(InputError):
    """Data that is missing or unusable."""


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


def read_image(
    path: Path | str, *, max_pixels: int = MAX_PIXELS, upright: bool = True, frame: int = 0
) -> NDArray[np.uint8]:
    """Decode an image file to 8 bits, upright, without transparency.

    EXIF and TIFF orientation is applied; 16- and 32-bit gray is scaled to 8 bits; transparent pixels become white.
    Pillow's global settings are not changed.

    Args:
        path: a PNG, JPEG, TIFF, WebP, BMP, GIF, PPM or JPEG 2000 file.
        max_pixels: limit of width times height; a larger file is refused before it is decoded. Pillow itself refuses
            more than twice `PIL.Image.MAX_IMAGE_PIXELS` (179 million, unless the program changed it).
        upright: apply the orientation; False returns the pixels as stored.
        frame: index in an animation or a multi-page TIFF, from 0.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``, C-contiguous and writable.

    Raises:
        DataError: the file is missing, a folder, empty, truncated, not an image or too large.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            if not file.read(1):
                raise DataError("the file is empty (0 bytes)", file=path, remedy=_REPLACE, kind="empty")
            file.seek(0)
            # Pillow warns about large images, odd EXIF and palettes, all of which are handled here.
            warnings.simplefilter("ignore")
            return _decode(path, file, max_pixels, upright, frame)
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="check the path", kind="missing") from None
    except DataError:
        raise
    except ValueError:  # NUL, or half a surrogate pair
        name = ascii(str(path))
        raise DataError("no file can have this name", file=name, remedy="correct it", kind="missing") from None
    except IsADirectoryError:
        raise DataError(
            "this is a folder, not an image file", file=path, remedy="name a file inside it", kind="folder"
        ) from None
    except OSError as error:  # no permission, a loop of links, a broken disk
        raise DataError(
            f"cannot be read ({error.strerror})", file=path, remedy="check permissions and disk", kind="unreadable"
        ) from None


def decode_image(content: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode the content of an image file as `read_image` does.

    Args:
        content: the bytes of the file.
        name: names the image in errors: the archive, and its position there.
        max_pixels: see `read_image`.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``, C-contiguous and writable.

    Raises:
        DataError: the content is empty, truncated, not an image or too large.
    """
    if not content:
        raise DataError("the image is empty (0 bytes)", file=name, remedy=_REPLACE, kind="empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `read_image`
        return _decode(name, io.BytesIO(content), max_pixels)


def read_page_image(path: Path, size: tuple[float, float] | None, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode the image of a page in the orientation in which its layout was made.

    Some programs show a photograph as its EXIF orientation says, others as it is stored.

    Args:
        path: the image.
        size: width and height of the page in the layout, in any unit.
        max_pixels: see `read_image`.

    Raises:
        DataError: as `read_image`; or the image has an EXIF orientation, and the size does not tell whether the
            layout was made with it or without.
    """
    upright = read_image(path, max_pixels=max_pixels)
    with path.open("rb") as file, Image.open(skip_long_texts(file), formats=_FORMATS) as image:
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    if orientation in (0, 1):
        return upright
    fits_upright, fits_stored = (
        size is not None and _have_same_aspect_ratio(size, (width, height))
        for height, width in (upright.shape[:2], upright.shape[1::-1])
    )
    if orientation < 5 or fits_upright == fits_stored:
        raise DataError(
            f"the EXIF orientation is {orientation}, and the layout does not tell whether it was made on the image as "
            "stored or as shown",
            file=path,
            remedy="save the image upright",
            kind="orientation",
        )
    if fits_upright:
        return upright
    del upright  # before the image is decoded again
    return read_image(path, max_pixels=max_pixels, upright=False)


def _have_same_aspect_ratio(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) < MAX_ASPECT_DIFFERENCE


def _decode(
    path: Path | str, file: BinaryIO, max_pixels: int, upright: bool = True, frame: int = 0
) -> NDArray[np.uint8]:
    try:
        with Image.open(skip_long_texts(file), formats=_FORMATS) as image:
            if frame:
                image.seek(frame)
            _check_size(path, image.size, max_pixels)
            _check_tiles(path, image, max_pixels)
            return convert_to_8_bits(image, upright=upright, release=True)
    except DataError:
        raise
    except MemoryError:
        raise DataError(
            "the image does not fit into memory",
            file=path,
            remedy="scale the image down, or free memory",
            kind="too_large",
        ) from None
    except UnidentifiedImageError:
        raise DataError(
            "not an image, damaged in its first bytes, or of an unsupported format",
            file=path,
            remedy=f"convert it to one of {', '.join(_FORMATS)}",
            kind="damaged",
        ) from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # Pillow's own, whatever ours is
        raise DataError(
            f"the image has more than {limit:,} pixels",
            file=path,
            remedy="scale it down or crop it into lines",
            kind="too_large",
        ) from None
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error on damaged data
        raise DataError(
            f"the image is truncated or damaged ({error})", file=path, remedy=_REPLACE, kind="damaged"
        ) from None


def convert_pillow_image(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """Convert a Pillow image as `read_image` converts that of a file.

    Args:
        image: of any mode.
        name: names the image in errors.

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return convert_to_8_bits(image)
    except Exception as error:  # as in `_decode`
        raise DataError(f"truncated or damaged ({error})", file=name, kind="damaged") from None


def _check_tiles(path: Path | str, image: Image.Image, max_pixels: int) -> None:
    """Refuse a TIFF file with tiles that are larger than any image may be: libtiff decodes whole tiles."""
    tags = getattr(image, "tag_v2", {})
    tile = [int(tags.get(tag, 0)) for tag in _TILE_SIZE]
    if math.prod(tile) > max_pixels:
        raise DataError(
            f"its tiles of {tile[0]} x {tile[1]} px are more than preprocess.max_pixels={max_pixels}",
            file=path,
            remedy="save it without tiles, or with smaller ones",
            kind="too_large",
        )


def _check_size(path: Path | str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height == 0:
        raise DataError(f"the image has no pixels ({width} x {height})", file=path, remedy=_REPLACE, kind="empty")
    if width * height > max_pixels:
        raise DataError(
            f"{width} x {height} px is more than preprocess.max_pixels={max_pixels}",
            file=path,
            remedy="scale the image down, or increase the limit",
            kind="too_large",
        )


def _find_single_page(path: Path) -> int:
    """Return the index of the only page of an image file: 0, unless a TIFF file begins with its thumbnail.

    Raises:
        DataError: a TIFF file has several pages.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        return 0
    from htr_lightning.image.tiff import find_tiff_pages  # which imports this module

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
