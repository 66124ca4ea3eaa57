"""Predictions of a page: its regions, lines and texts, whichever format they are written in."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from htr_lightning.decode.positions import Character, Word
from htr_lightning.directions.bidi import StatedDirection, find_base_direction
from htr_lightning.image.straighten import Points, no_points
from htr_lightning.layout.page import TURNS_OF_VERTICAL, Cell, Vertical
from htr_lightning.report.notebook import NOTEBOOK_PX, render_page
from htr_lightning.report.panel import blend_confidence, load_font

_WIDTH_PX = 1400
_MAX_TEXT_LENGTH = 400  # characters of a text beside the page
_MAX_SHEET_PX = 65_000  # what JPEG can hold
_MAX_ASPECT_RATIO = 6  # height / width; longer pages are scaled down
_POLYGON_COLOR, _BASELINE_COLOR, _WORD_COLOR, _REGION_COLOR = (30, 110, 220), (220, 50, 40), (240, 150, 0), (0, 120, 60)
_TEXT_COLOR, _DOUBTFUL_COLOR = (20, 20, 20), (220, 50, 40)


@dataclass(frozen=True, slots=True, eq=False)
class PredictedLine:
    """A line of a page with its predicted text.

    Attributes:
        id: unique on its page, an XML name.
        text: empty if nothing could be read.
        confidence: 0..1, the recognizer's probability of the whole text.
        polygon: outline of the line, ``(n, 2)`` px of the page's image.
        baseline: ``(n, 2)`` px, from its start to its end.
        characters: of the text, spaces included, with their positions on the page; empty if positions were not
            requested.
        words: of the text, split at spaces, likewise.
        problem: why the line could not be read; empty if it could.
        orientation: quarter turns clockwise by which its writing is turned, 0 to 3; of a vertical line, those by which
            a line from left to right would run like it.
        line_confidence: 0..1, the line finder's probability that this is a line; None if it is not known, as for lines
            of a layout file.
        cell: of the table that it is in; None outside of tables.
        vertical: how it runs if its characters stand below each other, as in Chinese; empty for other lines.
        stated_direction: base direction that its layout file states; empty if it states none.
    """

    id: str
    text: str = ""
    confidence: float = 0.0
    polygon: Points = field(default_factory=no_points, repr=False)
    baseline: Points = field(default_factory=no_points, repr=False)
    characters: tuple[Character, ...] = field(default=(), repr=False)
    words: tuple[Word, ...] = field(default=(), repr=False)
    problem: str = ""
    orientation: int = 0
    line_confidence: float | None = None
    cell: Cell | None = None
    vertical: Vertical = ""
    stated_direction: StatedDirection = ""

    @property
    def direction(self) -> str:
        """How its text runs, in the words of ALTO: ``ltr``, ``rtl``, ``ttb`` or ``btt``."""
        if self.vertical:
            return {"top-to-bottom": "ttb", "bottom-to-top": "btt"}[self.vertical]
        return find_base_direction(self.text, stated=self.stated_direction)


@dataclass(frozen=True, slots=True, eq=False)
class PredictedRegion:
    """A group of lines: a column, a paragraph, a marginal note.

    Attributes:
        id: unique on its page, an XML name.
        polygon: around all of its lines, ``(n, 2)`` px.
        lines: in reading order.
        kind: ``paragraph`` or ``marginalia`` as in PAGE, ``table``, or the region type given in a layout file.
        half: 0 for the left half of a double page, 1 for the right one; None on a single page.
    """

    id: str
    polygon: Points = field(repr=False)
    lines: tuple[PredictedLine, ...]
    kind: str = "paragraph"
    half: int | None = None

    @property
    def orientation(self) -> int:
        """Quarter turns clockwise by which the writing of its lines is turned."""
        return self.lines[0].orientation if self.lines else 0

    @property
    def vertical(self) -> Vertical:
        """How its lines run, if their characters stand below each other; empty for other lines."""
        return self.lines[0].vertical if self.lines else ""

    @property
    def rotation(self) -> int:
        """Quarter turns clockwise by which its characters are turned, which stand upright in vertical lines."""
        return (self.orientation - TURNS_OF_VERTICAL.get(self.vertical, 0)) % 4


@dataclass(frozen=True, slots=True, eq=False)
class PredictedPage:
    """A recognized page.

    Attributes:
        image_name: file name of its image or document, without folders.
        width_px: of the image.
        height_px: of the image.
        regions: in reading order; empty if no handwriting was found.
        number: of the page in a document of several pages, from 1; None for an image that is one page.
        model: the user's name of the recognizer.
        notes: sentences about the page for the user, such as that it lies upside down.
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8, its image; None if it was not kept.
        is_recognized: False for a layout alone: its lines were found, but not recognized.
        language: ISO 639-1 code of its language; empty if it is not known.
    """

    image_name: str
    width_px: int
    height_px: int
    regions: tuple[PredictedRegion, ...]
    number: int | None = None
    model: str = ""
    notes: tuple[str, ...] = ()
    pixels: NDArray[np.uint8] | None = field(default=None, repr=False)
    is_recognized: bool = True
    language: str = ""

    @property
    def lines(self) -> tuple[PredictedLine, ...]:
        """All lines in reading order."""
        return tuple(line for region in self.regions for line in region.lines)

    @property
    def text(self) -> str:
        """The text in reading order: one row per line, an empty row between regions."""
        return "\n\n".join("\n".join(line.text for line in region.lines) for region in self.regions)

    def _repr_html_(self) -> str:
        picture = None if self.pixels is None else np.asarray(draw_overlay(self, width_px=NOTEBOOK_PX))
        title = f"{len(self.lines)} lines in {len(self.regions)} regions"
        return render_page(title, self.notes, self.text, picture)


def draw_overlay(page: PredictedPage, *, width_px: int = _WIDTH_PX, texts: bool = True) -> Image.Image:
    """Draw regions (green, numbered in reading order), lines (blue), baselines (red) and words (orange) on a page.

    Args:
        page: must have its pixels.
        width_px: of the page in the picture.
        texts: write the predicted texts beside the page, at the height of their lines.
    """
    assert page.pixels is not None
    scale = min(width_px / page.width_px, _MAX_ASPECT_RATIO * width_px / page.height_px)
    size = max(1, round(page.width_px * scale)), max(1, round(page.height_px * scale))
    resized = cv2.resize(page.pixels, size, interpolation=cv2.INTER_AREA)
    canvas = np.array(cv2.cvtColor(resized, cv2.COLOR_GRAY2RGB) if resized.ndim == 2 else resized, np.uint8)
    for line in page.lines:
        for word in line.words:
            _draw_points(canvas, np.array(word.outline), scale, True, _WORD_COLOR)
        _draw_points(canvas, line.polygon, scale, True, _POLYGON_COLOR)
        _draw_points(canvas, line.baseline, scale, False, _BASELINE_COLOR)
    for region in page.regions:
        _draw_points(canvas, region.polygon, scale, True, _REGION_COLOR, 2)
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    font = load_font(max(14, width_px // 50))
    for number, region in enumerate(page.regions, 1):
        x, y = (region.polygon.min(0) * scale).clip(0, size).tolist() if len(region.polygon) else (0.0, 0.0)
        draw.text((max(0, x - 6), max(0, y - 2)), str(number), _REGION_COLOR, font, anchor="ra" if x > 30 else "la")
    return _add_texts(picture, page, scale) if texts and page.lines else picture


def _draw_points(
    canvas: NDArray[np.uint8],
    points: NDArray[np.floating],
    scale: float,
    closed: bool,
    color: tuple[int, int, int],
    thickness: int = 1,
) -> None:
    if len(points):
        limits = (canvas.shape[1], canvas.shape[0])  # a damaged layout may place a line anywhere
        points = np.clip(points * scale, np.negative(limits), np.multiply(limits, 2))
        cv2.polylines(canvas, [np.round(points).astype(np.int32)], closed, color, thickness, cv2.LINE_AA)


def _add_texts(picture: Image.Image, page: PredictedPage, scale: float) -> Image.Image:
    """Write the texts to the right of the page, each at the height of its line or below the previous text."""
    size = max(11, picture.width // 64)
    font = load_font(size)
    texts = [(line.text or (f"({line.problem})" if line.problem else ""))[:_MAX_TEXT_LENGTH] for line in page.lines]
    width = max(int(font.getlength(text)) for text in texts) + 3 * size
    heights: list[float] = []
    for line in page.lines:
        points = line.baseline if len(line.baseline) else line.polygon
        y = float(points[:, 1].mean()) * scale - size if len(points) else 0.0
        y = min(max(y, 0.0), float(picture.height))
        # The lines of the next column start at the top again, so their texts go below those of the previous column.
        heights.append(max(y, heights[-1] + 1.3 * size) if heights else y)
    sheet = Image.new("RGB", (picture.width + width, max(picture.height, int(heights[-1] + 2 * size))), "white")
    sheet.paste(picture, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for line, text, y in zip(page.lines, texts, heights, strict=True):
        confidence = float(np.mean([c.confidence for c in line.characters])) if line.characters else line.confidence
        draw.text((picture.width + size, y), text, blend_confidence(confidence, _TEXT_COLOR, _DOUBTFUL_COLOR), font)
    sheet.thumbnail((_MAX_SHEET_PX, _MAX_SHEET_PX))
    return sheet
