"""The confusion matrix as a picture."""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from htr_lightning.evaluation.confusion import Confusions, most_confused
from htr_lightning.report.panel import load_font
from htr_lightning.text import is_unprintable

NUM_CHARACTERS = 24
_CELL, _LABEL = 46, 84  # px
_PALE, _RED, _GREEN, _INK, _FAINT, _RULE = (
    (255, 255, 255), (176, 24, 30), (226, 241, 230), (29, 33, 37), (98, 106, 115), (226, 223, 217),
)  # fmt: skip


def draw_confusions(confusions: Confusions, number: int = NUM_CHARACTERS) -> Image.Image | None:
    """Draw the characters with the most errors: what is written by row, what was read by column.

    The diagonal holds the share that was read rightly, in percent; every other cell holds how often it happened, and
    is the redder the larger its share of the row. The last column counts what was not read at all, the last row what
    was read where nothing is written.

    Returns:
        The picture; None where there is no error to show.
    """
    characters = most_confused(confusions, number)
    if not characters:
        return None
    return _Matrix(confusions, characters).draw()


class _Matrix:
    """Draws a matrix, cell by cell."""

    def __init__(self, confusions: Confusions, characters: Sequence[str]) -> None:
        self.confusions, self.characters = confusions, characters
        self.small, self.large, self.heading = load_font(17), load_font(25), load_font(19)
        self.most = max(_shares(confusions, characters), default=1.0)
        size = _LABEL + _CELL * (len(characters) + 1) + 14
        self.picture = Image.new("RGB", (size, size), "white")
        self.drawing = ImageDraw.Draw(self.picture)

    def draw(self) -> Image.Image:
        last = len(self.characters)
        for row, written in enumerate(self.characters):
            total = max(1, self.confusions.written[written])
            self._label(row, written)
            for column, read in enumerate(self.characters):
                if row == column:
                    self._right(row, written)
                else:
                    self._wrong(row, column, self.confusions.substitutions[written, read], total)
            self._wrong(row, last, self.confusions.deletions[written], total)
        inserted = max(1, self.confusions.insertions.total())
        for column, read in enumerate(self.characters):
            self._wrong(last, column, self.confusions.insertions[read], inserted)
        self._headings(last)
        return self.picture

    def _headings(self, last: int) -> None:
        start, end = _LABEL, _LABEL + _CELL * (last + 1)
        for at in range(last + 2):
            place = _LABEL + _CELL * at
            self.drawing.line([(start, place), (end, place)], _RULE)
            self.drawing.line([(place, start), (place, end)], _RULE)
        middle = _LABEL + _CELL * (last + 0.5)
        self.drawing.text((middle, _LABEL - 12), "none", _FAINT, self.small, "ms")
        self.drawing.text((_LABEL - 10, middle), "none", _FAINT, self.small, "rm")
        self.drawing.text((start, 24), "read as", _FAINT, self.heading, "ls")
        self.drawing.text((12, start - 12), "written", _FAINT, self.small, "ls")

    def _label(self, place: int, character: str) -> None:
        middle = _LABEL + _CELL * (place + 0.5)
        text, font = self._shown(character)
        self.drawing.text((middle, _LABEL - 12), text, _INK, font, "ms")
        self.drawing.text((_LABEL - 14, middle), text, _INK, font, "rm")

    def _shown(self, character: str) -> tuple[str, ImageFont.FreeTypeFont]:
        """Return what stands for a character: itself, if it can be seen and the typeface has it."""
        if character == " ":
            return "space", self.small
        text = f"◌{character}" if unicodedata.combining(character) else character
        missing = self.large.getmask(character).getbbox() and _same(self.large, character, "\uffff")
        return (f"{ord(character):04X}", self.small) if is_unprintable(character) or missing else (text, self.large)

    def _right(self, row: int, written: str) -> None:
        self._fill(row, row, _GREEN)
        total = self.confusions.written[written]
        if total:
            share = 100 * self.confusions.matches(written) / total
            self._write(row, row, f"{int(share)}", _FAINT)  # rounded down: 100 is without an error

    def _wrong(self, row: int, column: int, count: int, total: int) -> None:
        if not count:
            return
        shade = 0.05 + 0.95 * min(1.0, np.sqrt(count / total / self.most))
        red, green, blue = (round(p + shade * (r - p)) for p, r in zip(_PALE, _RED, strict=True))
        self._fill(row, column, (red, green, blue))
        self._write(row, column, f"{count}" if count < 10_000 else f"{count // 1000}k", _PALE if shade > 0.5 else _INK)

    def _fill(self, row: int, column: int, color: tuple[int, int, int]) -> None:
        left, top = _LABEL + _CELL * column, _LABEL + _CELL * row
        self.drawing.rectangle([left, top, left + _CELL, top + _CELL], color)

    def _write(self, row: int, column: int, text: str, color: tuple[int, int, int]) -> None:
        middle = _LABEL + _CELL * (column + 0.5), _LABEL + _CELL * (row + 0.5)
        self.drawing.text(middle, text, color, self.small, "mm")


def _shares(confusions: Confusions, characters: Sequence[str]) -> Iterator[float]:
    """Yield the share of each character's occurrences that were read as each other one, or not at all."""
    for written in characters:
        for read in characters:
            if count := confusions.substitutions[written, read]:
                yield count / confusions.written[written]
        if count := confusions.deletions[written]:
            yield count / confusions.written[written]


def _same(font: ImageFont.FreeTypeFont, first: str, second: str) -> bool:
    return bytes(font.getmask(first)) == bytes(font.getmask(second))
