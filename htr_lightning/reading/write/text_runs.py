"""Layout of the text of a line on its page, word by word, for text that is laid over the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Outline
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write.tokens import split_tokens

Vector = NDArray[np.float64]
"""``(2,)``: x to the right and y down, in px."""
Polyline = NDArray[np.float64]
"""``(n, 2)`` px."""

DESCENT = 0.2  # fraction of the line height below the baseline, if the line has no baseline of its own
_MIN_LENGTH_PX = 1.0
_SPACE_WIDTH = 0.25  # fraction of the line height, if two words leave no gap
_ASPECT_RATIO = 0.5  # width / height of a character, if nothing else gives the line height


@dataclass(frozen=True, slots=True, eq=False)
class TextRun:
    """A word or a space on a straight piece of the baseline.

    Attributes:
        text: never empty.
        start: where it begins.
        end: where it ends, at least a pixel from the start.
    """

    text: str
    start: Vector
    end: Vector


def build_runs(line: PredictedLine) -> tuple[float, list[TextRun]]:
    """Lay out the text of a line in runs.

    Words begin and end where their outlines, projected to the baseline, do; between two words is a space. A line
    without words is one run over its whole extent.

    Returns:
        The height of the line in px, and its runs; no runs if the line has no text or no position.
    """
    parts = [(token.text, token.outline or _compute_outline(line)) for token in split_tokens(line) if token.text]
    outlines = np.array([outline for _, outline in parts if outline], np.float64).reshape(-1, 4, 2)
    if not len(outlines):
        return 0.0, []
    height = max(float(np.median([_compute_height(outline) for outline in outlines])), _MIN_LENGTH_PX)
    baseline = _get_baseline(line, outlines, height)
    runs: list[TextRun] = []
    for (text, _), (a, b, c, d) in zip(parts, outlines, strict=True):
        run = _build_run(text, _project((a + d) / 2, baseline), _project((b + c) / 2, baseline), baseline)
        if runs:
            runs.append(_build_space(runs[-1], run, height))
        runs.append(run)
    return height, runs


def _build_run(text: str, start: Vector, end: Vector, baseline: Polyline) -> TextRun:
    if np.hypot(*(end - start)) < _MIN_LENGTH_PX:
        end = start + _MIN_LENGTH_PX * _normalize(baseline[-1] - baseline[0])
    return TextRun(text, start, end)


def _build_space(before: TextRun, after: TextRun, height: float) -> TextRun:
    direction = _normalize(before.end - before.start)
    gap = after.start - before.end
    if gap @ direction < _MIN_LENGTH_PX:
        gap = _SPACE_WIDTH * height * direction
    return TextRun(" ", before.end, before.end + gap)


def _compute_height(outline: Polyline) -> float:
    """Return the distance of the top left corner of an outline from its bottom edge."""
    along, up = _normalize(outline[2] - outline[3]), outline[0] - outline[3]
    return float(abs(along[0] * up[1] - along[1] * up[0]))


def _get_baseline(line: PredictedLine, outlines: NDArray[np.float64], height: float) -> Polyline:
    """Return the baseline of a line, or one slightly above the bottom edges ``(n, 4, 2)`` of its words."""
    baseline = line.baseline.astype(np.float64)
    if len(baseline):
        baseline = baseline[np.r_[True, np.any(np.diff(baseline, axis=0) != 0, axis=1)]]  # drop repeated points
    if len(baseline) > 1:
        return baseline
    bottom = np.stack([outlines[0, 3], outlines[-1, 2]])
    if np.hypot(*(bottom[1] - bottom[0])) < _MIN_LENGTH_PX:
        bottom[1] = bottom[0] + (_MIN_LENGTH_PX, 0)
    return bottom + DESCENT * height * _normalize(outlines[0, 0] - outlines[0, 3])


def _compute_outline(line: PredictedLine) -> Outline | None:
    """Return the bounding box of a line, rotated like its baseline; None if it has neither polygon nor baseline."""
    polygon, baseline = line.polygon.astype(np.float64), line.baseline.astype(np.float64)
    if not len(polygon) and len(baseline) < 2:
        return None
    along = _normalize(baseline[-1] - baseline[0]) if len(baseline) > 1 else np.array([1.0, 0.0])
    down = np.array([-along[1], along[0]])
    axes = np.stack([along, down])
    points = (polygon if len(polygon) else baseline) @ axes.T
    (left, top), (right, bottom) = points.min(0), points.max(0)
    if bottom - top < _MIN_LENGTH_PX:
        top = bottom - max((right - left) / (_ASPECT_RATIO * len(line.text)), _MIN_LENGTH_PX)
    box = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ axes
    a, b, c, d = ((x, y) for x, y in box.tolist())
    return a, b, c, d


def _project(point: Vector, baseline: Polyline) -> Vector:
    """Return the nearest point on a baseline whose first and last segment are extended to infinity."""
    starts, steps = baseline[:-1], np.diff(baseline, axis=0)
    fraction = ((point - starts) * steps).sum(1) / (steps * steps).sum(1)
    low, high = np.zeros(len(steps)), np.ones(len(steps))
    low[0], high[-1] = -np.inf, np.inf
    candidates = starts + np.clip(fraction, low, high)[:, None] * steps
    nearest: Vector = candidates[((candidates - point) ** 2).sum(1).argmin()]
    return nearest


def _normalize(vector: Vector | Sequence[float]) -> Vector:
    """Return the unit vector in the direction of a vector; ``(1, 0)`` for one of length 0."""
    length = float(np.hypot(*vector))
    return np.asarray(vector, np.float64) / length if length > 0 else np.array([1.0, 0.0])
