"""Text, font and style -> the image of a handwritten line, and where each character stands in it."""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.sources.capitals import draw_capitals
from htr_lightning.data.sources.fonts import Face, coverage, glyph_image, open_face
from htr_lightning.data.sources.paper import apply_ink, draw_paper, smooth_noise

# Glyphs are drawn at twice the final size: halving with linear interpolation averages 2 x 2 pixels exactly.
_SUPERSAMPLING = 2
_TALL = "ÉÂlfgjpqy"  # from the highest accent to the lowest loop of a usual line
_SIZE_STEP = 0.03
_AROUND = 3  # canvas px kept free around the ink, so that no stroke is cut even without a margin
_BORDER = 8  # canvas px around the glyphs, room for thicker strokes


@dataclass(frozen=True, slots=True)
class Style:
    """How strongly lines differ; each line draws its own values. All zero: black print on white paper.

    Attributes:
        height_px: height of the image.
        slant_degrees: largest slant to either side, on top of the font's own.
        letter_spacing: standard deviation of the extra space between letters, in em.
        word_spacing: standard deviation of the width of a space, as a share of the font's.
        baseline_wander: standard deviation of a word's height over the baseline, in em.
        distortion: how far strokes are bent from the font's outlines, in em.
        ink_width_px: largest thickening of a stroke.
        ink_lightness: how much lighter than black ink may be, 0..1.
        paper_texture: strength of gradient, stains and grain of the paper; 1 is a scanned old letter.
        ruling: share of the lines on ruled or squared paper, 0..1.
        margin_px: largest empty border on any side.
        block_capitals: share of the lines whose small letters have the form of capitals, 0..1.
        stray_capitals: share of the other lines where some of the small letters have it, 0..1.
    """

    height_px: int = 64
    slant_degrees: float = 0.0
    letter_spacing: float = 0.0
    word_spacing: float = 0.0
    baseline_wander: float = 0.0
    distortion: float = 0.0
    ink_width_px: float = 0.0
    ink_lightness: float = 0.0
    paper_texture: float = 0.0
    ruling: float = 0.0
    margin_px: int = 0
    block_capitals: float = 0.0
    stray_capitals: float = 0.0


@dataclass(frozen=True)
class Rendered:
    """A rendered line.

    Attributes:
        image: ``(H, W)`` gray ``uint8``, dark ink on light paper.
        boxes: ``(L, 2)`` ``float32``, for each character of the text where it starts and ends, in px from the
            left edge of the image. Boxes of neighbors may overlap; a space has the room that the pen left.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Glyph:
    mask: NDArray[np.uint8]
    left: int
    top: int
    outline: NDArray[np.float32]  # (P, 2) points round the ink, from the pen; for a space, its two ends


@dataclass(frozen=True, slots=True)
class _Layout:
    """Glyphs set on a canvas at raster size."""

    canvas: NDArray[np.uint8]
    origin: tuple[int, int]  # where the pen started: x, y in canvas px
    outlines: NDArray[np.float32]  # (P, 2) points of all characters, one after the other, from the origin
    starts: NDArray[np.intp]  # (L,) where each character's points begin
    size_px: int  # per em


def render_line(text: str, face: Face, style: Style, generator: np.random.Generator) -> Rendered:
    """Write a line.

    Args:
        text: one character or more, each of which the face has (see `fonts.coverage`).
        face: the font.
        style: how strongly the line may differ from print.
        generator: decides everything else; the same state gives the same pixels.

    Raises:
        DataError: the font file cannot be opened.
    """
    layout = _lay_out(text, face, style, generator)
    growth = generator.uniform(0, style.ink_width_px) * _SUPERSAMPLING
    layout = replace(layout, canvas=_thicken(layout.canvas, growth))
    ink, boxes, baseline_px = _project(layout, growth, style, generator)
    paper = draw_paper((style.height_px, ink.shape[1]), baseline_px, style.paper_texture, style.ruling, generator)
    return Rendered(apply_ink(paper, ink, style.ink_lightness, style.paper_texture, generator), boxes)


def _lay_out(text: str, face: Face, style: Style, generator: np.random.Generator) -> _Layout:
    size = _raster_size(face, style.height_px)
    spacing = size * float(np.clip(generator.normal(0, style.letter_spacing), -0.04, 0.12))
    space = float(np.clip(generator.normal(1, style.word_spacing), 0.7, 2.2))
    num_words = text.count(" ") + 1
    heights = size * style.baseline_wander * generator.standard_normal(num_words)
    # A hand that wanders also varies in size.
    growths = np.clip(generator.normal(0, style.baseline_wander, num_words), -0.2, 0.2)
    capitals = draw_capitals(style.block_capitals, style.stray_capitals, generator)
    glyphs: list[tuple[_Glyph, int, int]] = []
    pen, word = 0.0, 0
    for i, char in enumerate(text):
        # Few sizes, so that glyphs come from the cache.
        word_size = round(size * (1 + _SIZE_STEP * round(growths[word] / _SIZE_STEP)))
        following, letter_size = text[i + 1 : i + 2], word_size
        if capitals is not None:
            following = following and (capitals.form(following, face) or following)
            if capital := capitals.form(char, face):
                char, letter_size = capital, round(capitals.height * word_size)
        glyphs.append((_glyph(face, letter_size, char), round(pen), round(heights[word])))
        advance = _advance(face, letter_size, char, following)
        if char == " ":
            word += 1
            # Some fonts join words by swashes into a narrow space, where no reader would see one.
            advance = max(advance * space, 0.65 * _advance(face, word_size, "n", ""))
        pen += max(advance + spacing, 1.0)
    return _compose(glyphs, size)


def _compose(glyphs: list[tuple[_Glyph, int, int]], size_px: int) -> _Layout:
    """Set glyphs, each with its x and y from the origin, on one canvas."""
    x0 = min(x + g.left for g, x, _ in glyphs) - _BORDER
    y0 = min(y + g.top for g, _, y in glyphs) - _BORDER
    x1 = max(x + g.left + g.mask.shape[1] for g, x, _ in glyphs) + _BORDER
    y1 = max(y + g.top + g.mask.shape[0] for g, _, y in glyphs) + _BORDER
    canvas = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for glyph, x, y in glyphs:
        height, width = glyph.mask.shape
        top, left = y + glyph.top - y0, x + glyph.left - x0
        place = canvas[top : top + height, left : left + width]
        np.maximum(place, glyph.mask, out=place)
    counts = [len(g.outline) for g, _, _ in glyphs]
    pens = np.repeat(np.array([(x, y) for _, x, y in glyphs], np.float32), counts, axis=0)
    outlines = np.concatenate([g.outline for g, _, _ in glyphs]) + pens
    return _Layout(canvas, (-x0, -y0), outlines, np.cumsum([0, *counts[:-1]]), size_px)


@lru_cache(maxsize=1024)
def _raster_size(face: Face, height_px: int) -> int:
    """Size in px per em at which a usual line fills the supersampled height."""
    font = open_face(face, 100)
    if coverage(face.path, frozenset(_TALL)) == frozenset(_TALL):
        _, top, _, bottom = font.getbbox(_TALL, anchor="ls")
        extent = bottom - top
    else:  # a font without Latin letters: what its maker says
        extent = sum(font.getmetrics())
    return max(4, round(100 * _SUPERSAMPLING * height_px / max(extent, 20)))


@lru_cache(maxsize=16384)
def _glyph(face: Face, size_px: int, char: str) -> _Glyph:
    font = open_face(face, size_px)
    image, left, top = glyph_image(font, char)
    mask = np.asarray(image, np.uint8)
    points = cv2.findNonZero(mask)
    if points is None:
        ends = np.array([[0, 0], [font.getlength(char), 0]], np.float32)
        return _Glyph(mask, left, top, ends)
    # The hull alone would do for straight transforms; a stem that is bent leaves it between its ends.
    hull = cv2.convexHull(points)[:, 0]
    rows = [np.flatnonzero(mask[y]) for y in range(0, len(mask), 4)]
    sides = [(x[end], 4 * i) for i, x in enumerate(rows) if len(x) for end in (0, -1)]
    middles = np.array([*hull, *sides], np.float32) + np.array([left + 0.5, top + 0.5], np.float32)
    half = np.array([[0.5, 0.0]], np.float32)
    return _Glyph(mask, left, top, np.concatenate([middles - half, middles + half]))


@lru_cache(maxsize=65536)
def _advance(face: Face, size_px: int, char: str, following: str) -> float:
    """How far the pen moves on from a character, kerning included."""
    font = open_face(face, size_px)
    if not following:
        return font.getlength(char)
    return font.getlength(char + following) - font.getlength(following)


def _thicken(canvas: NDArray[np.uint8], growth: float) -> NDArray[np.uint8]:
    """Make strokes wider by a number of canvas px, fractions included."""
    whole = int(growth)
    if whole:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (whole + 1, whole + 1))
        canvas = np.asarray(cv2.dilate(canvas, kernel), np.uint8)
    wider = cv2.dilate(canvas, np.ones((2, 2), np.uint8))
    return np.asarray(cv2.addWeighted(canvas, 1 - (growth - whole), wider, growth - whole, 0), np.uint8)


def _project(
    layout: _Layout, growth: float, style: Style, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Slant, bend and scale the canvas into the image in one resampling.

    Returns:
        Ink ``(H, W)`` in 0..1, boxes ``(L, 2)`` in px, and the y of the baseline in px at the left edge.
    """
    shape = _draw_shape(style, generator)
    points = layout.outlines @ shape.T
    bent = style.distortion * layout.size_px
    pad = 0.5 * np.ceil(growth) + bent + _AROUND
    low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
    # A line without ascenders and descenders must not be blown up to the full height.
    spare = max(0.0, 0.75 * _SUPERSAMPLING * style.height_px - (high[1] - low[1]))
    left, right, top, bottom = np.minimum(generator.uniform(0, 1, 4) * style.margin_px, 0.2 * style.height_px)
    scale = (style.height_px - top - bottom) / (high[1] - low[1] + spare)
    forward = scale * shape
    shift = np.array([left - scale * low[0], top - scale * (low[1] - generator.uniform(0.3, 0.7) * spare)])
    size = (style.height_px, max(1, int(np.ceil(scale * (high[0] - low[0]) + left + right))))
    bend = _bend(size, bent, generator)
    ink = _resample(layout, np.linalg.inv(forward), shift, size, bend)
    x = _carry(layout.outlines, forward, shift, bend)
    # A stroke's edge lies up to a canvas px outside its outline, or more when it was thickened.
    reach = (0.5 * np.ceil(growth) + 1) * float(np.abs(forward[0]).sum())
    starts, ends = (
        np.minimum.reduceat(x, layout.starts) - reach,
        np.maximum.reduceat(x, layout.starts) + reach,
    )
    boxes = np.clip(np.stack([starts, ends], axis=1), 0, size[1]).astype(np.float32)
    return ink, boxes, float(shift[1])


def _draw_shape(style: Style, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw the ``(2, 2)`` matrix that slants, widens and tilts; y points down."""
    slant = style.slant_degrees * float(np.clip(generator.normal(0, 0.5), -1, 1))
    width_scale = float(np.exp(np.clip(generator.normal(0, 4 * style.letter_spacing), -0.25, 0.25)))
    tilt = float(np.clip(generator.normal(0, 0.2 * style.baseline_wander), -0.01, 0.01))
    return np.array([[width_scale, -np.tan(np.radians(slant))], [tilt, 1.0]])


def _bend(size: tuple[int, int], reach: float, generator: np.random.Generator) -> NDArray[np.float32] | None:
    """Draw ``(2, H, W)`` smooth displacements of at most ``reach`` canvas px: no two letters are alike."""
    if not reach:
        return None
    cell = size[0] / 4
    return np.stack([smooth_noise(size, cell, generator) for _ in range(2)]) * np.float32(0.5 * reach)


def _resample(
    layout: _Layout,
    inverse: NDArray[np.float64],
    shift: NDArray[np.float64],
    size: tuple[int, int],
    bend: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Look up the canvas at each pixel of the image; 0..1."""
    height, width = size
    x = np.arange(width) + 0.5 - shift[0]
    y = (np.arange(height) + 0.5 - shift[1])[:, None]
    # OpenCV counts from the middle of the first pixel, this module from its corner.
    map_x = (inverse[0, 0] * x + inverse[0, 1] * y + (layout.origin[0] - 0.5)).astype(np.float32)
    map_y = (inverse[1, 0] * x + inverse[1, 1] * y + (layout.origin[1] - 0.5)).astype(np.float32)
    if bend is not None:
        map_x += bend[0]
        map_y += bend[1]
    ink = cv2.remap(layout.canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(ink, np.float32) / np.float32(255)


def _carry(
    points: NDArray[np.float32],
    forward: NDArray[np.float64],
    shift: NDArray[np.float64],
    bend: NDArray[np.float32] | None,
) -> NDArray[np.float64]:
    """Return the x in the image, in px, of points ``(P, 2)`` of the canvas."""
    straight = points @ forward.T + shift
    places = straight
    if bend is not None:
        # `_resample` reads pixel p at inverse(p) + bend(p). Solved for p by fixed-point iteration, which two
        # steps are enough for, as the bend is smooth.
        _, height, width = bend.shape
        for _ in range(2):
            column = np.clip(places[:, 0], 0, width - 1).astype(np.intp)
            row = np.clip(places[:, 1], 0, height - 1).astype(np.intp)
            places = straight - bend[:, row, column].T @ forward.T
    return np.asarray(places[:, 0], np.float64)
