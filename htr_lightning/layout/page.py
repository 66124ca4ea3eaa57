"""What a layout file says of one page, whatever its format."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from htr_lightning.image.straighten import Points, no_points

_SHARE_OF_PAGE = 1 / 40  # of a page's only line


@dataclass(frozen=True, slots=True)
class Span:
    """A marked part of a line's text.

    Attributes:
        start: index of the first character in the text.
        length: characters; 0 for a place between two, where something is missing (``gap``).
        tag: what it is marked as, such as ``strikethrough``, ``unclear``, ``gap``, ``abbrev``.
    """

    start: int
    length: int
    tag: str


@dataclass(frozen=True, slots=True, eq=False)
class PageLine:
    """A line of text on a page.

    Attributes:
        id: as the file has it; unique on its page.
        text: as the file has it, not cleaned; empty when the line is not transcribed.
        polygon: its outline, or the corners of its box; may be empty.
        baseline: from its beginning to its end; may be empty.
        type: such as ``default``, ``heading``, ``marginalia``; empty when the file names none.
        region: id of the region it lies in.
        region_type: such as ``paragraph``, ``MainZone``; empty when the file names none.
        spans: marked parts of the text.
        problem: why the line cannot be cut out, as half a sentence with the remedy (``its baseline has a single
            point; draw it again``); empty when it can.
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


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page with its lines.

    Attributes:
        path: of the layout file.
        image_name: what the file calls its image, as written (may hold folders); empty when it names none.
        size: width and height that the coordinates refer to; None when the file does not say. The unit is any:
            pixels of the scan, of a smaller copy of it, tenths of a millimetre.
        lines: in reading order.
    """

    path: Path
    image_name: str
    size: tuple[float, float] | None
    lines: tuple[PageLine, ...]

    @property
    def line_spacing(self) -> float:
        """How far apart its baselines are: the height of the band around a baseline that has no outline."""
        heights = sorted(float(np.median(line.baseline[:, 1])) for line in self.lines if len(line.baseline) > 1)
        steps = [step for step in np.diff(heights) if step > 0]
        return float(np.median(steps)) if steps else (self.size[1] if self.size else 3000.0) * _SHARE_OF_PAGE
