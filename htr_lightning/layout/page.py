"""The layout of a page, independent of the format of its file."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from htr_lightning.image.straighten import Points, no_points

_DEFAULT_LINE_SPACING = 1 / 40  # of the height of the page, if it has a single line


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
        problem: why the line cannot be cropped, and the remedy (``its baseline has a single point; draw it again``);
            empty if it can.
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

    @property
    def line_spacing(self) -> float:
        """Median vertical distance of neighboring baselines; the height of the band around one without polygon."""
        heights = sorted(float(np.median(line.baseline[:, 1])) for line in self.lines if len(line.baseline) > 1)
        steps = [step for step in np.diff(heights) if step > 0]
        return float(np.median(steps)) if steps else (self.size[1] if self.size else 3000.0) * _DEFAULT_LINE_SPACING
