"""Double pages: the gutter between two facing pages."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.segmentation.regions import DetectedLine

_MIN_ASPECT = 1.05  # width / height of a double page
_SEARCHED = 0.3, 0.7  # part of the width in which the gutter is
_MAX_CROSSING = 0.04  # fraction of the lines that may cross the gutter
_MIN_SHARE = 0.15  # of the text on each side
_MIN_LINES = 3  # on each side
_MIN_GAP = 0.008  # width of the gutter, relative to the page
_MIN_COLUMN_GAP = 1.3  # the same, between vertical lines: relative to their distance

Floats = NDArray[np.float64]


def find_gutter(lines: Sequence[DetectedLine], width: float, height: float) -> float | None:
    """Return the x of the gutter of a double page in px; None for a single page.

    The gutter is where hardly any line crosses the middle of a wide page, and both sides have text.

    Args:
        lines: of the page.
        width: of the page.
        height: of the page.
    """
    upright = [line for line in lines if line.orientation == 0]
    if width < _MIN_ASPECT * height or len(upright) < 2 * _MIN_LINES:
        return None
    lefts, rights = (np.array([getattr(line, side) for line in upright]) for side in ("left", "right"))
    gap = _find_gap(lefts, rights, rights - lefts, width)
    return gap.x if gap and (gap.width >= _MIN_GAP * width or gap.num_crossing > 0) else None


def find_column_gutter(columns: Sequence[DetectedLine], width: float, height: float, spacing: float) -> float | None:
    """Return the x of the gutter of a double page of vertical lines in px; None for a single page.

    It is far wider than the gaps between columns.

    Args:
        columns: the vertical lines.
        width: of the page.
        height: of the page.
        spacing: of neighboring columns, in px.
    """
    if width < _MIN_ASPECT * height or len(columns) < 2 * _MIN_LINES:
        return None
    lefts, rights = (np.array([edge(line.polygon[:, 0]) for line in columns]) for edge in (np.min, np.max))
    lengths = np.array([np.ptp(line.polygon[:, 1]) for line in columns])
    gap = _find_gap(lefts, rights, lengths, width)
    return gap.x if gap and gap.width >= _MIN_COLUMN_GAP * spacing else None


class _Gap(NamedTuple):
    x: float  # its middle
    width: float
    num_crossing: int  # lines


def _find_gap(lefts: Floats, rights: Floats, lengths: Floats, width: float) -> _Gap | None:
    """Return the widest gap near the middle that hardly any line crosses, with text on both sides; None without one."""
    candidates = np.linspace(_SEARCHED[0] * width, _SEARCHED[1] * width, 161)
    crossings = ((lefts[None] < candidates[:, None]) & (rights[None] > candidates[:, None])).sum(1)
    free = crossings <= max(crossings.min(), 0)
    if crossings.min() > _MAX_CROSSING * len(lefts):
        return None
    runs = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(np.int8), [0]])))
    starts, ends = runs[::2], runs[1::2] - 1
    middles = (candidates[starts] + candidates[ends]) / 2
    widths = candidates[ends] - candidates[starts]
    # Prefer wide gaps near the middle of the page.
    best = int(np.argmax(widths / width - 0.5 * np.abs(middles / width - 0.5)))
    x = float(middles[best])
    is_left = (lefts + rights) / 2 < x
    share = float(lengths[is_left].sum() / lengths.sum())
    if not (_MIN_SHARE <= share <= 1 - _MIN_SHARE and min(is_left.sum(), (~is_left).sum()) >= _MIN_LINES):
        return None
    return _Gap(x, float(widths[best]), int(crossings.min()))
