"""Pictures of pages and lines, for the screen: JPEG, from a small cache."""

import collections
import functools
import hashlib
import io
import threading
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from htr_lightning.correction.page import LineShape, ProjectPage
from htr_lightning.correction.project import Project
from htr_lightning.correction.recognition import read_pixels
from htr_lightning.files import atomic_write
from htr_lightning.image.turn import turn_upright
from htr_lightning.layout.page import TURNS_OF_VERTICAL

if TYPE_CHECKING:
    from htr_lightning.reading.line_crops import Pixels

Box = tuple[int, int, int, int]

_PAGE_PX, _PAGE_QUALITY = 2600, 80
_LINE_WIDTH_PX, _LINE_QUALITY = 1800, 85
_MARGIN = 0.3  # around a line, relative to its height
_CACHED_PAGES, _CACHED_LINES = 2, 600


class Pictures:
    """Encodes pages and lines of a project; the pictures of pages are kept in its folder of cached files.

    Args:
        project: with the pages.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._lock = threading.Lock()
        self._load = functools.lru_cache(_CACHED_PAGES)(self._read)
        self._lines: collections.OrderedDict[tuple[str, str], bytes] = collections.OrderedDict()

    def _read(self, key: str, layout_size: tuple[float, float] | None) -> "Pixels":
        return read_pixels(self.project.get_page(key))

    def draw_page(self, key: str) -> bytes:
        """Return a page as JPEG, at most 2,600 px high or wide.

        Raises:
            DataError: its image cannot be read.
            ProjectError: there is no such page.
        """
        page = self.project.get_page(key)
        identity = hashlib.blake2b(f"{page.scan.fingerprint} {page.layout_size}".encode(), digest_size=4).hexdigest()
        path = self.project.state / "cache" / f"{key}-{identity}.jpg"
        if path.is_file():
            return path.read_bytes()
        with self._lock:
            pixels = self._load(key, page.layout_size)
        content = _encode(pixels, _PAGE_PX, _PAGE_QUALITY)
        try:
            with atomic_write(path) as file:
                file.write(content)
        except OSError:
            return content  # a cache need not be written
        return content

    def draw_line(self, key: str, line: str) -> bytes:
        """Return a line with its surroundings as JPEG, its characters upright.

        Raises:
            DataError: the image of its page cannot be read.
            ProjectError: there is no such page or line.
        """
        page = self.project.get_page(key)
        self.project.check_line(page, line)
        shape = next(shape for shape in page.shapes or () if shape.id == line)
        identity = (key, name_picture(page, shape))
        with self._lock:
            if identity in self._lines:
                self._lines.move_to_end(identity)
                return self._lines[identity]
            pixels = self._load(key, page.layout_size)
        left, top, right, bottom = get_picture_box(page, shape)
        crop = turn_upright(np.ascontiguousarray(pixels[top:bottom, left:right]), get_picture_turns(page, shape))
        content = _encode(crop, _LINE_WIDTH_PX, _LINE_QUALITY)
        with self._lock:
            self._lines[identity] = content
            while len(self._lines) > _CACHED_LINES:
                self._lines.popitem(last=False)
        return content


def get_picture_box(page: ProjectPage, shape: LineShape) -> Box:
    """Return left, top, right and bottom of the picture of a line, in whole px of its page."""
    left, top, right, bottom = shape.box
    margin = _MARGIN * min(bottom - top, right - left) + 4
    x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
    x1, y1 = min(page.width, int(right + margin)), min(page.height, int(bottom + margin))
    x0, y0 = min(x0, page.width - 1), min(y0, page.height - 1)  # a damaged layout may place a line anywhere
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def name_picture(page: ProjectPage, shape: LineShape) -> str:
    """Return what the picture of a line depends on, for its address, which browsers cache."""
    turns = get_picture_turns(page, shape)
    return hashlib.blake2b(f"{shape.id} {get_picture_box(page, shape)} {turns}".encode(), digest_size=6).hexdigest()


def get_picture_turns(page: ProjectPage, shape: LineShape) -> int:
    """Return by how many quarter turns counterclockwise the picture of a line is turned, 0 to 3.

    A vertical line of Chinese stays a column of upright characters; one of Latin, such as a note along a margin, is
    turned to run from left to right.
    """
    turns = TURNS_OF_VERTICAL.get(shape.vertical, 0) if page.has_columns else 0
    return (shape.orientation - turns) % 4


def _encode(pixels: "Pixels", longest_px: int, quality: int) -> bytes:
    scale = longest_px / max(pixels.shape[:2])
    if scale < 1:
        size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=quality)
    return content.getvalue()
