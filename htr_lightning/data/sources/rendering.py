"""Renders the image of a handwritten line from text, font and style, and the extent of each character in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.sources.capitals import sample_capital_style
from htr_lightning.data.sources.fonts import Face, draw_glyph, find_supported_characters, open_face
from htr_lightning.data.sources.paper import apply_ink, draw_paper, generate_smooth_noise
from htr_lightning.data.sources.units import Unit, divide_boxes, find_units

# Glyphs are drawn at twice the final size: halving with linear interpolation averages 2 x 2 pixels exactly.
_SUPERSAMPLING = 2
_TALL = "ÉÂlfgjpqy"  # spans the full height of a usual line, from the highest accent to the lowest descender
_SIZE_STEP = 0.03
_PADDING = 3  # canvas px kept free around the ink, so that no stroke is cut off even without a margin
_BORDER = 8  # canvas px around the glyphs, for thicker strokes


@dataclass(frozen=True, slots=True)
class Style:
    """How much lines vary; the values of each line are random. With all at zero, lines are black print on white paper.

    Attributes:
        height_px: height of the image.
        slant_degrees: maximum slant to either side, in addition to the font's own.
        letter_spacing: standard deviation of the extra space between letters, in em.
        word_spacing: standard deviation of the width of a space, relative to the font's.
        baseline_wander: standard deviation of a word's height over the baseline, in em.
        distortion: maximum displacement of strokes from the font's outlines, in em.
        ink_width_px: maximum thickening of a stroke.
        ink_lightness: how much lighter than black ink may be, 0..1.
        paper_texture: strength of gradient, stains and grain of the paper; 1 looks like a scan of an old letter.
        ruling: fraction of the lines on ruled or squared paper, 0..1.
        margin_px: maximum empty border on each side.
        block_capitals: fraction of the lines in which capitals replace all small letters, 0..1.
        stray_capitals: fraction of the other lines in which capitals replace some small letters, 0..1.
    """

    # Fingerprints of synthetic lines contain the `repr` of this class: a new name would pack all of them again.

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
class RenderedLine:
    """A rendered line.

    Attributes:
        image: ``(H, W)`` gray ``uint8``, dark ink on light paper.
        boxes: ``(L, 2)`` ``float32``, start and end of each character of the text, in px from the left edge of
            the image. Boxes of neighbors may overlap; the box of a space is its advance width.
        baseline_px: y of the baseline in px at the left edge.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    baseline_px: float


@dataclass(frozen=True, slots=True)
class _Glyph:
    mask: NDArray[np.uint8]
    left: int
    top: int
    outline: NDArray[np.float32]  # (P, 2) points around the ink, relative to the pen; for a space, its two ends


@dataclass(frozen=True, slots=True)
class _Layout:
    """Glyphs drawn on a canvas at supersampled size."""

    canvas: NDArray[np.uint8]
    origin: tuple[int, int]  # start of the pen: x, y in canvas px
    outlines: NDArray[np.float32]  # (P, 2) outline points of all characters, concatenated, relative to the origin
    starts: NDArray[np.intp]  # (L,) index of each character's first point
    size_px: int  # px per em


def render_line(text: str, face: Face, style: Style, generator: np.random.Generator) -> RenderedLine:
    """Render a line.

    Args:
        text: one character or more, all supported by the face (see `fonts.find_supported_characters`).
        face: font file and weight.
        style: how much the line may differ from print.
        generator: source of randomness; the same state gives the same pixels.

    Raises:
        DataError: the font file cannot be opened.
    """
    units = find_units(text)
    layout = _lay_out(units, face, style, generator)
    growth = generator.uniform(0, style.ink_width_px) * _SUPERSAMPLING  # of strokes, in canvas px
    layout = replace(layout, canvas=_thicken(layout.canvas, growth))
    ink, boxes, baseline_px = _warp(layout, growth, style, generator)
    paper = draw_paper((style.height_px, ink.shape[1]), baseline_px, style.paper_texture, style.ruling, generator)
    ink_on_paper = apply_ink(paper, ink, style.ink_lightness, style.paper_texture, generator)
    return RenderedLine(ink_on_paper, divide_boxes(boxes, units), baseline_px)


def _lay_out(units: Sequence[Unit], face: Face, style: Style, generator: np.random.Generator) -> _Layout:
    """Set the units of a text one after the other, with random spacing, height and size of words."""
    size = _find_raster_size(face, style.height_px)
    spacing = size * float(np.clip(generator.normal(0, style.letter_spacing), -0.04, 0.12))
    space = float(np.clip(generator.normal(1, style.word_spacing), 0.7, 2.2))
    num_words = sum(unit.text == " " for unit in units) + 1
    heights = size * style.baseline_wander * generator.standard_normal(num_words)
    # A writer whose baseline wanders also varies in size.
    relative_sizes = np.clip(generator.normal(0, style.baseline_wander, num_words), -0.2, 0.2)
    capitals = sample_capital_style(style.block_capitals, style.stray_capitals, generator)
    glyphs: list[tuple[_Glyph, int, int]] = []
    pen, word = 0.0, 0
    for number, unit in enumerate(units):
        char = unit.text
        # Only a few sizes, so that most glyphs are in the cache.
        word_size = round(size * (1 + _SIZE_STEP * round(relative_sizes[word] / _SIZE_STEP)))
        following = units[number + 1].text if number + 1 < len(units) and not unit.is_shaped else ""
        letter_size = word_size
        if capitals is not None:
            following = following and (capitals.replace(following, face) or following)
            if capital := capitals.replace(char, face):
                char, letter_size = capital, round(capitals.height * word_size)
        glyphs.append((_load_glyph(face, letter_size, char, unit.is_shaped), round(pen), round(heights[word])))
        advance = _measure_advance(face, letter_size, char, following, unit.is_shaped)
        if char == " ":
            word += 1
            # The swashes of some fonts fill a narrow space, so that it could not be seen.
            advance = max(advance * space, 0.65 * _measure_advance(face, word_size, "n", ""))
        pen += max(advance + (0 if unit.is_shaped else spacing), 1.0)
    return _compose(glyphs, size)


def _compose(glyphs: list[tuple[_Glyph, int, int]], size_px: int) -> _Layout:
    """Draw glyphs, each with its x and y relative to the origin, on one canvas."""
    x0 = min(x + g.left for g, x, _ in glyphs) - _BORDER
    y0 = min(y + g.top for g, _, y in glyphs) - _BORDER
    x1 = max(x + g.left + g.mask.shape[1] for g, x, _ in glyphs) + _BORDER
    y1 = max(y + g.top + g.mask.shape[0] for g, _, y in glyphs) + _BORDER
    canvas = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for glyph, x, y in glyphs:
        height, width = glyph.mask.shape
        top, left = y + glyph.top - y0, x + glyph.left - x0
        target = canvas[top : top + height, left : left + width]
        np.maximum(target, glyph.mask, out=target)
    counts = [len(g.outline) for g, _, _ in glyphs]
    pens = np.repeat(np.array([(x, y) for _, x, y in glyphs], np.float32), counts, axis=0)
    outlines = np.concatenate([g.outline for g, _, _ in glyphs]) + pens
    return _Layout(canvas, (-x0, -y0), outlines, np.cumsum([0, *counts[:-1]]), size_px)


@lru_cache(maxsize=1024)
def _find_raster_size(face: Face, height_px: int) -> int:
    """Return the size in px per em at which a usual line fills the supersampled height."""
    font = open_face(face, 100)
    if find_supported_characters(face.path, frozenset(_TALL)) == frozenset(_TALL):
        _, top, _, bottom = font.getbbox(_TALL, anchor="ls")
        extent = bottom - top
    else:  # a font without Latin letters: rely on its metadata
        extent = sum(font.getmetrics())
    return max(4, round(100 * _SUPERSAMPLING * height_px / max(extent, 20)))


@lru_cache(maxsize=16384)
def _load_glyph(face: Face, size_px: int, char: str, shapes: bool = False) -> _Glyph:
    font = open_face(face, size_px, shapes=shapes)
    image, left, top = draw_glyph(font, char)
    mask = np.asarray(image, np.uint8)
    points = cv2.findNonZero(mask)
    if points is None:
        ends = np.array([[0, 0], [font.getlength(char), 0]], np.float32)
        return _Glyph(mask, left, top, ends)
    # For affine transforms the hull would be enough; a stem that is bent leaves the hull between its ends.
    hull = cv2.convexHull(points)[:, 0]
    rows = [np.flatnonzero(mask[y]) for y in range(0, len(mask), 4)]
    sides = [(x[end], 4 * i) for i, x in enumerate(rows) if len(x) for end in (0, -1)]
    centers = np.array([*hull, *sides], np.float32) + np.array([left + 0.5, top + 0.5], np.float32)
    half = np.array([[0.5, 0.0]], np.float32)
    return _Glyph(mask, left, top, np.concatenate([centers - half, centers + half]))


@lru_cache(maxsize=65536)
def _measure_advance(face: Face, size_px: int, char: str, following: str, shapes: bool = False) -> float:
    """Return the advance width of a character, or of a word of joining letters, in px, kerning included."""
    font = open_face(face, size_px, shapes=shapes)
    if not following:
        return font.getlength(char)
    return font.getlength(char + following) - font.getlength(following)


def _thicken(canvas: NDArray[np.uint8], growth: float) -> NDArray[np.uint8]:
    """Make strokes wider by ``growth`` canvas px, which may be fractional."""
    whole = int(growth)
    if whole:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (whole + 1, whole + 1))
        canvas = np.asarray(cv2.dilate(canvas, kernel), np.uint8)
    wider = cv2.dilate(canvas, np.ones((2, 2), np.uint8))
    return np.asarray(cv2.addWeighted(canvas, 1 - (growth - whole), wider, growth - whole, 0), np.uint8)


def _warp(
    layout: _Layout, growth: float, style: Style, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Slant, distort and scale the canvas into the image in one resampling.

    Returns:
        Ink ``(H, W)`` in 0..1, boxes ``(L, 2)`` in px, and the y of the baseline in px at the left edge.
    """
    shape = _sample_shape(style, generator)
    points = layout.outlines @ shape.T
    distortion = style.distortion * layout.size_px
    pad = 0.5 * np.ceil(growth) + distortion + _PADDING
    low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
    # A line without ascenders and descenders must not be enlarged to the full height.
    spare = max(0.0, 0.75 * _SUPERSAMPLING * style.height_px - (high[1] - low[1]))
    left, right, top, bottom = np.minimum(generator.uniform(0, 1, 4) * style.margin_px, 0.2 * style.height_px)
    scale = (style.height_px - top - bottom) / (high[1] - low[1] + spare)
    forward = scale * shape
    shift = np.array([left - scale * low[0], top - scale * (low[1] - generator.uniform(0.3, 0.7) * spare)])
    size = (style.height_px, max(1, int(np.ceil(scale * (high[0] - low[0]) + left + right))))
    displacements = _sample_displacements(size, distortion, generator)
    ink = _resample(layout, np.linalg.inv(forward), shift, size, displacements)
    x = _project_x(layout.outlines, forward, shift, displacements)
    # The edge of a stroke lies up to a canvas px outside its outline, or more when it was thickened.
    reach = (0.5 * np.ceil(growth) + 1) * float(np.abs(forward[0]).sum())
    starts, ends = (
        np.minimum.reduceat(x, layout.starts) - reach,
        np.maximum.reduceat(x, layout.starts) + reach,
    )
    boxes = np.clip(np.stack([starts, ends], axis=1), 0, size[1]).astype(np.float32)
    return ink, boxes, float(shift[1])


def _sample_shape(style: Style, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return a random ``(2, 2)`` matrix that slants, widens and tilts; y points down."""
    slant = style.slant_degrees * float(np.clip(generator.normal(0, 0.5), -1, 1))
    width_scale = float(np.exp(np.clip(generator.normal(0, 4 * style.letter_spacing), -0.25, 0.25)))
    tilt = float(np.clip(generator.normal(0, 0.2 * style.baseline_wander), -0.01, 0.01))
    return np.array([[width_scale, -np.tan(np.radians(slant))], [tilt, 1.0]])


def _sample_displacements(
    size: tuple[int, int], max_px: float, generator: np.random.Generator
) -> NDArray[np.float32] | None:
    """Return random smooth displacements ``(2, H, W)`` of at most ``max_px`` canvas px, so that letters vary."""
    if not max_px:
        return None
    cell = size[0] / 4
    return np.stack([generate_smooth_noise(size, cell, generator) for _ in range(2)]) * np.float32(0.5 * max_px)


def _resample(
    layout: _Layout,
    inverse: NDArray[np.float64],
    shift: NDArray[np.float64],
    size: tuple[int, int],
    displacements: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Sample the canvas at each pixel of the image: ink ``(H, W)``, 0..1."""
    height, width = size
    x = np.arange(width) + 0.5 - shift[0]
    y = (np.arange(height) + 0.5 - shift[1])[:, None]
    # OpenCV measures from the center of the first pixel, this module from its corner.
    map_x = (inverse[0, 0] * x + inverse[0, 1] * y + (layout.origin[0] - 0.5)).astype(np.float32)
    map_y = (inverse[1, 0] * x + inverse[1, 1] * y + (layout.origin[1] - 0.5)).astype(np.float32)
    if displacements is not None:
        map_x += displacements[0]
        map_y += displacements[1]
    ink = cv2.remap(layout.canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(ink, np.float32) / np.float32(255)


def _project_x(
    points: NDArray[np.float32],
    forward: NDArray[np.float64],
    shift: NDArray[np.float64],
    displacements: NDArray[np.float32] | None,
) -> NDArray[np.float64]:
    """Return the x in the image, in px, of canvas points ``(P, 2)``."""
    undistorted = points @ forward.T + shift
    projected = undistorted
    if displacements is not None:
        # `_resample` reads pixel p at inverse(p) + displacement(p). Solve for p by fixed-point iteration; two steps
        # are enough because the displacements are smooth.
        _, height, width = displacements.shape
        for _ in range(2):
            column = np.clip(projected[:, 0], 0, width - 1).astype(np.intp)
            row = np.clip(projected[:, 1], 0, height - 1).astype(np.intp)
            projected = undistorted - displacements[:, row, column].T @ forward.T
    return np.asarray(projected[:, 0], np.float64)
