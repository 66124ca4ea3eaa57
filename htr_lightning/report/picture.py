"""Images embedded in HTML pages as data URIs."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.report.outputs import mark_png

MAX_HEIGHT_PX, MAX_WIDTH_PX = 72, 1400
_QUALITY = 70


def encode_jpeg_uri(
    image: NDArray[np.uint8], *, max_height_px: int = MAX_HEIGHT_PX, max_width_px: int = MAX_WIDTH_PX
) -> str:
    """Encode an image as a JPEG data URI, scaled down if it exceeds the maximum size.

    Args:
        image: ``(H, W)`` gray or ``(H, W, 3)`` RGB.
        max_height_px: of the encoded picture.
        max_width_px: of the encoded picture.
    """
    picture = Image.fromarray(image)
    scale = min(1.0, max_height_px / picture.height, max_width_px / picture.width)
    if scale < 1:
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def encode_png_uri(picture: Image.Image) -> str:
    """Encode a drawing as a PNG data URI, which keeps letters and flat colors sharp."""
    return "data:image/png;base64," + base64.b64encode(encode_png(picture)).decode()


def encode_png(picture: Image.Image) -> bytes:
    """Return a picture as the content of a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, pnginfo=mark_png())
    return buffer.getvalue()
