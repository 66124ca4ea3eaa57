"""Decoding of ordinary WebP files with OpenCV: the pixels of Pillow, with less than half of the memory.

Pillow decodes every WebP file as an animation, into several copies of the picture, and one file at a time; with OpenCV,
several threads decode at the same time.
"""

from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.orientation import ORIENTATION_TAG


def decode_webp(image: Image.Image, file: BinaryIO, *, upright: bool) -> NDArray[np.uint8] | None:
    """Decode a WebP file without transparency, animation and rotation.

    Args:
        image: the file as Pillow opened it, not decoded yet.
        file: its content.
        upright: whether its orientation is to be applied.

    Returns:
        ``(H, W, 3)`` RGB; None for any other image, and for one that is damaged: Pillow is to decode those, and says
        what is wrong.
    """
    if image.format != "WEBP" or image.mode != "RGB" or getattr(image, "n_frames", 1) > 1:
        return None
    if upright and image.getexif().get(ORIENTATION_TAG, 1) != 1:
        return None
    file.seek(0)
    content = np.frombuffer(file.read(), np.uint8)
    try:
        pixels = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # its own limits of size
        return None
    if pixels is None or pixels.shape != (image.height, image.width, 3):
        return None
    return np.asarray(pixels, np.uint8)
