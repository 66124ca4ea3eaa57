"""Lines cropped from page images: masked by their polygon and straightened along their baseline."""

import copy
import functools
import hashlib
from dataclasses import dataclass, field

import cv2
import numpy as np

from htr_lightning.image.decode import read_page_image
from htr_lightning.image.files import MAX_ASPECT_DIFFERENCE, MAX_PIXELS, DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.scan import Scan
from htr_lightning.image.straighten import (
    Curve,
    Pixels,
    PointMap,
    Points,
    clip_baseline,
    compute_normals,
    is_horizontal,
    no_points,
    orient_rightwards,
    resample,
    smooth_baseline,
    straighten,
    to_page_coordinates,
)
from htr_lightning.image.turn import to_upright, turn_upright

VERSION = 2  # increase it when the same arguments give other pixels: it is part of fingerprints
MAX_PADDING_PX = 200


@dataclass(frozen=True, slots=True, eq=False)
class PageCrop:
    """The image of a line that is cropped from the image of a page.

    Attributes:
        page: image of the whole page.
        polygon: outline of the line, at least three points; if empty, a band around the baseline is used.
        baseline: from the start of the line to its end; if empty, the line is not straightened. A baseline that runs
            to the left is reversed: layout tools write them in either direction.
        page_size: width and height of the page in the unit of the points; None if the unit is a pixel of the image.
        padding_px: pixels of the page image added around the polygon.
        mask: fill everything outside the polygon with the paper color.
        band_px: height of the band around a baseline without polygon, in the unit of the points.
        outline_problem: why the polygon of the layout is not used, as a phrase; empty if it is. It is not part of the
            fingerprint, since it changes no pixel.
        orientation: quarter turns clockwise by which the writing is turned; the crop is upright.
    """

    page: ImageFile | Scan
    polygon: Points
    baseline: Points = field(default_factory=no_points)
    page_size: tuple[float, float] | None = None
    padding_px: float = 0
    mask: bool = True
    band_px: float = 0
    outline_problem: str = ""
    orientation: int = 0

    @property
    def fingerprint(self) -> str:
        """Digest of the page file's identity and of all arguments of the crop."""
        turned = (self.orientation,) if self.orientation else ()  # other fingerprints stay as they were
        arguments = (VERSION, self.page_size, self.padding_px, self.mask, self.band_px, *turned)
        shape = hashlib.blake2b(repr(arguments).encode(), digest_size=12)
        shape.update(self.polygon.tobytes() + b"|" + self.baseline.tobytes())
        return f"{self.page.fingerprint}:{shape.hexdigest()}"

    def read(self, max_pixels: int = MAX_PIXELS) -> Pixels:
        """Crop the line.

        Returns:
            ``(H, W)`` or ``(H, W, 3)``, at the resolution of the page image.

        Raises:
            DataError: the page image cannot be read, has another aspect ratio than the layout, or does not contain
                the line.
        """
        page = _load_page(self.page, self.page.fingerprint, max_pixels, self.page_size)
        if isinstance(page, DataError):
            raise copy.copy(page)  # or the traceback of the cached error would grow with every line
        page, polygon, baseline, page_size = self._turn_upright(page)
        try:
            return crop_layout_line(
                page,
                polygon,
                baseline,
                page_size,
                band_px=self.band_px,
                padding_px=self.padding_px,
                mask=self.mask,
            )[0]
        except DataError as error:
            remedy = error.remedy
            if error.kind == "outside_page" and len(self.polygon) and len(self.baseline) > 1:
                remedy += ", or set dataset.outlines=baseline to crop along its baseline"
            raise DataError(error.problem, remedy=remedy, file=self.page.path, kind=error.kind) from None

    def _turn_upright(self, page: Pixels) -> tuple[Pixels, Points, Points, tuple[float, float] | None]:
        """Return the page, turned back, with polygon, baseline and size as they are on it."""
        turns, size = self.orientation, self.page_size
        if not turns:
            return page, self.polygon, self.baseline, size
        width, height = size or page.shape[1::-1]
        polygon, baseline = (to_upright(shape, turns, width, height) for shape in (self.polygon, self.baseline))
        if size is not None and turns % 2:
            size = height, width
        return turn_upright(page, turns), polygon, baseline, size


def check_padding(padding_px: float) -> None:
    """Check the padding that a configuration asks for.

    Raises:
        DataError: it is negative or larger than `MAX_PADDING_PX`.
    """
    if not 0 <= padding_px <= MAX_PADDING_PX:
        raise DataError(
            "the padding is out of range",
            key="dataset.padding_px",
            value=padding_px,
            remedy=f"choose a number from 0 to {MAX_PADDING_PX}",
        )


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
    """Crop a line whose polygon and baseline are in the unit of a layout file.

    See `PageCrop` for the arguments and `crop_line` for the returned values.

    Raises:
        DataError: the line cannot be cropped. The error names neither file nor line; callers add them.
    """
    scale = compute_layout_scale(page.shape, page_size)
    outline: Curve = polygon * scale
    line = _drop_repeated_points(baseline * scale)
    if len(outline) < 3 and len(line) < 2:
        raise DataError("it has neither an outline nor a baseline", remedy="draw one", kind="no_shape")
    if len(outline) < 3:
        line = clip_baseline(line, np.zeros(2), np.array(page.shape[1::-1]), "the page")
        outline = _build_band(line, band_px * float(scale[1]))
    return crop_line(page, outline, line, padding_px=padding_px, mask=mask)


def crop_line(
    page: Pixels, polygon: Curve, baseline: Curve, *, padding_px: float = 0, mask: bool = True
) -> tuple[Pixels, PointMap]:
    """Crop a line from a page.

    Args:
        page: ``(H, W)`` or ``(H, W, 3)``.
        polygon: ``(n, 2)``, at least three points, in pixels; parts outside the page are clipped.
        baseline: ``(n, 2)`` in pixels; with two points or more, the line is straightened along it.
        padding_px: pixels added around the polygon.
        mask: fill everything outside the polygon with the paper color, the median of the pixels inside.

    Returns:
        The line, upright, ``uint8``, as a copy; and the function that maps points ``(..., 2)`` of the line to points
        of the page.

    Raises:
        DataError: the polygon, or more than half of its bounding box, is outside the page, or the polygon has no area.
    """
    left, top, width, height = _find_box_on_page(polygon, page, padding_px)
    part = page[top : top + height, left : left + width]
    origin = np.array([left, top], np.float64)
    inside = rasterize_polygon(polygon - origin, (height, width), padding_px)
    if not inside.any():
        raise DataError("no part of its outline is on the page", remedy="draw it again", kind="outside_page")
    paper = _estimate_paper_color(part, inside) if mask else None
    straightened: tuple[Curve, float] | None = None
    if len(baseline) > 1:
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        margin = (high - low).max() if (high - low).min() < 1 else (high - low).min()
        baseline = clip_baseline(orient_rightwards(baseline), low - margin, high + margin, "its outline")
        outline = cv2.approxPolyDP(polygon.astype(np.float32)[:, None], 0.5, True)[:, 0]
        curve, above, below = smooth_baseline(baseline - origin, outline - origin, padding_px)
        if not is_horizontal(curve):
            part, inside = straighten(part, inside, curve, above, below)
            straightened = curve, float(np.ceil(above))
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        raise DataError("its outline is thinner than 2 pixels", remedy="draw it again", kind="too_thin")
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    line = part[window].copy()
    if paper is not None:
        line[inside[window] == 0] = paper
    corner = np.array([columns[0], rows[0]], np.float64)
    return line, functools.partial(to_page_coordinates, corner=corner, origin=origin, straightened=straightened)


@functools.lru_cache(maxsize=1)
def _load_page(
    image: ImageFile | Scan, fingerprint: str, max_pixels: int, size: tuple[float, float] | None
) -> Pixels | DataError:
    """Decode a page once for all of its lines, which are read one after the other; errors are cached too."""
    try:
        if isinstance(image, Scan):
            page = image.read(max_pixels, size)
        else:
            page = read_page_image(image.path, size, max_pixels=max_pixels)
    except DataError as error:
        return error
    page.setflags(write=False)
    return page


def compute_layout_scale(shape: tuple[int, ...], size: tuple[float, float] | None) -> Curve:
    """Return the horizontal and vertical pixels per unit of a layout's points, ``(2,)``.

    Args:
        shape: of the image, height first.
        size: width and height of the page in the layout; None if points are in pixels.

    Raises:
        DataError: the image has another aspect ratio.
    """
    height, width = shape[:2]
    if size is None:
        return np.ones(2)
    scale = np.array([width / size[0], height / size[1]])
    if abs(scale[0] / scale[1] - 1) > MAX_ASPECT_DIFFERENCE:
        raise DataError(
            f"the page of the layout is {size[0]:g} x {size[1]:g}, but the image is {width} x {height} px, which is "
            "another aspect ratio",
            remedy="check whether the image is of another page, or rotated",
            kind="aspect_ratio",
        )
    return scale


def _drop_repeated_points(points: Curve) -> Curve:
    """Drop points that are equal to the point before them."""
    return points[np.r_[True, np.any(np.diff(points, axis=0) != 0, axis=1)]] if len(points) else points


def _find_box_on_page(polygon: Curve, page: Pixels, padding_px: float) -> tuple[int, int, int, int]:
    """Return left, top, width and height in pixels of the padded bounding box of a polygon, clipped to the page."""
    height, width = page.shape[:2]
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    on_page = np.minimum(high, (width, height)) - np.maximum(low, 0)
    if (on_page < 0.5 * (high - low)).any():
        box = f"({low[0]:.0f}, {low[1]:.0f}) to ({high[0]:.0f}, {high[1]:.0f})"
        raise DataError(
            f"its outline, from {box}, lies outside the page of {width} x {height} px",
            remedy="draw it again, or use the image that the layout was made for",
            kind="outside_page",
        )
    left, top = np.maximum(np.floor(low - padding_px), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + padding_px) + 1, (width, height)).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def rasterize_polygon(polygon: Curve, shape: tuple[int, int], padding_px: float = 0) -> Pixels:
    """Return a mask ``(H, W)`` uint8: 1 inside a polygon ``(n, 2)`` dilated by the padding, 0 outside."""
    inside = np.zeros(shape, np.uint8)
    # fillPoly takes fixed-point integers: here in sixteenths of a pixel.
    cv2.fillPoly(inside, [np.round(polygon * 16).astype(np.int32)], 1, shift=4)
    size = 2 * round(padding_px) + 1
    return np.asarray(cv2.dilate(inside, np.ones((size, size), np.uint8)), np.uint8) if size > 1 else inside


def _estimate_paper_color(part: Pixels, inside: Pixels) -> Pixels:
    """Return the median of each channel inside the polygon: ink covers less than half of a line."""
    return np.asarray(np.median(part[inside > 0], axis=0), np.uint8)


def _build_band(baseline: Curve, height_px: float) -> Curve:
    """Return the polygon of a band around a baseline, three quarters of its height above the baseline."""
    curve = resample(orient_rightwards(baseline))
    normals = compute_normals(curve)
    upper, lower = curve - normals * 0.75 * height_px, curve + normals * 0.25 * height_px
    return np.concatenate([upper, lower[::-1]])
