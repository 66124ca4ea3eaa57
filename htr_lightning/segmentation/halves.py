"""Double pages: the gutter between two facing pages."""

from collections.abc import Sequence

import numpy as np

from htr_lightning.segmentation.regions import DetectedLine

_MIN_ASPECT = 1.05  # width / height of a double page
_SEARCHED = 0.3, 0.7  # part of the width in which the gutter is
_MAX_CROSSING = 0.04  # fraction of the lines that may cross the gutter
_MIN_SHARE = 0.15  # of the text on each side
_MIN_LINES = 3  # on each side
_MIN_GAP = 0.008  # width of the gutter, relative to the page


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
    lengths = rights - lefts
    candidates = np.linspace(_SEARCHED[0] * width, _SEARCHED[1] * width, 161)
    crossings = ((lefts[None] < candidates[:, None]) & (rights[None] > candidates[:, None])).sum(1)
    free = crossings <= max(crossings.min(), 0)
    if crossings.min() > _MAX_CROSSING * len(upright):
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
    return x if widths[best] >= _MIN_GAP * width or crossings.min() > 0 else None
