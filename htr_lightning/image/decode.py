"""Decoding of image files to 8-bit pixels."""

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from htr_lightning.image.bit_depth import convert_to_8_bits
from htr_lightning.image.files import HAS_AVIF, MAX_ASPECT_DIFFERENCE, MAX_PIXELS, REPLACE_FILE, DataError
from htr_lightning.image.limits import check_memory, check_size
from htr_lightning.image.orientation import ORIENTATION_TAG
from htr_lightning.image.png import skip_long_texts
from htr_lightning.image.webp import decode_webp

# Raster formats only: Pillow would start a PostScript interpreter for an .eps file.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", *(("AVIF",) if HAS_AVIF else ()))


def read_image(
    path: Path | str, *, max_pixels: int = MAX_PIXELS, upright: bool = True, frame: int = 0
) -> NDArray[np.uint8]:
    """Decode an image file to 8 bits, upright, without transparency.

    EXIF and TIFF orientation is applied; 16- and 32-bit gray is scaled to 8 bits; transparent pixels become white.
    Pillow's global settings are not changed.

    Args:
        path: a PNG, JPEG, TIFF, WebP, BMP, GIF, PPM or JPEG 2000 file.
        max_pixels: limit of width times height; a larger file is refused before it is decoded, and one whose decoder
            needs more than 4 bytes for each (see `htr_lightning.image.limits.check_memory`). Pillow itself refuses
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
                raise DataError("the file is empty (0 bytes)", file=path, remedy=REPLACE_FILE, kind="empty")
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
        raise DataError("the image is empty (0 bytes)", file=name, remedy=REPLACE_FILE, kind="empty")
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
        orientation = int(image.getexif().get(ORIENTATION_TAG, 1))
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
            check_size(image, path, max_pixels)
            check_memory(image, path, max_pixels)
            if (pixels := decode_webp(image, file, upright=upright)) is not None:
                return pixels
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
            f"the image is truncated or damaged ({error})", file=path, remedy=REPLACE_FILE, kind="damaged"
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
