"""Synthetic lines that pages choose from, each rendered once; of vertical pages with their characters on their side."""

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from htr_lightning.data.line import Line
from htr_lightning.data.sources.fonts import find_supported_characters
from htr_lightning.data.sources.rendering import RenderedLine
from htr_lightning.data.sources.synthetic_image import SyntheticImage

_INK = 160  # gray value below which a pixel of a line has ink
_SIDEWAYS_BASELINE = 0.9  # of lines of characters on their side, relative to their height


class RenderedLines:
    """Synthetic lines by their font, each rendered once.

    Args:
        lines: of `Synthetic`.
        sideways: each character lies on its left side, as in vertical lines that were turned to run from left to right.
    """

    def __init__(self, lines: Sequence[Line], *, sideways: bool = False) -> None:
        self._sideways = sideways
        self._by_font: dict[str, list[SyntheticImage]] = {}
        for line in lines:
            assert isinstance(line.image, SyntheticImage)
            self._by_font.setdefault(line.group, []).append(line.image)
        self._rendered: dict[tuple[str, int], RenderedLine] = {}

    @property
    def fonts(self) -> list[str]:
        """Names of the fonts."""
        return list(self._by_font)

    def with_texts(self, sample: Callable[[np.random.Generator], str], symbols: frozenset[str], seed: int) -> Self:
        """Return as many lines with other texts, in the fonts that can write them; none if no font can.

        Args:
            sample: returns a text.
            symbols: all characters that the texts may contain.
            seed: of the texts and their pixels.
        """
        generator = np.random.default_rng([seed, 1])
        lines = []
        for font, images in self._by_font.items():
            for number, image in enumerate(images):
                text = sample(generator)
                if find_supported_characters(image.face.path, symbols).issuperset(text):
                    rendered = SyntheticImage(text, image.face, image.seed + 1, image.style)
                    lines.append(Line(f"{font}/{number}", rendered, text, font))
        return type(self)(lines, sideways=self._sideways)

    def choose(self, font: str, generator: np.random.Generator) -> RenderedLine:
        """Return a random line in a font."""
        number = int(generator.integers(len(self._by_font[font])))
        if (font, number) not in self._rendered:
            rendered = self._by_font[font][number].render()
            self._rendered[font, number] = lay_sideways(rendered) if self._sideways else rendered
        return self._rendered[font, number]


def lay_sideways(line: RenderedLine) -> RenderedLine:
    """Turn each character of a line counterclockwise, in its place; spaces become narrow."""
    rows = np.flatnonzero((line.image < _INK).any(1))
    if not len(rows):
        return line
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    starts, ends = np.floor(line.boxes[:, 0]).astype(int), np.ceil(line.boxes[:, 1]).astype(int)
    height = int((ends - starts).max())
    image = np.full((height, len(starts) * (bottom - top)), 255, np.uint8)
    boxes = []
    x = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        character = np.rot90(line.image[top:bottom, start:end])
        columns = np.flatnonzero((character < _INK).any(0))
        width = len(columns) and bottom - top
        y = (height - len(character)) // 2
        if width:
            image[y : y + len(character), x : x + width] = character
        step = width or (bottom - top) // 3
        boxes.append((x, x + step))
        x += step
    return RenderedLine(image[:, :x], np.array(boxes, np.float32), _SIDEWAYS_BASELINE * height)
