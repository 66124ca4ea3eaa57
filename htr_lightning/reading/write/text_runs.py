"""Where the text of a line stands on its page, word by word, for text that is laid over the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Outline
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write.pieces import pieces

Vector = NDArray[np.float64]
"""``(2,)``: x to the right and y down, in px."""
Curve = NDArray[np.float64]
"""``(n, 2)`` px."""

DESCENT = 0.2  # of the height of a line, what lies below the baseline where none is drawn
_NARROWEST_PX = 1.0
_SPACE = 0.25  # of the height of a line, where two words leave no room for a space
_ASPECT = 0.5  # width by height of a character, where nothing else tells the height


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A word, or a space, on a straight piece of baseline.

    Attributes:
        text: never empty.
        start: where it begins.
        end: where it ends, at least a pixel from there.
    """

    text: str
    start: Vector
    end: Vector


def runs(line: PredictedLine) -> tuple[float, list[Run]]:
    """Lay a line out.

    Words begin and end on the baseline where their outlines do; between two there is a space. A line without words is
    one run over its whole extent.

    Returns:
        The height of the line in px, and its runs; none of a line without text or without a place.
    """
    parts = [(piece.text, piece.outline or _extent(line)) for piece in pieces(line) if piece.text]
    corners = np.array([outline for _, outline in parts if outline], np.float64).reshape(-1, 4, 2)
    if not len(corners):
        return 0.0, []
    height = max(float(np.median([_height(outline) for outline in corners])), _NARROWEST_PX)
    baseline = _baseline(line, corners, height)
    found: list[Run] = []
    for (text, _), (a, b, c, d) in zip(parts, corners, strict=True):
        run = _run(text, _foot((a + d) / 2, baseline), _foot((b + c) / 2, baseline), baseline)
        if found:
            found.append(_space(found[-1], run, height))
        found.append(run)
    return height, found


def _run(text: str, start: Vector, end: Vector, baseline: Curve) -> Run:
    if np.hypot(*(end - start)) < _NARROWEST_PX:
        end = start + _NARROWEST_PX * _unit(baseline[-1] - baseline[0])
    return Run(text, start, end)


def _space(before: Run, after: Run, height: float) -> Run:
    direction = _unit(before.end - before.start)
    room = after.start - before.end
    if room @ direction < _NARROWEST_PX:
        room = _SPACE * height * direction
    return Run(" ", before.end, before.end + room)


def _height(corners: Curve) -> float:
    """How far the upper left corner of an outline is from its lower edge."""
    along, up = _unit(corners[2] - corners[3]), corners[0] - corners[3]
    return float(abs(along[0] * up[1] - along[1] * up[0]))


def _baseline(line: PredictedLine, corners: Curve, height: float) -> Curve:
    """Return the line's own baseline, or one above the lower edge of its words."""
    drawn = line.baseline.astype(np.float64)
    drawn = drawn[np.r_[True, np.any(np.diff(drawn, axis=0) != 0, axis=1)]] if len(drawn) else drawn
    if len(drawn) > 1:
        return drawn
    lower = np.stack([corners[0, 3], corners[-1, 2]])
    if np.hypot(*(lower[1] - lower[0])) < _NARROWEST_PX:
        lower[1] = lower[0] + (_NARROWEST_PX, 0)
    return lower + DESCENT * height * _unit(corners[0, 0] - corners[0, 3])


def _extent(line: PredictedLine) -> Outline | None:
    """Return the box around a line, turned as its baseline is; None where it has neither outline nor baseline."""
    outline, baseline = line.polygon.astype(np.float64), line.baseline.astype(np.float64)
    if not len(outline) and len(baseline) < 2:
        return None
    along = _unit(baseline[-1] - baseline[0]) if len(baseline) > 1 else np.array([1.0, 0.0])
    down = np.array([-along[1], along[0]])
    axes = np.stack([along, down])
    points = (outline if len(outline) else baseline) @ axes.T
    (left, top), (right, bottom) = points.min(0), points.max(0)
    if bottom - top < _NARROWEST_PX:
        top = bottom - max((right - left) / (_ASPECT * len(line.text)), _NARROWEST_PX)
    box = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ axes
    a, b, c, d = ((x, y) for x, y in box.tolist())
    return a, b, c, d


def _foot(point: Vector, baseline: Curve) -> Vector:
    """Return the nearest point of a baseline that goes on beyond both its ends."""
    starts, steps = baseline[:-1], np.diff(baseline, axis=0)
    share = ((point - starts) * steps).sum(1) / (steps * steps).sum(1)
    low, high = np.zeros(len(steps)), np.ones(len(steps))
    low[0], high[-1] = -np.inf, np.inf
    feet = starts + np.clip(share, low, high)[:, None] * steps
    nearest: Vector = feet[((feet - point) ** 2).sum(1).argmin()]
    return nearest


def _unit(vector: Vector | Sequence[float]) -> Vector:
    """Return the direction of a vector; to the right of one without length."""
    length = float(np.hypot(*vector))
    return np.asarray(vector, np.float64) / length if length > 0 else np.array([1.0, 0.0])
