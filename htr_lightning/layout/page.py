"""The layout of a page, independent of the format of its file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.image.files import DataError
from htr_lightning.image.straighten import Points, clip_baseline, no_points, orient_rightwards

Vertical = Literal["", "top-to-bottom", "bottom-to-top"]
"""How a vertical line runs; empty for others."""
TURNS_OF_VERTICAL: dict[str, int] = {"top-to-bottom": 1, "bottom-to-top": 3}
"""Quarter turns clockwise of a line from left to right that runs like a vertical line."""
_DEFAULT_LINE_SPACING = 1 / 40  # of the height of the page, if it has a single line
_SLIVER = 0.3  # height of a polygon, relative to the median of its page, below which it is none of a whole line
_MIN_LINES_TO_COMPARE = 3
_MOSTLY = 0.5  # fraction of the outlines of a page that miss their line, from which on none of the page is trusted


@dataclass(frozen=True, slots=True)
class Span:
    """A tagged part of a line's text.

    Attributes:
        start: index of its first character in the text.
        length: number of characters; 0 for a position between two characters where something is missing (``gap``).
        tag: such as ``strikethrough``, ``unclear``, ``gap``, ``abbrev``.
    """

    start: int
    length: int
    tag: str


@dataclass(frozen=True, slots=True)
class Cell:
    """Position of a line in a table.

    Attributes:
        row: from 0, from top to bottom.
        column: from 0, in the direction of writing.
        row_span: number of rows that the cell covers.
        column_span: number of columns that it covers.
    """

    row: int
    column: int
    row_span: int = 1
    column_span: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class PageLine:
    """A line of text on a page.

    Attributes:
        id: from the file; unique on its page.
        text: from the file, not cleaned; empty if the line is not transcribed.
        polygon: its outline, or the corners of its box; may be empty.
        baseline: from the start of the line to its end; may be empty.
        type: such as ``default``, ``heading``, ``marginalia``; empty if the file gives none.
        region: id of the region that contains the line.
        region_type: such as ``paragraph``, ``MainZone``; empty if the file gives none.
        spans: tagged parts of the text.
        text_index: of the TextEquiv of PAGE that the text comes from; None if it has none, or the format knows none.
            Programs such as LAREX number transcriptions 0 and the texts of recognizers from 1 on.
        orientation: quarter turns clockwise by which its writing is turned, 0 to 3, as the file says of its region; of
            a vertical line, those by which a line from left to right would run like it.
        problem: why the line cannot be cropped, and the remedy (``its baseline has a single point; draw it again``);
            empty if it can.
        table: id of the table that contains the line; empty outside of tables.
        cell: its position in that table; None if the file does not say it.
        vertical: how it runs if its characters stand below each other, as in Chinese; empty for other lines.
        direction: base direction that the file states, by itself or by a language that is written from right to left.
    """

    id: str
    text: str = ""
    polygon: Points = field(default_factory=no_points)
    baseline: Points = field(default_factory=no_points)
    type: str = ""
    region: str = ""
    region_type: str = ""
    spans: tuple[Span, ...] = ()
    problem: str = ""
    text_index: int | None = None
    orientation: int = 0
    table: str = ""
    cell: Cell | None = None
    vertical: Vertical = ""
    direction: StatedDirection = ""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page with its lines.

    Attributes:
        path: of the layout file.
        image_name: name of the image in the file (may contain folders); empty if the file names none.
        size: width and height of the page in the unit of all points; None if the file gives none. The unit may be
            pixels of the scan, pixels of a smaller copy, or tenths of a millimeter.
        lines: in reading order.
        number: of the page in its document, from 1; None if the file gives none.
    """

    path: Path
    image_name: str
    size: tuple[float, float] | None
    lines: tuple[PageLine, ...]
    number: int | None = None

    def find_slivers(self) -> frozenset[str]:
        """Return the ids of lines with a baseline whose polygon is far lower than those of the other lines.

        Transkribus gives such a polygon, 15 px high, to lines that were added by hand.
        """
        heights = {line.id: _measure_height(line.polygon) for line in self.lines if len(line.polygon) > 2}
        if len(heights) < _MIN_LINES_TO_COMPARE:
            return frozenset()
        limit = _SLIVER * float(np.median(list(heights.values())))
        return frozenset(
            line.id for line in self.lines if len(line.baseline) > 1 and heights.get(line.id, limit) < limit
        )

    def find_misplaced_outlines(self) -> frozenset[str]:
        """Return the ids of lines whose polygon is elsewhere than their baseline, or outside the page.

        Where most polygons of a page are, as those of a picture of another scale, those that contain their baseline by
        chance are returned as well.
        """
        both = [line for line in self.lines if len(line.polygon) > 2 and len(line.baseline) > 1]
        if len(both) < _MIN_LINES_TO_COMPARE:
            return frozenset()  # nothing tells how high a band has to be
        misplaced = frozenset(line.id for line in both if self._is_misplaced(line))
        return frozenset(line.id for line in both) if len(misplaced) > _MOSTLY * len(both) else misplaced

    def _is_misplaced(self, line: PageLine) -> bool:
        """Return whether cropping along the baseline is impossible, by the rule of `image.crop.crop_line`."""
        low, high = line.polygon.min(axis=0).astype(np.float64), line.polygon.max(axis=0).astype(np.float64)
        if self.size and (np.minimum(high, self.size) - np.maximum(low, 0) < _MOSTLY * (high - low)).any():
            return True
        margin = (high - low).max() if (high - low).min() < 1 else (high - low).min()
        try:
            clip_baseline(orient_rightwards(line.baseline), low - margin, high + margin, "its outline")
        except DataError:
            return True
        return False

    def find_unreliable_outlines(self) -> frozenset[str]:
        """Return the ids of lines that a band around the baseline shows better than their polygon does."""
        return self.find_slivers() | self.find_misplaced_outlines()

    @property
    def line_spacing(self) -> float:
        """Median distance of neighboring baselines; the height of the band around one without polygon.

        That of most lines counts: of those that run across, or of those that run up or down.
        """
        lines = [line for line in self.lines if len(line.baseline) > 1]
        turned = [line for line in lines if line.orientation % 2]
        axis = 0 if 2 * len(turned) > len(lines) else 1
        lines = turned if axis == 0 else [line for line in lines if line.orientation % 2 == 0]
        heights = sorted(float(np.median(line.baseline[:, axis])) for line in lines)
        steps = [step for step in np.diff(heights) if step > 0]
        return float(np.median(steps)) if steps else (self.size[1] if self.size else 3000.0) * _DEFAULT_LINE_SPACING


def _measure_height(polygon: Points) -> float:
    """Return the mean height of a polygon: its area divided by its longer side."""
    x, y = polygon.astype(np.float64).T
    area = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    return area / max(float(np.ptp(x)), float(np.ptp(y)), 1.0)
