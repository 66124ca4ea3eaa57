"""The confusion matrix as a picture."""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from htr_lightning.evaluation.confusion import Confusions, find_most_confused
from htr_lightning.report.panel import load_font
from htr_lightning.text import is_unprintable

NUM_CHARACTERS = 24
_CELL_PX, _LABEL_PX = 46, 84
_PALE, _RED, _GREEN = (255, 255, 255), (176, 24, 30), (226, 241, 230)
_INK, _FAINT, _RULE = (29, 33, 37), (98, 106, 115), (226, 223, 217)
_NONCHARACTER = "\uffff"  # every font draws its sign for missing glyphs


def draw_confusions(confusions: Confusions, number: int = NUM_CHARACTERS) -> Image.Image | None:
    """Draw the confusion matrix of the characters with the most errors: references by row, hypotheses by column.

    The diagonal holds the percentage of correct predictions; every other cell holds a count, and is the redder the
    larger its fraction of the row. The last column counts deletions, the last row insertions.

    Args:
        confusions: of all lines.
        number: of characters to draw at most.

    Returns:
        The picture; None if there are no errors.
    """
    characters = find_most_confused(confusions, number)
    if not characters:
        return None
    return _Matrix(confusions, characters).draw()


class _Matrix:
    """Draws a matrix, cell by cell."""

    def __init__(self, confusions: Confusions, characters: Sequence[str]) -> None:
        self.confusions, self.characters = confusions, characters
        self.small, self.large, self.heading = load_font(17), load_font(25), load_font(19)
        self.greatest = max(_compute_fractions(confusions, characters), default=1.0)
        size = _LABEL_PX + _CELL_PX * (len(characters) + 1) + 14
        self.picture = Image.new("RGB", (size, size), "white")
        self.drawing = ImageDraw.Draw(self.picture)

    def draw(self) -> Image.Image:
        last = len(self.characters)
        for row, reference in enumerate(self.characters):
            total = max(1, self.confusions.occurrences[reference])
            self._draw_label(row, reference)
            for column, hypothesis in enumerate(self.characters):
                if row == column:
                    self._draw_matches(row, reference)
                else:
                    self._draw_errors(row, column, self.confusions.substitutions[reference, hypothesis], total)
            self._draw_errors(row, last, self.confusions.deletions[reference], total)
        num_insertions = max(1, self.confusions.insertions.total())
        for column, hypothesis in enumerate(self.characters):
            self._draw_errors(last, column, self.confusions.insertions[hypothesis], num_insertions)
        self._draw_headings(last)
        return self.picture

    def _draw_headings(self, last: int) -> None:
        start, end = _LABEL_PX, _LABEL_PX + _CELL_PX * (last + 1)
        for number in range(last + 2):
            edge = _LABEL_PX + _CELL_PX * number
            self.drawing.line([(start, edge), (end, edge)], _RULE)
            self.drawing.line([(edge, start), (edge, end)], _RULE)
        middle = _LABEL_PX + _CELL_PX * (last + 0.5)
        self.drawing.text((middle, _LABEL_PX - 12), "none", _FAINT, self.small, "ms")
        self.drawing.text((_LABEL_PX - 10, middle), "none", _FAINT, self.small, "rm")
        self.drawing.text((start, 24), "predicted", _FAINT, self.heading, "ls")
        self.drawing.text((4, start - 12), "reference", _FAINT, self.small, "ls")

    def _draw_label(self, number: int, character: str) -> None:
        middle = _LABEL_PX + _CELL_PX * (number + 0.5)
        text, font = self._choose_label(character)
        self.drawing.text((middle, _LABEL_PX - 12), text, _INK, font, "ms")
        self.drawing.text((_LABEL_PX - 14, middle), text, _INK, font, "rm")

    def _choose_label(self, character: str) -> tuple[str, ImageFont.FreeTypeFont]:
        """Return the character itself if it is visible and the font has it, else its code point; and the font."""
        if character == " ":
            return "space", self.small
        text = f"◌{character}" if unicodedata.combining(character) else character
        is_missing = self.large.getmask(character).getbbox() and _look_equal(self.large, character, _NONCHARACTER)
        if is_unprintable(character) or is_missing:
            return f"{ord(character):04X}", self.small
        return text, self.large

    def _draw_matches(self, row: int, reference: str) -> None:
        self._fill_cell(row, row, _GREEN)
        total = self.confusions.occurrences[reference]
        if total:
            percent = 100 * self.confusions.count_matches(reference) / total
            self._write_cell(row, row, f"{int(percent)}", _FAINT)  # rounded down: 100 means no error at all

    def _draw_errors(self, row: int, column: int, count: int, total: int) -> None:
        if not count:
            return
        shade = 0.05 + 0.95 * min(1.0, np.sqrt(count / total / self.greatest))
        red, green, blue = (round(p + shade * (r - p)) for p, r in zip(_PALE, _RED, strict=True))
        self._fill_cell(row, column, (red, green, blue))
        text = f"{count}" if count < 10_000 else f"{count // 1000}k"
        self._write_cell(row, column, text, _PALE if shade > 0.5 else _INK)

    def _fill_cell(self, row: int, column: int, color: tuple[int, int, int]) -> None:
        left, top = _LABEL_PX + _CELL_PX * column, _LABEL_PX + _CELL_PX * row
        self.drawing.rectangle([left, top, left + _CELL_PX, top + _CELL_PX], color)

    def _write_cell(self, row: int, column: int, text: str, color: tuple[int, int, int]) -> None:
        middle = _LABEL_PX + _CELL_PX * (column + 0.5), _LABEL_PX + _CELL_PX * (row + 0.5)
        self.drawing.text(middle, text, color, self.small, "mm")


def _compute_fractions(confusions: Confusions, characters: Sequence[str]) -> Iterator[float]:
    """Yield the fraction of each character's occurrences that each substitution, and its deletion, accounts for."""
    for reference in characters:
        for hypothesis in characters:
            if count := confusions.substitutions[reference, hypothesis]:
                yield count / confusions.occurrences[reference]
        if count := confusions.deletions[reference]:
            yield count / confusions.occurrences[reference]


def _look_equal(font: ImageFont.FreeTypeFont, first: str, second: str) -> bool:
    return bytes(font.getmask(first)) == bytes(font.getmask(second))
