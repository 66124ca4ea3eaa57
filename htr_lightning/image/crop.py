"""Lines cut from a page: along their outline, straightened along their baseline, the paper's color around them."""

import functools
import hashlib
from dataclasses import dataclass, field

import cv2
import numpy as np

from htr_lightning.image.files import MAX_PIXELS, DataError, ImageFile, read_page_image
from htr_lightning.image.straighten import (
    Curve,
    Pixels,
    PointMap,
    Points,
    curve_along,
    is_level,
    no_points,
    normals_of,
    resampled,
    rightwards,
    to_page_coordinates,
    unroll,
    within,
)

VERSION = 2  # raise it when the same line comes out with other pixels
MAX_PADDING_PX = 200
_SAME_SHAPE = 0.02  # how far the proportions of a page and of its image may differ


@dataclass(frozen=True, slots=True, eq=False)
class PageCrop:
    """A line that is part of a page.

    Attributes:
        page: image of the whole page.
        polygon: outline, at least three points; without one, a band around the baseline.
        baseline: from the beginning of the line to its end; without one, nothing is straightened. One that runs to
            the left is turned round, since nobody writes upside down on purpose.
        page_size: width and height that the points refer to; None for the pixels of the image.
        padding_px: image pixels added around the outline.
        mask: paint what is outside the outline in the paper's color.
        band_px: height of the band around a baseline without outline, in the unit of the points.
        line: id, for messages.
    """

    page: ImageFile
    polygon: Points
    baseline: Points = field(default_factory=no_points)
    page_size: tuple[float, float] | None = None
    padding_px: float = 0
    mask: bool = True
    band_px: float = 0
    line: str = ""

    @property
    def fingerprint(self) -> str:
        """Of the page's image and of everything that says what to cut."""
        how = (VERSION, self.page_size, self.padding_px, self.mask, self.band_px)
        shape = hashlib.blake2b(repr(how).encode(), digest_size=12)
        shape.update(self.polygon.tobytes() + b"|" + self.baseline.tobytes())
        return f"{self.page.fingerprint}:{shape.hexdigest()}"

    def read(self, max_pixels: int = MAX_PIXELS) -> Pixels:
        """Cut the line out.

        Returns:
            ``(H, W)`` or ``(H, W, 3)``, in the resolution of the page's image.

        Raises:
            DataError: the page cannot be read, is not the picture that the points belong to, or they lie outside it.
        """
        page = _page(self.page, self.page.fingerprint, max_pixels, self.page_size)
        if isinstance(page, DataError):
            raise DataError(str(page))
        try:
            return crop_layout_line(
                page,
                self.polygon,
                self.baseline,
                self.page_size,
                band_px=self.band_px,
                padding_px=self.padding_px,
                mask=self.mask,
            )[0]
        except DataError as error:
            raise DataError(f"{self.page.path}: line {self.line}: {error}") from None


def check_padding(padding_px: float) -> None:
    """Check what a configuration says of the padding.

    Raises:
        DataError: it is negative or absurd.
    """
    if not 0 <= padding_px <= MAX_PADDING_PX:
        raise DataError(f"dataset.padding_px: {padding_px} is not between 0 and {MAX_PADDING_PX}")


def crop_layout_line(
    page: Pixels,
    polygon: Points,
    baseline: Points,
    page_size: tuple[float, float] | None,
    *,
    band_px: float,
    padding_px: float = 0,
    mask: bool = True,
) -> tuple[Pixels, PointMap]:
    """Cut a line out as a layout says; see `PageCrop` for the arguments and `crop_line` for what comes back.

    Raises:
        DataError: half a sentence on what is wrong with the line.
    """
    scale = compute_layout_scale(page.shape, page_size)
    outline: Curve = polygon * scale
    line = _unique(baseline * scale)
    if len(outline) < 3 and len(line) < 2:
        raise DataError("it has neither an outline nor a baseline; draw one")
    if len(outline) < 3:
        line = within(line, np.zeros(2), np.array(page.shape[1::-1]), "the page")
        outline = _band(line, band_px * float(scale[1]))
    return crop_line(page, outline, line, padding_px=padding_px, mask=mask)


def cut(page: Pixels, polygon: Curve, baseline: Curve, *, padding_px: float = 0, mask: bool = True) -> Pixels:
    """Cut a line out of a page.

    Args:
        page: ``(H, W)`` or ``(H, W, 3)``.
        polygon: ``(n, 2)``, at least three points, in pixels; what lies beyond the page is cut off.
        baseline: ``(n, 2)`` in pixels; with two points or more, the line is straightened along it.
        padding_px: pixels added around the outline.
        mask: paint what is outside the outline in the paper's color, the median of what is inside.

    Returns:
        The line, upright, ``uint8``: a copy.

    Raises:
        DataError: less than half of the outline's box lies on the page, or the outline has no area.
    """
    return crop_line(page, polygon, baseline, padding_px=padding_px, mask=mask)[0]


def crop_line(
    page: Pixels, polygon: Curve, baseline: Curve, *, padding_px: float = 0, mask: bool = True
) -> tuple[Pixels, PointMap]:
    """Cut a line out of a page as `cut` does, and return also what takes points ``(..., 2)`` of it to the page's."""
    left, top, width, height = _box_on_page(polygon, page, padding_px)
    part = page[top : top + height, left : left + width]
    origin = np.array([left, top], np.float64)
    inside = rasterize_polygon(polygon - origin, (height, width), padding_px)
    paper = _paper(part, inside) if mask else None
    unrolled: tuple[Curve, float] | None = None
    if len(baseline) > 1:
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        reach = (high - low).max() if (high - low).min() < 1 else (high - low).min()
        baseline = within(rightwards(baseline), low - reach, high + reach, "its outline")
        outline = cv2.approxPolyDP(polygon.astype(np.float32)[:, None], 0.5, True)[:, 0]
        curve, above, below = curve_along(baseline - origin, outline - origin, padding_px)
        if not is_level(curve):
            part, inside = unroll(part, inside, curve, above, below)
            unrolled = curve, float(np.ceil(above))
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        raise DataError("its outline is thinner than 2 pixels; draw it again")
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    line = part[window].copy()
    if paper is not None:
        line[inside[window] == 0] = paper
    corner = np.array([columns[0], rows[0]], np.float64)
    return line, functools.partial(to_page_coordinates, corner=corner, origin=origin, unrolled=unrolled)


@functools.lru_cache(maxsize=1)
def _page(image: ImageFile, fingerprint: str, max_pixels: int, size: tuple[float, float] | None) -> Pixels | DataError:
    """Decode a page once for all of its lines, which come one after the other; also when it cannot be."""
    try:
        page = read_page_image(image.path, size, max_pixels=max_pixels)
    except DataError as error:
        return error
    page.setflags(write=False)
    return page


def compute_layout_scale(shape: tuple[int, ...], size: tuple[float, float] | None) -> Curve:
    """Return the pixels per unit of a layout's points, across and down.

    Args:
        shape: of the image.
        size: width and height of the page in the layout; None where points are in px.

    Raises:
        DataError: the image is of another shape.
    """
    height, width = shape[:2]
    if size is None:
        return np.ones(2)
    scale = np.array([width / size[0], height / size[1]])
    if abs(scale[0] / scale[1] - 1) > _SAME_SHAPE:
        raise DataError(
            f"the layout is of a page of {size[0]:g} x {size[1]:g}, but the image has {width} x {height} px, which is "
            "another shape; is it the image of another page, or turned?"
        )
    return scale


def _unique(points: Curve) -> Curve:
    """Drop points that repeat the one before."""
    return points[np.r_[True, np.any(np.diff(points, axis=0) != 0, axis=1)]] if len(points) else points


def _box_on_page(polygon: Curve, page: Pixels, padding_px: float) -> tuple[int, int, int, int]:
    """Return left, top, width and height in pixels of the part of the page that holds the outline."""
    height, width = page.shape[:2]
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    on_page = np.minimum(high, (width, height)) - np.maximum(low, 0)
    if (on_page < 0.5 * (high - low)).any() or (on_page < 0).any():
        place = f"({low[0]:.0f}, {low[1]:.0f}) to ({high[0]:.0f}, {high[1]:.0f})"
        raise DataError(
            f"its outline, from {place}, lies outside the page of {width} x {height} px; draw it again, or take the "
            "image that the layout was made for"
        )
    left, top = np.maximum(np.floor(low - padding_px), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + padding_px) + 1, (width, height)).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def rasterize_polygon(polygon: Curve, shape: tuple[int, int], padding_px: float = 0) -> Pixels:
    """Return ``(H, W)`` uint8: 1 inside an outline ``(n, 2)`` grown by the padding, 0 outside."""
    inside = np.zeros(shape, np.uint8)
    # In sixteenths of a pixel, which fillPoly takes as integers.
    cv2.fillPoly(inside, [np.round(polygon * 16).astype(np.int32)], 1, shift=4)
    size = 2 * round(padding_px) + 1
    return np.asarray(cv2.dilate(inside, np.ones((size, size), np.uint8)), np.uint8) if size > 1 else inside


def _paper(part: Pixels, inside: Pixels) -> Pixels:
    """Median of each channel inside the outline: ink covers less than half of a line."""
    pixels = part[inside > 0]
    if len(pixels) == 0:
        raise DataError("its outline is thinner than a pixel; draw it again")
    return np.asarray(np.median(pixels, axis=0), np.uint8)


def _band(baseline: Curve, height_px: float) -> Curve:
    """Return the outline of a band around a baseline, three quarters of it above."""
    curve = resampled(rightwards(baseline))
    normals = normals_of(curve)
    upper, lower = curve - normals * 0.75 * height_px, curve + normals * 0.25 * height_px
    return np.concatenate([upper, lower[::-1]])
