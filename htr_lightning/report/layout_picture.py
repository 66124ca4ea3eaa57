"""A page with what its layout says drawn on it, beside the lines as they are cut out."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image.crop import PageCrop
from htr_lightning.image.files import DataError, ImageFile
from htr_lightning.layout.page import Page
from htr_lightning.report.panel import draw_panel

_OUTLINE, _BASELINE = (30, 110, 220), (220, 50, 40)
_WIDTH_PX, _LINE_PX, _GAP_PX = 900, 48, 16


def draw_layout(page: Page, image: ImageFile, max_lines: int = 30) -> Image.Image:
    """Draw outlines (blue) and baselines (red) on a page, and beside it each line cut out, with its text.

    Args:
        page: the layout.
        image: of the page.
        max_lines: at most so many lines are shown cut out.

    Raises:
        DataError: the image cannot be read. A line that cannot be cut shows the reason in place of its text.
    """
    pixels = image.read()
    sheet = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if pixels.ndim == 2 else pixels.copy()
    height, width = sheet.shape[:2]
    scale = np.array([width / page.size[0], height / page.size[1]]) if page.size else np.ones(2)
    thick = max(1, round(1.5 * width / _WIDTH_PX))
    for line in page.lines:
        for points, closed, color in ((line.polygon, True, _OUTLINE), (line.baseline, False, _BASELINE)):
            if len(points):
                drawn = np.round(points * scale).astype(np.int32)
                cv2.polylines(sheet, [drawn], closed, color, thick, cv2.LINE_AA)
    shown = cv2.resize(sheet, (_WIDTH_PX, round(height * _WIDTH_PX / width)), interpolation=cv2.INTER_AREA)
    rows = []
    for line in page.lines[:max_lines]:
        try:
            if line.problem:
                raise DataError(line.problem)
            cut = PageCrop(image, line.polygon, line.baseline, page.size)
            rows.append((_scaled(cut.read()), line.text, line.text))
        except DataError as error:
            rows.append((np.full((4, 40, 3), 255, np.uint8), str(error), ""))
    if not rows:
        return Image.fromarray(np.asarray(shown, np.uint8))
    return _beside(Image.fromarray(np.asarray(shown, np.uint8)), draw_panel([(p, "", t or r) for p, r, t in rows]))


def _scaled(line: NDArray[np.uint8]) -> NDArray[np.uint8]:
    width = max(1, round(line.shape[1] * _LINE_PX / line.shape[0]))
    return np.asarray(cv2.resize(line, (width, _LINE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    size = (left.width + _GAP_PX + right.width, max(left.height, right.height))
    both = Image.new("RGB", size, "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + _GAP_PX, 0))
    return both
