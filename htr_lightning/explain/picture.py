"""The picture of an explained line: its pixels, the characters that they matter for, and the network's output."""

import itertools
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from htr_lightning.charset import BLANK
from htr_lightning.explain.attribution import Attributions
from htr_lightning.explain.colors import Color, Rgb, draw_stacked, enlarge, get_color, tint_ink
from htr_lightning.explain.line_output import CharacterOutput, LineOutput
from htr_lightning.metrics import Floats
from htr_lightning.report.panel import load_font
from htr_lightning.text import escape_unprintable

OTHERS, BLANK_COLOR, INK, FAINT = (206, 38, 20), (233, 235, 239), (29, 33, 37), (98, 106, 115)
"""Colors of the probabilities of all other characters and of the blank; and of the type."""

MAX_WIDTH_PX = 1620
_LINE_PX = 144  # approximate height of a line in the picture
_LETTERS_PX, _CHART_PX, _NOTE_PX, _GAP_PX, _MARGIN_PX = 40, 84, 18, 8, 16
_MAX_ALTERNATIVES = 3  # below a character
_MAX_NOTED_CONFIDENCE = 0.9  # of a character with notes below it
_MIN_ALTERNATIVE = 0.04  # probability
_BREAK_RANGE = 0.4  # distance from the even position where a row may be broken, as a fraction of its width


def draw_explanation(output: LineOutput, attributions: Attributions) -> Image.Image:
    """Draw the whole picture, with the text above it and a legend below."""
    rows = draw_rows(output, attributions)
    large, small = load_font(26), load_font(15)
    subtitle = f"{escape_unprintable(output.id)}  ·  {describe_confidence(output)}"
    text = escape_unprintable(output.text) or "(empty)"
    width = max(*(row.width for row in rows), int(large.getlength(text)), int(small.getlength(subtitle)), 560)
    height = 84 + sum(row.height + 18 for row in rows) + 2 * 24
    picture = Image.new("RGB", (width + 2 * _MARGIN_PX, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((_MARGIN_PX, 10), text, INK, large)
    draw.text((_MARGIN_PX, 48), subtitle, FAINT, small)
    y = 84
    for row in rows:
        picture.paste(row, (_MARGIN_PX, y))
        y += row.height + 18
    draw.text((_MARGIN_PX, y + 24), "ink: in the color of the character that depends on it most", FAINT, small)
    x = _MARGIN_PX
    for color, meaning in ((get_color(0), "text"), (OTHERS, "other characters"), (BLANK_COLOR, "blank")):
        draw.rectangle([x, y + 4, x + 12, y + 16], color)
        draw.text((x + 18, y), meaning, FAINT, small)
        x += 40 + int(small.getlength(meaning))
    return picture


def describe_confidence(output: LineOutput) -> str:
    """Describe where the text comes from and its confidence."""
    confidence = f"{100 * output.confidence:.3g}\u00a0%"
    return f"given text, probability {confidence}" if output.is_given else f"prediction, confidence {confidence}"


def draw_rows(output: LineOutput, attributions: Attributions) -> list[Image.Image]:
    """Draw the line in rows that are no wider than a page."""
    ink = tint_ink(output.pixels, attributions)
    probabilities = list(_split_probabilities(output))
    return [_Row(output, ink, probabilities, *columns).draw() for columns in split_rows(output)]


def compute_scale(output: LineOutput) -> int:
    """Return the factor by which the line is enlarged."""
    return max(1, round(_LINE_PX / len(output.pixels)))


def split_rows(output: LineOutput) -> list[tuple[int, int]]:
    """Return the first column of each row of the picture, and the one after its last.

    Rows have about the same width, and are broken between characters, preferably between words.
    """
    width = output.pixels.shape[1]
    number = -(-width * compute_scale(output) // MAX_WIDTH_PX)
    characters = [character.character for character in output.characters]
    breaks: list[tuple[int, bool]] = []  # column, and whether it is between words
    for left, right in itertools.pairwise(characters):
        middle = round((left.end_px + right.start_px) / 2) if left.text != " " else round(right.start_px) - 1
        breaks.append((middle, left.text == " "))
    starts = [0]
    for row in range(1, number):
        even = row * width // number
        reach = round(_BREAK_RANGE * width / number)
        costs = [(abs(at - even) - reach * is_space, at) for at, is_space in breaks if abs(at - even) < reach]
        starts.append(max(starts[-1] + 1, min(costs)[1] if costs else even))
    return list(zip(starts, [*starts[1:], width], strict=True))


def _split_probabilities(output: LineOutput) -> Iterator[tuple[Floats, Color]]:
    """Yield the probability of each character near its frames, and at last that of all other characters, ``(T,)``."""
    probabilities = output.probabilities.astype(np.float64)
    others = 1 - probabilities[:, BLANK]
    characters = output.characters
    if characters:
        middles = [(left.end + right.first + 1) // 2 for left, right in itertools.pairwise(characters)]
        for position, (start, end) in enumerate(zip([0, *middles], [*middles, len(others)], strict=True)):
            own = np.zeros(len(others))
            own[start:end] = probabilities[start:end, characters[position].class_id]
            others = others - own
            yield own, get_color(position)
    yield others.clip(0), OTHERS


class _Row:
    """A part of a line.

    Args:
        output: of the network for the line.
        ink: ``(H, W, 3)``, the line in the colors of its characters.
        probabilities: see `_split_probabilities`.
        left: first column.
        right: the column after the last.
    """

    def __init__(
        self, output: LineOutput, ink: Rgb, probabilities: list[tuple[Floats, Color]], left: int, right: int
    ) -> None:
        self.output, self.ink, self.probabilities = output, ink, probabilities
        self.left, self.right, self.scale = left, right, compute_scale(output)
        self.large, self.small = load_font(24), load_font(14)
        self.line_px = len(output.pixels) * self.scale
        self.characters = [
            (position, character)
            for position, character in enumerate(output.characters)
            if left <= self._get_middle_px(character) < right
        ]

    def draw(self) -> Image.Image:
        chart_top = 2 * self.line_px + _GAP_PX + _LETTERS_PX
        notes_top = chart_top + _CHART_PX + 4
        num_notes = max((len(self._write_notes(character)) for _, character in self.characters), default=0)
        size = ((self.right - self.left) * self.scale, notes_top + num_notes * _NOTE_PX)
        picture = Image.new("RGB", size, "white")
        columns = slice(self.left, self.right)
        picture.paste(Image.fromarray(enlarge(self.output.pixels[:, columns], self.scale)), (0, 0))
        picture.paste(Image.fromarray(enlarge(self.ink[:, columns], self.scale)), (0, self.line_px + _GAP_PX))
        picture.paste(Image.fromarray(self._draw_chart()), (0, chart_top))
        draw = ImageDraw.Draw(picture)
        for position, character in self.characters:
            x = (self._get_middle_px(character) - self.left) * self.scale
            self._draw_letter(draw, x, chart_top - 9, character.character.text, get_color(position))
            for number, (note, color) in enumerate(self._write_notes(character)):
                draw.text((x, notes_top + number * _NOTE_PX), note, color, self.small, "ma")
        return picture

    def _get_middle_px(self, character: CharacterOutput) -> float:
        return (character.peak + 0.5) * self.output.frame_px

    def _draw_chart(self) -> Rgb:
        """Draw the stacked probabilities of the frames: the character of the text, the others, the blank."""
        columns = self.left + (np.arange((self.right - self.left) * self.scale) + 0.5) / self.scale
        middles = (np.arange(len(self.output.probabilities)) + 0.5) * self.output.frame_px
        values = [(np.interp(columns, middles, frames), color) for frames, color in self.probabilities]
        visible = [value for value in values if value[0].any()] or values[-1:]
        return draw_stacked(visible, _CHART_PX, BLANK_COLOR)

    def _draw_letter(self, draw: ImageDraw.ImageDraw, x: float, base: float, text: str, color: Color) -> None:
        if text == " ":  # the font has no sign for it
            draw.line([(x - 7, base - 5), (x - 7, base), (x + 7, base), (x + 7, base - 5)], color, 2)
        else:
            draw.text((x, base), escape_unprintable(text), color, self.large, "ms")

    def _write_notes(self, character: CharacterOutput) -> list[tuple[str, Color]]:
        """Return the notes below a character with a low confidence: the confidence, then the alternatives."""
        confidence = character.character.confidence
        if confidence >= _MAX_NOTED_CONFIDENCE:
            return []
        notes: list[tuple[str, Color]] = [(f"{100 * confidence:.0f}", INK)]
        for text, probability in character.alternatives:
            if text != character.character.text and probability >= _MIN_ALTERNATIVE:
                label = "–" if not text else "_" if text == " " else escape_unprintable(text)
                notes.append((f"{label} {100 * probability:.0f}", OTHERS))
        return notes[: 1 + _MAX_ALTERNATIVES]
