"""Lines cut from a page: along their outline, straightened along their baseline, the paper's colour around them."""

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.image import read_page_image
from htr_lightning.data.line import MAX_PIXELS, DataError, ImageFile
from htr_lightning.page.layout import Points, no_points

Pixels = NDArray[np.uint8]
Curve = NDArray[np.floating[Any]]
"""``(n, 2)``: x and y of points in pixels."""

VERSION = 2  # raise it when the same line comes out with other pixels
MAX_PADDING_PX = 200
_LONGEST_PX = 32_000  # what OpenCV can sample
_LEVEL_PX = 1.5  # a baseline that leaves the horizontal by no more needs no straightening
_SAME_SHAPE = 0.02  # how far the proportions of a page and of its image may differ


@dataclass(frozen=True, slots=True, eq=False)
class CutLine:
    """A line that is part of a page.

    Attributes:
        page: image of the whole page.
        polygon: outline, at least three points; without one, a band around the baseline.
        baseline: from the beginning of the line to its end; without one, nothing is straightened. One that runs to
            the left is turned round, since nobody writes upside down on purpose.
        page_size: width and height that the points refer to; None for the pixels of the image.
        padding_px: image pixels added around the outline.
        mask: paint what is outside the outline in the paper's colour.
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
            scale = _scale(page, self.page_size)
            polygon: Curve = self.polygon * scale
            baseline = _unique(self.baseline * scale)
            if len(polygon) < 3 and len(baseline) < 2:
                raise DataError("it has neither an outline nor a baseline; draw one")
            if len(polygon) < 3:
                baseline = _within(baseline, np.zeros(2), np.array(page.shape[1::-1]), "the page")
                polygon = _band(baseline, self.band_px * float(scale[1]))
            return cut(page, polygon, baseline, padding_px=self.padding_px, mask=self.mask)
        except DataError as error:
            raise DataError(f"{self.page.path}: line {self.line}: {error}") from None


def check_padding(padding_px: float) -> None:
    """Check what a configuration says of the padding.

    Raises:
        DataError: it is negative or absurd.
    """
    if not 0 <= padding_px <= MAX_PADDING_PX:
        raise DataError(f"dataset.padding_px: {padding_px} is not between 0 and {MAX_PADDING_PX}")


def cut(page: Pixels, polygon: Curve, baseline: Curve, *, padding_px: float = 0, mask: bool = True) -> Pixels:
    """Cut a line out of a page.

    Args:
        page: ``(H, W)`` or ``(H, W, 3)``.
        polygon: ``(n, 2)``, at least three points, in pixels; what lies beyond the page is cut off.
        baseline: ``(n, 2)`` in pixels; with two points or more, the line is straightened along it.
        padding_px: pixels added around the outline.
        mask: paint what is outside the outline in the paper's colour, the median of what is inside.

    Returns:
        The line, upright, ``uint8``: a copy.

    Raises:
        DataError: less than half of the outline's box lies on the page, or the outline has no area.
    """
    left, top, width, height = _box_on_page(polygon, page, padding_px)
    part = page[top : top + height, left : left + width]
    origin = np.array([left, top], np.float64)
    inside = fill_outline(polygon - origin, (height, width), padding_px)
    paper = _paper(part, inside) if mask else None
    if len(baseline) > 1:
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        reach = (high - low).max() if (high - low).min() < 1 else (high - low).min()
        baseline = _within(_rightwards(baseline), low - reach, high + reach, "its outline")
        outline = cv2.approxPolyDP(polygon.astype(np.float32)[:, None], 0.5, True)[:, 0]
        curve, above, below = _curve(baseline - origin, outline - origin, padding_px)
        if not _is_level(curve):
            part, inside = _unroll(part, inside, curve, above, below)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        raise DataError("its outline is thinner than 2 pixels; draw it again")
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    line = part[window].copy()
    if paper is not None:
        line[inside[window] == 0] = paper
    return line


@functools.lru_cache(maxsize=1)
def _page(image: ImageFile, fingerprint: str, max_pixels: int, size: tuple[float, float] | None) -> Pixels | DataError:
    """Decode a page once for all of its lines, which come one after the other; also when it cannot be."""
    try:
        page = read_page_image(image.path, size, max_pixels=max_pixels)
    except DataError as error:
        return error
    page.setflags(write=False)
    return page


def _scale(page: Pixels, size: tuple[float, float] | None) -> Curve:
    """Pixels per unit of the points, across and down."""
    height, width = page.shape[:2]
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


def _within(baseline: Curve, low: Curve, high: Curve, what: str) -> Curve:
    """Return the part of a baseline from its first to its last place in a box.

    Raises:
        DataError: less than half of it is there.
    """
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(baseline, axis=0).T))]
    wanted = np.unique(np.r_[along, np.linspace(0, along[-1], 1000)])
    points = np.stack([np.interp(wanted, along, baseline[:, axis]) for axis in (0, 1)], axis=1)
    inside = ((points >= low) & (points <= high)).all(axis=1)
    places = np.flatnonzero(inside)
    share = np.interp(np.linspace(0, along[-1], 1000), wanted, inside).mean()
    if share < 0.5 or len(places) < 2 or wanted[places[-1]] - wanted[places[0]] > 2 * float((high - low).sum()):
        raise DataError(f"its baseline leaves {what}; draw it again")
    return points[places[0] : places[-1] + 1]


def _rightwards(baseline: Curve) -> Curve:
    across, down = baseline[-1] - baseline[0]
    return baseline[::-1] if across < 0 and -across > abs(down) else baseline


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


def fill_outline(polygon: Curve, shape: tuple[int, int], padding_px: float = 0) -> Pixels:
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
    curve = _resampled(_rightwards(baseline))
    normals = _normals(curve)
    upper, lower = curve - normals * 0.75 * height_px, curve + normals * 0.25 * height_px
    return np.concatenate([upper, lower[::-1]])


def _curve(baseline: Curve, polygon: Curve, padding_px: float) -> tuple[Curve, float, float]:
    """Return a smooth baseline from one end of the outline to the other, and how far the outline reaches from it.

    The corners of a baseline drawn with few points would become folds in the writing, so it is smoothed over the
    height of the line; it goes on beyond its ends in a straight line.
    """
    curve = _resampled(baseline)
    above, below = _reach(polygon, curve)
    height = max(above + below, 4.0)
    ends = (curve[0], _direction(curve[: int(height) + 2])), (curve[-1], _direction(curve[-int(height) - 2 :]))
    before = max(0.0, float((-(polygon - ends[0][0]) @ ends[0][1]).max())) + padding_px
    after = max(0.0, float(((polygon - ends[1][0]) @ ends[1][1]).max())) + padding_px
    spare = int(1.5 * height) + 1  # what smoothing would bend at the ends
    before, after = (min(int(x), 2 * len(curve)) for x in (before, after))
    steps = np.arange(before + spare, 0, -1)[:, None], np.arange(1, after + spare + 1)[:, None]
    longer = np.concatenate([ends[0][0] - steps[0] * ends[0][1], curve, ends[1][0] + steps[1] * ends[1][1]])
    smooth = cv2.GaussianBlur(longer, (1, 0), sigmaX=1, sigmaY=height / 2, borderType=cv2.BORDER_REPLICATE)
    curve = np.asarray(smooth, np.float64)[spare:-spare]
    above, below = _reach(polygon, curve)
    return curve, above + padding_px, below + padding_px


def _resampled(baseline: Curve) -> Curve:
    """Points one pixel apart along a baseline."""
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(baseline, axis=0).T))]
    wanted = np.linspace(0, along[-1], max(2, round(along[-1]) + 1))
    return np.stack([np.interp(wanted, along, baseline[:, axis]) for axis in (0, 1)], axis=1)


def _direction(points: Curve) -> Curve:
    across = points[-1] - points[0]
    length: float = max(float(np.hypot(*across)), 1e-9)
    return np.asarray(across / length)


def _normals(curve: Curve) -> Curve:
    """Unit vectors across the curve, pointing down where it runs to the right."""
    along = np.gradient(curve, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    return np.stack([-along[:, 1], along[:, 0]], axis=1)


def _reach(polygon: Curve, curve: Curve) -> tuple[float, float]:
    """How far an outline reaches above and below a curve, in pixels."""
    normals = _normals(curve)
    distances = [_distance(point, curve, normals) for point in polygon]
    return max(0.0, -min(distances)), max(0.0, max(distances))


def _distance(point: Curve, curve: Curve, normals: Curve) -> float:
    offsets = point - curve
    nearest = int((offsets * offsets).sum(axis=1).argmin())
    return float(offsets[nearest] @ normals[nearest])


def _is_level(curve: Curve) -> bool:
    """Whether a curve is horizontal, but for less than can be seen."""
    return float(np.ptp(curve[:, 1])) <= 2 * _LEVEL_PX and curve[-1, 0] > curve[0, 0]


def _unroll(part: Pixels, inside: Pixels, curve: Curve, above: float, below: float) -> tuple[Pixels, Pixels]:
    """Sample the page, and what is inside the outline, at every distance across every point of the curve."""
    if len(curve) > _LONGEST_PX or above + below > _LONGEST_PX:
        raise DataError(f"it is longer than {_LONGEST_PX:,} px; scale the page down, or draw the line again")
    across = np.arange(-np.ceil(above), np.ceil(below) + 1)[:, None, None]
    places = (curve[None] + across * _normals(curve)[None]).astype(np.float32)
    x, y = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    straight = cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.remap(inside, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(straight, np.uint8), np.asarray(mask, np.uint8)
