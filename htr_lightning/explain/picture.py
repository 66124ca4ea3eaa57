"""The picture of an explained line: its pixels, what each character depends on, and the network's words below."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from htr_lightning.charset import BLANK
from htr_lightning.explain.attribution import Attributions
from htr_lightning.explain.evidence import Evidence, Seen
from htr_lightning.explain.tint import Color, Rgb, color_of, enlarged, stacked, tinted
from htr_lightning.report.panel import load_font
from htr_lightning.text import escape_unprintable

OTHERS, BLANK_GROUND, INK, FAINT = (206, 38, 20), (233, 235, 239), (29, 33, 37), (98, 106, 115)
"""Colors of the lane: of all characters but the one that was read, and of the blank; and of the type."""

MOST_WIDTH_PX = 1620
_LINE_PX = 144  # height of a line in the picture, about
_LETTERS, _LANE, _STEP, _GAP, _MARGIN = 40, 84, 18, 8, 16  # px
_SHOWN = 3  # alternatives below a character
_SURE, _LIKELY = 0.9, 0.04  # probabilities: above the first none is written, below the second no alternative is
_SEARCH = 0.4  # how far from its due place a line may be broken, as a share of a row


def draw_sheet(evidence: Evidence, found: Attributions) -> Image.Image:
    """Draw the whole picture, with the text above and what the colors mean below."""
    rows = draw_rows(evidence, found)
    large, small = load_font(26), load_font(15)
    words = f"{escape_unprintable(evidence.id)}  ·  {confidence_in_words(evidence)}"
    text = escape_unprintable(evidence.text) or "(nothing)"
    width = max(*(row.width for row in rows), int(large.getlength(text)), int(small.getlength(words)), 560)
    height = 84 + sum(row.height + 18 for row in rows) + 2 * 24
    sheet = Image.new("RGB", (width + 2 * _MARGIN, height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 10), text, INK, large)
    draw.text((_MARGIN, 48), words, FAINT, small)
    y = 84
    for row in rows:
        sheet.paste(row, (_MARGIN, y))
        y += row.height + 18
    draw.text((_MARGIN, y + 24), "ink: in the color of the character that it speaks for most", FAINT, small)
    x = _MARGIN
    for color, meaning in ((color_of(0), "read"), (OTHERS, "other characters"), (BLANK_GROUND, "blank: none")):
        draw.rectangle([x, y + 4, x + 12, y + 16], color)
        draw.text((x + 18, y), meaning, FAINT, small)
        x += 40 + int(small.getlength(meaning))
    return sheet


def confidence_in_words(evidence: Evidence) -> str:
    """Return how sure the network is of the text."""
    sure = f"{100 * evidence.confidence:.3g}\u00a0%"
    return f"given; the model's probability of it is {sure}" if evidence.given else f"read, and {sure} sure of it all"


def draw_rows(evidence: Evidence, found: Attributions) -> list[Image.Image]:
    """Draw the line in rows that are no wider than a page."""
    ink = tinted(evidence.pixels, found)
    shares = list(_shares(evidence))
    return [_Row(evidence, ink, shares, *columns).draw() for columns in rows_of(evidence)]


def scale_of(evidence: Evidence) -> int:
    """Return by how much the line is enlarged."""
    return max(1, round(_LINE_PX / len(evidence.pixels)))


def rows_of(evidence: Evidence) -> list[tuple[int, int]]:
    """Return the columns of the line that each row of the picture holds.

    Rows are about equally long, and broken between characters, rather between words.
    """
    width = evidence.pixels.shape[1]
    number = -(-width * scale_of(evidence) // MOST_WIDTH_PX)
    characters = [seen.character for seen in evidence.characters]
    between: list[tuple[int, bool]] = []
    for left, right in itertools.pairwise(characters):
        middle = round((left.end_px + right.start_px) / 2) if left.text != " " else round(right.start_px) - 1
        between.append((middle, left.text == " "))
    cuts = [0]
    for row in range(1, number):
        due = row * width // number
        reach = round(_SEARCH * width / number)
        near = [(abs(at - due) - reach * space, at) for at, space in between if abs(at - due) < reach]
        cuts.append(max(cuts[-1] + 1, min(near)[1] if near else due))
    return list(zip(cuts, [*cuts[1:], width], strict=True))


def _shares(evidence: Evidence) -> Iterator[tuple[NDArray[np.float64], Color]]:
    """Yield the probability of each character around its frames, and at last of all others together, ``(T,)``."""
    probabilities = evidence.probabilities.astype(np.float64)
    others = 1 - probabilities[:, BLANK]
    seen = evidence.characters
    bounds = [(left.end + right.first + 1) // 2 for left, right in itertools.pairwise(seen)]
    for place, (start, end) in enumerate(zip([0, *bounds], [*bounds, len(others)], strict=True) if seen else ()):
        own = np.zeros(len(others))
        own[start:end] = probabilities[start:end, seen[place].class_id]
        others = others - own
        yield own, color_of(place)
    yield others.clip(0), OTHERS


class _Row:
    """A part of a line.

    Args:
        evidence: of the line.
        ink: ``(H, W, 3)``, the line in the colors of its characters.
        shares: see `_shares`.
        left: first column.
        right: the one behind the last.
    """

    def __init__(
        self, evidence: Evidence, ink: Rgb, shares: list[tuple[NDArray[np.float64], Color]], left: int, right: int
    ) -> None:
        self.evidence, self.ink, self.shares = evidence, ink, shares
        self.left, self.right, self.scale = left, right, scale_of(evidence)
        self.large, self.small = load_font(24), load_font(14)
        self.line_px = len(evidence.pixels) * self.scale
        self.inside = [
            (place, seen) for place, seen in enumerate(evidence.characters) if left <= self._middle_px(seen) < right
        ]

    def draw(self) -> Image.Image:
        lane_top = 2 * self.line_px + _GAP + _LETTERS
        height = lane_top + _LANE + 4 + max((len(self._notes(seen)) for _, seen in self.inside), default=0) * _STEP
        picture = Image.new("RGB", ((self.right - self.left) * self.scale, height), "white")
        columns = slice(self.left, self.right)
        picture.paste(Image.fromarray(enlarged(self.evidence.pixels[:, columns], self.scale)), (0, 0))
        picture.paste(Image.fromarray(enlarged(self.ink[:, columns], self.scale)), (0, self.line_px + _GAP))
        picture.paste(Image.fromarray(self._lane()), (0, lane_top))
        draw = ImageDraw.Draw(picture)
        for place, seen in self.inside:
            x = (self._middle_px(seen) - self.left) * self.scale
            self._letter(draw, x, lane_top - 9, seen.character.text, color_of(place))
            for number, (words, color) in enumerate(self._notes(seen)):
                draw.text((x, lane_top + _LANE + 4 + number * _STEP), words, color, self.small, "ma")
        return picture

    def _middle_px(self, seen: Seen) -> float:
        return (seen.peak + 0.5) * self.evidence.frame_px

    def _lane(self) -> Rgb:
        """The probabilities of the frames, from below: the character that was read, the others, the blank."""
        columns = self.left + (np.arange((self.right - self.left) * self.scale) + 0.5) / self.scale
        middles = (np.arange(len(self.evidence.probabilities)) + 0.5) * self.evidence.frame_px
        values = [(np.interp(columns, middles, share), color) for share, color in self.shares]
        return stacked([value for value in values if value[0].any()] or values[-1:], _LANE, BLANK_GROUND)

    def _letter(self, draw: ImageDraw.ImageDraw, x: float, base: float, text: str, color: Color) -> None:
        if text == " ":  # the typeface has no sign for it
            draw.line([(x - 7, base - 5), (x - 7, base), (x + 7, base), (x + 7, base - 5)], color, 2)
        else:
            draw.text((x, base), escape_unprintable(text), color, self.large, "ms")

    def _notes(self, seen: Seen) -> list[tuple[str, Color]]:
        """Words below a character that the network is not sure of: its probability, then what else it may be."""
        own = seen.character.confidence
        if own >= _SURE:
            return []
        likely = [(text, p) for text, p in seen.alternatives if text != seen.character.text and p >= _LIKELY]
        alternatives = [
            (f"{'–' if not text else '_' if text == ' ' else escape_unprintable(text)} {100 * p:.0f}", OTHERS)
            for text, p in likely[:_SHOWN]
        ]
        return [(f"{100 * own:.0f}", INK), *alternatives]
