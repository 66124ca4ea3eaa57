"""What was found and read on a page, whatever it is written as afterwards."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from htr_lightning.decode.positions import Character, Word
from htr_lightning.image.straighten import Points, no_points
from htr_lightning.report.notebook import NOTEBOOK_PX, render_page
from htr_lightning.report.panel import load_font

_WIDTH_PX = 1400
_MOST_HIGH = 6  # times as high as wide; higher pages are drawn smaller
_OUTLINE, _BASELINE, _WORD, _PLACE = (30, 110, 220), (220, 50, 40), (240, 150, 0), (0, 120, 60)
_TEXT, _PAPER = (20, 20, 20), 255


@dataclass(frozen=True, slots=True, eq=False)
class PredictedLine:
    """A line of a page, and what was read in it.

    Attributes:
        id: unique on its page, an XML name.
        text: empty where nothing could be read.
        confidence: 0..1, the recognizer's probability of the whole text.
        polygon: its outline, ``(n, 2)`` px of the page's image.
        baseline: ``(n, 2)`` px, from its beginning to its end.
        characters: those of the text with their places on the page, spaces included; in the order of the text. Empty
            where places were not asked for.
        words: see ``characters``: what stands between spaces.
        problem: why the line could not be read; empty where it could.
    """

    id: str
    text: str = ""
    confidence: float = 0.0
    polygon: Points = field(default_factory=no_points, repr=False)
    baseline: Points = field(default_factory=no_points, repr=False)
    characters: tuple[Character, ...] = field(default=(), repr=False)
    words: tuple[Word, ...] = field(default=(), repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PredictedRegion:
    """Lines that belong together: a column, a paragraph, a note in the margin.

    Attributes:
        id: unique on its page, an XML name.
        polygon: around all of its lines, ``(n, 2)`` px.
        lines: in reading order.
        kind: ``paragraph`` or ``marginalia``, as PAGE calls them; or what a layout file called the region.
    """

    id: str
    polygon: Points = field(repr=False)
    lines: tuple[PredictedLine, ...]
    kind: str = "paragraph"


@dataclass(frozen=True, slots=True, eq=False)
class PredictedPage:
    """A page that was read.

    Attributes:
        image_name: of its image or document, without folders.
        width_px: of the image.
        height_px: of the image.
        regions: in reading order; none where no writing was found.
        number: of the page in a document of several, from 1; None for an image that is one page.
        model: what read it, as the user named it.
        notes: what the user should know of the page, one sentence each (such as that it lies upside down).
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8, its image; None where it is not kept.
    """

    image_name: str
    width_px: int
    height_px: int
    regions: tuple[PredictedRegion, ...]
    number: int | None = None
    model: str = ""
    notes: tuple[str, ...] = ()
    pixels: NDArray[np.uint8] | None = field(default=None, repr=False)

    @property
    def lines(self) -> tuple[PredictedLine, ...]:
        """All lines in reading order."""
        return tuple(line for region in self.regions for line in region.lines)

    @property
    def text(self) -> str:
        """The text in reading order: a row for each line, an empty row between regions."""
        return "\n\n".join("\n".join(line.text for line in region.lines) for region in self.regions)

    def _repr_html_(self) -> str:
        picture = None if self.pixels is None else np.asarray(draw_overlay(self, width_px=NOTEBOOK_PX))
        title = f"{len(self.lines)} lines in {len(self.regions)} regions"
        return render_page(title, self.notes, self.text, picture)


def draw_overlay(page: PredictedPage, *, width_px: int = _WIDTH_PX, texts: bool = True) -> Image.Image:
    """Draw regions (green, numbered in reading order), outlines (blue), baselines (red) and words (orange).

    Args:
        page: with its pixels.
        width_px: of the page in the picture.
        texts: write what was read beside the page, at the height of each line.
    """
    assert page.pixels is not None
    scale = min(width_px / page.width_px, _MOST_HIGH * width_px / page.height_px)
    size = max(1, round(page.width_px * scale)), max(1, round(page.height_px * scale))
    drawn = cv2.resize(page.pixels, size, interpolation=cv2.INTER_AREA)
    colored = cv2.cvtColor(drawn, cv2.COLOR_GRAY2RGB) if drawn.ndim == 2 else drawn
    sheet = np.array(colored, np.uint8)
    for line in page.lines:
        for word in line.words:
            _draw(sheet, np.array(word.outline), scale, True, _WORD)
        _draw(sheet, line.polygon, scale, True, _OUTLINE)
        _draw(sheet, line.baseline, scale, False, _BASELINE)
    for region in page.regions:
        _draw(sheet, region.polygon, scale, True, _PLACE, 2)
    picture = Image.fromarray(sheet)
    write = ImageDraw.Draw(picture)
    font = load_font(max(14, width_px // 50))
    for number, region in enumerate(page.regions, 1):
        x, y = (region.polygon.min(0) * scale).tolist()
        write.text((max(0, x - 6), max(0, y - 2)), str(number), _PLACE, font, anchor="ra" if x > 30 else "la")
    return _with_texts(picture, page, scale) if texts and page.lines else picture


def _draw(
    sheet: NDArray[np.uint8],
    points: NDArray[np.floating],
    scale: float,
    closed: bool,
    color: tuple[int, int, int],
    thick: int = 1,
) -> None:
    if len(points):
        cv2.polylines(sheet, [np.round(points * scale).astype(np.int32)], closed, color, thick, cv2.LINE_AA)


def _with_texts(picture: Image.Image, page: PredictedPage, scale: float) -> Image.Image:
    """Write the texts beside the page, each where its line is, or below the one before."""
    size = max(11, picture.width // 64)
    font = load_font(size)
    width = max(int(font.getlength(line.text or line.problem)) for line in page.lines) + 3 * size
    heights: list[float] = []
    for line in page.lines:
        points = line.baseline if len(line.baseline) else line.polygon
        y = float(points[:, 1].mean()) * scale - size if len(points) else 0.0
        # In another column, texts begin at the top again, so they go below what is written already.
        heights.append(max(y, heights[-1] + 1.3 * size) if heights else y)
    both = Image.new("RGB", (picture.width + width, max(picture.height, int(heights[-1] + 2 * size))), "white")
    both.paste(picture, (0, 0))
    draw = ImageDraw.Draw(both)
    for line, y in zip(page.lines, heights, strict=True):
        sure = float(np.mean([c.confidence for c in line.characters])) if line.characters else line.confidence
        color = tuple(round(sure * ink + (1 - sure) * wrong) for ink, wrong in zip(_TEXT, _BASELINE, strict=True))
        draw.text((picture.width + size, y), line.text or f"({line.problem})" * bool(line.problem), color, font)
    return both
