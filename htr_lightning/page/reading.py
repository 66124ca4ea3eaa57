"""What was found and read on a page, whatever it is written as afterwards."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Character, Word
from htr_lightning.page.layout import Points, no_points


@dataclass(frozen=True, slots=True, eq=False)
class ReadLine:
    """A line of a page, and what was read in it.

    Attributes:
        id: unique on its page, an XML name.
        text: empty where nothing could be read.
        confidence: 0..1, the recogniser's probability of the whole text.
        polygon: its outline, ``(n, 2)`` px of the page's image.
        baseline: ``(n, 2)`` px, from its beginning to its end.
        characters: those of the text with their places on the page, spaces included; in the order of the text. Empty
            where places were not asked for.
        words: see ``characters``: what stands between spaces.
        problem: why the line could not be read; empty where it could.
    """

    id: str
    text: str = ""
    confidence: float = 0.0
    polygon: Points = field(default_factory=no_points, repr=False)
    baseline: Points = field(default_factory=no_points, repr=False)
    characters: tuple[Character, ...] = field(default=(), repr=False)
    words: tuple[Word, ...] = field(default=(), repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ReadRegion:
    """Lines that belong together: a column, a paragraph, a note in the margin.

    Attributes:
        id: unique on its page, an XML name.
        polygon: around all of its lines, ``(n, 2)`` px.
        lines: in reading order.
        kind: ``paragraph`` or ``marginalia``, as PAGE calls them; or what a layout file called the region.
    """

    id: str
    polygon: Points = field(repr=False)
    lines: tuple[ReadLine, ...]
    kind: str = "paragraph"


@dataclass(frozen=True, slots=True, eq=False)
class ReadPage:
    """A page that was read.

    Attributes:
        image_name: of its image or document, without folders.
        width_px: of the image.
        height_px: of the image.
        regions: in reading order; none where no writing was found.
        number: of the page in a document of several, from 1; None for an image that is one page.
        model: what read it, as the user named it.
        notes: what the user should know of the page, one sentence each (such as that it lies upside down).
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8, its image; None where it is not kept.
    """

    image_name: str
    width_px: int
    height_px: int
    regions: tuple[ReadRegion, ...]
    number: int | None = None
    model: str = ""
    notes: tuple[str, ...] = ()
    pixels: NDArray[np.uint8] | None = field(default=None, repr=False)

    @property
    def lines(self) -> tuple[ReadLine, ...]:
        """All lines in reading order."""
        return tuple(line for region in self.regions for line in region.lines)

    @property
    def text(self) -> str:
        """The text in reading order: a row for each line, an empty row between regions."""
        return "\n\n".join("\n".join(line.text for line in region.lines) for region in self.regions)

    def _repr_html_(self) -> str:
        from htr_lightning.notebook import page_html

        return page_html(self)
