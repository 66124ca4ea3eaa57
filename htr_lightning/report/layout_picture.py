"""A picture of a page with its layout, next to the crops of its lines."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.crop import PageCrop
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.layout.page import Page, PageLine
from htr_lightning.report.panel import draw_panel

_POLYGON_COLOR, _BASELINE_COLOR = (30, 110, 220), (220, 50, 40)
_WIDTH_PX, _LINE_HEIGHT_PX, _GAP_PX = 900, 48, 16

Pixels = NDArray[np.uint8]


def draw_layout(page: Page, image: ImageFile, max_lines: int = 30) -> Image.Image:
    """Draw polygons (blue) and baselines (red) on a page, and beside it the crop of each line with its text.

    Args:
        page: the layout.
        image: of the page.
        max_lines: maximum number of crops.

    Raises:
        DataError: the image cannot be read. A line that cannot be cropped shows the reason instead of its text.
    """
    drawn = Image.fromarray(_draw_lines(page, image.read()))
    rows = [_crop_line(line, page, image) for line in page.lines[:max_lines]]
    return _join_horizontally(drawn, draw_panel(rows)) if rows else drawn


def _draw_lines(page: Page, pixels: Pixels) -> Pixels:
    canvas = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if pixels.ndim == 2 else pixels.copy()
    height, width = canvas.shape[:2]
    scale = np.array([width / page.size[0], height / page.size[1]]) if page.size else np.ones(2)
    thickness = max(1, round(1.5 * width / _WIDTH_PX))
    for line in page.lines:
        for points, closed, color in ((line.polygon, True, _POLYGON_COLOR), (line.baseline, False, _BASELINE_COLOR)):
            if len(points):
                vertices = np.round(points * scale).astype(np.int32)
                cv2.polylines(canvas, [vertices], closed, color, thickness, cv2.LINE_AA)
    size = (_WIDTH_PX, round(height * _WIDTH_PX / width))
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)


def _crop_line(line: PageLine, page: Page, image: ImageFile) -> tuple[Pixels, str, str]:
    """Return a row of the panel: the crop of a line and its text, or a blank and the reason why there is no crop."""
    try:
        if line.problem:
            raise DataError(line.problem)
        crop = PageCrop(image, line.polygon, line.baseline, page.size).read()
    except DataError as error:
        return np.full((4, 40, 3), 255, np.uint8), "", str(error)
    width = max(1, round(crop.shape[1] * _LINE_HEIGHT_PX / crop.shape[0]))
    resized = cv2.resize(crop, (width, _LINE_HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8), "", line.text


def _join_horizontally(left: Image.Image, right: Image.Image) -> Image.Image:
    size = (left.width + _GAP_PX + right.width, max(left.height, right.height))
    joined = Image.new("RGB", size, "white")
    joined.paste(left, (0, 0))
    joined.paste(right, (left.width + _GAP_PX, 0))
    return joined
