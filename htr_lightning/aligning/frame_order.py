"""Texts in the order in which the frames of a line show them."""

import numpy as np

from htr_lightning.aligning.cuts import CuttableText, Ints
from htr_lightning.aligning.lattice import LineFrames
from htr_lightning.directions.bidi import Direction, order_visually


def order_by_frames(text: str, base: Direction | None) -> tuple[str, Ints]:
    """Order a text as a line shows it that is read in its base direction, from its start to its end.

    In a text from right to left, whose lines are read from the right, letters from right to left keep their order, and
    numbers and Latin words are reversed; in a text from left to right, it is the other way round.

    Args:
        text: in logical order, without line breaks.
        base: base direction of the text; None leaves the text as it is.

    Returns:
        The characters, brackets as they are seen, and ``(L,)`` the place of each in the text.
    """
    if base is None:
        return text, np.arange(len(text))
    shown = order_visually(text, base)
    if base == "rtl":
        shown.reverse()
    return "".join(character for character, _ in shown), np.array([place for _, place in shown], np.int64)


def reverse_frames(line: LineFrames, base: Direction | None) -> LineFrames:
    """Return the frames of a line in the order in which it is read: from the right in a text from right to left."""
    return LineFrames(line.log_probs[::-1]) if base == "rtl" else line


def drop_inner_cuts(text: CuttableText, base: Direction | None) -> CuttableText:
    """Return a text without the cuts inside stretches of the other direction, at which its order would be another."""
    _, places = order_by_frames(text.characters, base)
    if base is None or not len(places):
        return text
    # A cut divides what is shown as it divides the text if all characters shown before it are also before it there.
    is_prefix = np.r_[True, np.maximum.accumulate(places) < np.arange(1, len(places) + 1)]
    return text.keep_cuts(is_prefix[text.ends] & is_prefix[text.starts])
