"""Image files -> pixels: whatever a scanner, a phone or an archive made of a line or a page."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from htr_lightning.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".pgm", ".ppm")
"""What is taken for an image when a folder is searched."""
MAX_PIXELS = 178_000_000
"""An image with more is refused unless told otherwise; Pillow refuses by itself a little above."""
# Raster formats only: Pillow would start a PostScript interpreter for an .eps file.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000")
_ORIENTATION = 0x0112  # the EXIF tag
_READ_AGAIN = "copy or export it again, or remove it from the data set"


class DataError(InputError):
    """Data that is missing or unusable; the message names the file or line and the remedy."""


class LineImage(Protocol):
    """Where the pixels of a line come from: small, picklable, read in a worker process."""

    @property
    def fingerprint(self) -> str:
        """Changes when the pixels change; cheap, for it is computed for every line at every start."""
        ...

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels, upright: ``(H, W)`` gray or ``(H, W, 3)`` RGB, contiguous ``uint8``.

        Args:
            max_pixels: an image file that holds more (a page, for a line cut from one) is refused before it is
                decoded.

        Raises:
            DataError: the pixels cannot be had; names the file and the reason.
        """
        ...


def read_image(
    path: Path | str, *, max_pixels: int = MAX_PIXELS, upright: bool = True, frame: int = 0
) -> NDArray[np.uint8]:
    """Decode an image file to 8 bits, upright, without transparency.

    EXIF and TIFF orientation is applied; 16- and 32-bit gray is scaled to 8 bits; transparent pixels become
    white, as paper is. Pillow's global settings are left alone.

    Args:
        path: a PNG, JPEG, TIFF, WebP, BMP, GIF, PPM or JPEG 2000 file.
        max_pixels: width times height above which the file is refused before it is decoded. Pillow refuses by
            itself twice `PIL.Image.MAX_IMAGE_PIXELS` (179 million, unless the program changed it).
        upright: apply the orientation; otherwise the pixels come as they are stored.
        frame: of an animation or a multi-page TIFF, from 0.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``, C-contiguous and writable.

    Raises:
        DataError: the file is missing, a folder, empty, truncated, not an image or too large.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            if not file.read(1):
                raise DataError(f"{path}: the file is empty (0 bytes); {_READ_AGAIN}")
            file.seek(0)
            # Pillow warns of large sizes, odd EXIF and palettes: all of it is dealt with here.
            warnings.simplefilter("ignore")
            return _decode(path, file, max_pixels, upright, frame)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the path and the data set's root folder") from None
    except IsADirectoryError:
        raise DataError(f"{path}: this is a folder, not an image file; name a file inside it") from None
    except OSError as error:  # no permission, a loop of links, a broken disk
        raise DataError(f"{path}: cannot be read ({error.strerror}); check permissions and disk") from None


def decode_image(content: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode the content of an image file as `read_image` does.

    Args:
        content: the bytes of the file.
        name: what messages call it: the archive it comes from, and where it is in there.
        max_pixels: see `read_image`.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``, C-contiguous and writable.

    Raises:
        DataError: the content is empty, truncated, not an image or too large.
    """
    if not content:
        raise DataError(f"{name}: the image is empty (0 bytes); {_READ_AGAIN}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `read_image`
        return _decode(name, io.BytesIO(content), max_pixels)


def read_page_image(path: Path, size: tuple[float, float] | None, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode the image of a page in the orientation in which its layout was made.

    Some programs show a photograph as its EXIF orientation says, and some as it is stored.

    Args:
        path: the image.
        size: width and height that the layout gives the page, in any unit.
        max_pixels: see `read_image`.

    Raises:
        DataError: as `read_image`; or the image is stored turned, and the size does not tell what was seen.
    """
    upright = read_image(path, max_pixels=max_pixels)
    with Image.open(path, formats=_FORMATS) as image:
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    if orientation in (0, 1):
        return upright
    seen = [size is not None and _same_shape(size, (w, h)) for h, w in (upright.shape[:2], upright.shape[1::-1])]
    if orientation < 5 or seen[0] == seen[1]:
        raise DataError(
            f"{path}: its EXIF orientation is {orientation}, and it cannot be told whether the layout was made on the "
            "picture as it is stored or as it is shown; save it upright"
        )
    return upright if seen[0] else read_image(path, max_pixels=max_pixels, upright=False)


def _same_shape(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) < 0.02


def _decode(
    path: Path | str, file: BinaryIO, max_pixels: int, upright: bool = True, frame: int = 0
) -> NDArray[np.uint8]:
    try:
        with Image.open(file, formats=_FORMATS) as image:
            if frame:
                image.seek(frame)
            _check_size(path, image.size, max_pixels)
            image.load()
            return _to_8_bits(ImageOps.exif_transpose(image) if upright else image)
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise DataError(
            f"{path}: not an image, damaged in its first bytes, or of a format not read here; "
            f"convert it to one of {', '.join(_FORMATS)}"
        ) from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # Pillow's own, whatever ours is
        raise DataError(f"{path}: has more than {limit:,} pixels; scale it down or cut it into lines") from None
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error at damaged data
        raise DataError(f"{path}: the image is truncated or damaged ({error}); {_READ_AGAIN}") from None


def convert_pillow_image(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """Return the pixels of a Pillow image as `read_image` gives those of a file.

    Args:
        image: of any mode.
        name: what messages call it.

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            return _to_8_bits(ImageOps.exif_transpose(image))
    except Exception as error:  # as in `_decode`
        raise DataError(f"{name}: is truncated or damaged ({error})") from None


def _check_size(path: Path | str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height == 0:
        raise DataError(f"{path}: the image has no pixels ({width} x {height}); {_READ_AGAIN}")
    if width * height > max_pixels:
        raise DataError(
            f"{path}: {width} x {height} px is more than preprocess.max_pixels={max_pixels}; scale it down, or raise "
            "the limit"
        )


def _to_8_bits(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        return _scale_to_8_bits(np.asarray(image))
    if image.has_transparency_data:
        gray = image.mode in ("L", "LA", "La")
        opaque = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return np.array(Image.alpha_composite(paper, opaque).convert("L" if gray else "RGB"))
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"))
    return np.array(image.convert("RGB"))


def _scale_to_8_bits(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Map 16-bit gray by its full range; other depths, whose range no file tells, by their largest value."""
    values = np.nan_to_num(deep.astype(np.float64))
    largest = float(values.max())
    full = 1.0 if deep.dtype.kind == "f" and largest <= 1 else 65535.0
    if deep.dtype.kind == "f" and 1 < largest <= 255:
        full = 255.0
    return np.ascontiguousarray((values * (255 / max(full, largest))).round().clip(0, 255), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class UnusableImage:
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
        """Decode the file (see `read_image`)."""
        return read_image(self.path, max_pixels=max_pixels)


@dataclass(frozen=True, slots=True, eq=False)
class InMemoryImage:
    """A line whose pixels are there already: ``(H, W)`` gray or ``(H, W, 3)`` RGB, uint8."""

    pixels: NDArray[np.uint8]

    @property
    def fingerprint(self) -> str:
        """Of the pixels."""
        return hashlib.blake2b(self.pixels.tobytes(), digest_size=12).hexdigest()

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels."""
        return self.pixels
