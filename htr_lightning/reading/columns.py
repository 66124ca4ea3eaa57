"""Vertical lines for recognizers of horizontal ones: their characters are set side by side, upright."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.preprocess import to_gray
from htr_lightning.reading.line_crops import LineCrop

Floats = NDArray[np.float64]

_NUM_PROBES = 5  # longest lines, which are read both ways
_PITCHES = 0.7, 1.7  # searched distances of characters, relative to the height of the ink
_INK_COST = 1.0  # of a cut through ink, relative to the mean ink of the line
_LENGTH_COST = 1.5  # of a character whose length is zero or twice the usual one
_LONGEST = 2.0  # of a character, relative to the distance of characters
_LOW = 0.5  # height of a sign that is not moved to the middle of the row, relative to the row
_MARGIN = 0.06  # around each character that is set upright, relative to the distance of characters
_GAP = 0.05  # ink of a row between two lines, relative to that of the rows of a line
_INK = 0.35  # darkness of ink, relative to the darkest pixels


def set_upright_by_confidence(
    crops: Sequence[LineCrop], measure_confidence: Callable[[Sequence[LineCrop]], float]
) -> dict[str, LineCrop]:
    """Return the vertical lines with their characters side by side, if they are read with more confidence then.

    A recognizer that has learned vertical lines reads them on their side; others only know upright characters.

    Args:
        crops: lines of a page.
        measure_confidence: returns the mean confidence of the characters of crops, 0 without any.

    Returns:
        By the ids of the lines; empty if they are to be read on their side.
    """
    vertical = [crop for crop in crops if crop.pixels is not None and crop.line.vertical == "top-to-bottom"]
    probes = sorted(vertical, key=lambda crop: -_get_length(crop))[:_NUM_PROBES]
    if not probes or measure_confidence(probes) >= measure_confidence([set_upright(crop) for crop in probes]):
        return {}
    return {crop.line.id: set_upright(crop) for crop in vertical}


def _get_length(crop: LineCrop) -> int:
    return 0 if crop.pixels is None else crop.pixels.shape[1]


def set_upright(crop: LineCrop) -> LineCrop:
    """Set the characters of a vertical line upright, side by side.

    Args:
        crop: of a line from top to bottom, which runs from left to right there, its characters on their side.
    """
    pixels, to_page = crop.pixels, crop.to_page
    if pixels is None or to_page is None or min(pixels.shape[:2]) < 2:
        return crop
    ink = _find_ink(pixels)
    if not ink.any():
        return crop
    pitch = _estimate_pitch(ink)
    cuts = _find_cuts(ink.sum(0).astype(np.float64), pitch)
    row, starts, corners = _compose(pixels, ink, cuts, round(_MARGIN * pitch))

    def to_crop(points: NDArray[Any]) -> NDArray[Any]:
        x, y = points[..., 0], points[..., 1]
        place = np.clip(np.searchsorted(starts, x, side="right") - 1, 0, len(starts) - 1)
        left, top, bottom = corners[place].T if points.ndim == 1 else np.moveaxis(corners[place], -1, 0)
        return np.stack([left + y - top, bottom - (x - starts[place])], axis=-1)

    return LineCrop(crop.line, row, lambda points: to_page(to_crop(points)), is_rearranged=True)


def _find_ink(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return ``(H, W)``: where a line is dark, relative to its paper; ink of its neighbors is left out."""
    gray = to_gray(pixels, "luminance").astype(np.float64)
    paper, darkest = np.percentile(gray, 80), np.percentile(gray, 1)
    ink = np.asarray(paper - gray > max(_INK * (paper - darkest), 8.0))
    top, bottom = _find_band(ink)
    ink[:top] = ink[bottom:] = False
    return ink


def _find_band(ink: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the rows of the line itself, without what its crop shows of its neighbors."""
    window = max(3, len(ink) // 12)
    profile = np.convolve(ink.sum(1), np.ones(window) / window, "same")
    profile *= np.hanning(len(ink) + 2)[1:-1] ** 0.5  # the line is in the middle
    peak = int(np.argmax(profile))
    is_gap = ink.sum(1) <= _GAP * max(float(profile.max()), 1.0)
    above, below = np.flatnonzero(is_gap[:peak]), np.flatnonzero(is_gap[peak:])
    return int(above[-1]) + 1 if len(above) else 0, peak + int(below[0]) if len(below) else len(ink)


def _estimate_pitch(ink: NDArray[np.bool_]) -> float:
    """Return the distance of characters in px: the period of the ink along the line, near the height of the ink."""
    rows = np.flatnonzero(ink.any(1))
    height = float(rows[-1] - rows[0] + 1)
    profile = ink.sum(0) - ink.sum(0).mean()
    low, high = max(2, int(_PITCHES[0] * height)), min(int(_PITCHES[1] * height), len(profile) // 2)
    if high <= low:
        return height
    products = [float(np.dot(profile[:-lag], profile[lag:])) / (len(profile) - lag) for lag in range(low, high + 1)]
    return float(low + int(np.argmax(products)))


def _find_cuts(profile: Floats, pitch: float) -> NDArray[np.int64]:
    """Return the places of cuts between characters, with both ends, by dynamic programming.

    Args:
        profile: ``(W,)``, ink in each column.
        pitch: usual length of a character in px.
    """
    width, longest = len(profile), max(2, round(_LONGEST * pitch))
    through = _INK_COST * np.concatenate([profile / max(float(profile.mean()), 1e-6), [0.0]])
    lengths = np.arange(1, longest + 1)
    shape = _LENGTH_COST * (lengths / pitch - 1) ** 2
    costs, before = np.full(width + 1, np.inf), np.zeros(width + 1, np.int64)
    costs[0] = 0.0
    for end in range(1, width + 1):
        number = min(longest, end)
        totals = costs[end - number : end][::-1] + shape[:number]
        best = int(np.argmin(totals))
        costs[end], before[end] = totals[best] + through[end], end - 1 - best
    cuts = [width]
    while cuts[-1] > 0:
        cuts.append(int(before[cuts[-1]]))
    return np.array(cuts[::-1])


def _compose(
    pixels: NDArray[np.uint8], ink: NDArray[np.bool_], cuts: NDArray[np.int64], margin: int
) -> tuple[NDArray[np.uint8], Floats, Floats]:
    """Set the pieces between cuts upright, side by side.

    Returns:
        The pixels; ``(n,)``, the x of each piece in them; and ``(n, 3)``: the x of the piece in the line, its y in the
        row, and the y in the line of its left edge.
    """
    height = int(np.diff(cuts).max())
    paper = np.percentile(pixels.reshape(-1, *pixels.shape[2:]), 80, axis=0).astype(np.uint8)
    band = np.flatnonzero(ink.any(1))
    cleaned = pixels.copy()
    cleaned[: max(0, band[0] - margin)] = cleaned[band[-1] + 1 + margin :] = paper
    pieces, starts, corners = [], [], []
    x = 0
    for left, right in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        rows = np.flatnonzero(ink[:, left:right].any(1))
        if not len(rows):
            continue
        first, last = max(0, int(rows[0]) - margin), min(len(pixels), int(rows[-1]) + 1 + margin)
        upright = np.rot90(cleaned[first:last, left:right], -1)
        along = np.flatnonzero(ink[:, left:right].any(0))
        is_low = along[-1] - along[0] < _LOW * height  # such as a comma, which keeps its place
        middle = len(upright) / 2 if is_low else (along[0] + along[-1] + 1) / 2
        top = int(np.clip(round(height / 2 - middle), 0, height - len(upright)))
        piece = np.broadcast_to(paper, (height, last - first, *pixels.shape[2:])).copy()
        piece[top : top + len(upright)] = upright
        pieces.append(piece)
        starts.append(x)
        corners.append((left, top, last))
        x += last - first
    return np.concatenate(pieces, 1), np.array(starts, np.float64), np.array(corners, np.float64)
