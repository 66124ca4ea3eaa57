"""The pages of a TIFF file: all of its images but the smaller copies and masks."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.files import MAX_ASPECT_DIFFERENCE, DataError

_NEW_SUBFILE_TYPE, _SUBFILE_TYPE = 254, 255  # tags of TIFF
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # value of SubfileType
_THUMBNAIL_PX = 256  # a copy without such a tag is recognized if its shorter side is at most this long ...
_THUMBNAIL_SCALE = 0.25  # ... and at most this part of that of the page
_MAX_IMAGES = 10_000


def find_tiff_pages(path: Path) -> list[int]:
    """Return the indices of the images of a TIFF file that are pages.

    A pyramid (smaller copies for zooming), a thumbnail and a mask are none.

    Returns:
        At least one index; ``[0]`` for any other file, which fails when it is read.

    Raises:
        DataError: the file is truncated.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(path, formats=["TIFF"])
        except Exception:
            return [0]
        with image:
            try:
                return _find_pages(image)
            except Exception as error:  # as decoders do, anything from SyntaxError to struct.error
                raise DataError(
                    f"the number of its pages cannot be read ({error})",
                    file=path,
                    remedy="copy or export it again",
                    kind="damaged",
                ) from None


def _find_pages(image: Any) -> list[int]:
    sizes: dict[int, tuple[int, int]] = {}
    num_images = int(getattr(image, "n_frames", 1))
    if num_images > _MAX_IMAGES:
        raise ValueError(f"{num_images:,} images are more than {_MAX_IMAGES:,}")
    for index in range(num_images):
        image.seek(index)
        kind = int(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0))
        is_reduced = kind & (_REDUCED | _MASK) or image.tag_v2.get(_SUBFILE_TYPE) == _OLD_REDUCED
        if not is_reduced and min(image.size) > 0:
            sizes[index] = image.size
    others = np.array(sorted(set(sizes.values()))).reshape(-1, 2)
    thumbnails = {size for size in set(sizes.values()) if _is_thumbnail(size, others)}
    pages = [index for index, size in sizes.items() if size not in thumbnails]
    return pages or [0]


def _is_thumbnail(size: tuple[int, int], others: NDArray[np.int64]) -> bool:
    """Whether an image of a size is a smaller copy of one of other sizes ``(n, 2)``, of which one may be its own."""
    if min(size) > _THUMBNAIL_PX:
        return False
    across, down = size[0] / others[:, 0], size[1] / others[:, 1]
    tolerance = max(MAX_ASPECT_DIFFERENCE, 1 / min(size))  # the sides of a small copy are rounded to whole pixels
    return bool(((across <= _THUMBNAIL_SCALE) & (np.abs(down / across - 1) <= tolerance)).any())
