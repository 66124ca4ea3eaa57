"""The report of an explained line: a single HTML file without scripts or external resources."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.explain.attribution import Attributions, Method
from htr_lightning.explain.colors import draw_heat_map, enlarge, get_color, smooth
from htr_lightning.explain.line_output import CharacterOutput, LineOutput
from htr_lightning.explain.picture import describe_confidence, draw_rows
from htr_lightning.report.html import render_template
from htr_lightning.report.picture import encode_png_uri

_REACH = 1.6  # shown on both sides of a character, as a fraction of the line's height
_MIN_PROBABILITY = 0.001  # of an alternative that is shown


@dataclass(frozen=True, slots=True)
class Bar:
    """An alternative and its probability.

    Attributes:
        text: of the alternative; the empty string is the blank.
        probability: 0..1.
        is_own: it is the character of the text.
    """

    text: str
    probability: float
    is_own: bool


@dataclass(frozen=True, slots=True)
class Card:
    """The explanation of one character.

    Attributes:
        text: the character.
        number: its position in the text, counted from 1.
        frames: its first and last frame, counted from 1.
        color: as CSS.
        picture: its heat map, as a data URI.
        fraction: of the attribution in the whole line that lies within the picture.
        bars: the most probable characters in its frames.
    """

    text: str
    number: int
    frames: tuple[int, int]
    color: str
    picture: str
    fraction: float
    bars: Sequence[Bar]


def render_page(output: LineOutput, attributions: Attributions, method: Method) -> str:
    """Render the report.

    Args:
        output: of the network for the line.
        attributions: of its characters.
        method: of the attributions.
    """
    rows = draw_rows(output, attributions)
    return render_template(
        "explain/report.html.jinja",
        output=output,
        method=method,
        relative_delta=attributions.relative_delta,
        confidence=describe_confidence(output),
        rows=[(encode_png_uri(row), row.width) for row in rows],
        widest=max(row.width for row in rows),
        cards=[
            _draw_card(output, position, attribution)
            for position, attribution in zip(attributions.positions, attributions.maps, strict=True)
        ],
    )


def _draw_card(output: LineOutput, position: int, attribution: NDArray[np.float32]) -> Card:
    character = output.characters[position]
    left, right = choose_window(output, character)
    smoothed = smooth(attribution)
    heat_map = draw_heat_map(output.pixels[:, left:right], smoothed[:, left:right])
    marker = np.full((2, right - left, 3), 255, np.uint8)  # below the character
    start, end = round(character.character.start_px) - left, round(character.character.end_px) - left
    marker[:, max(0, start) : end] = get_color(position)
    factor = max(1, round(96 / len(output.pixels)))
    picture = Image.fromarray(enlarge(np.concatenate([heat_map, marker]), factor))
    return Card(
        character.character.text,
        position + 1,
        (character.first + 1, character.end),
        "#{:02x}{:02x}{:02x}".format(*get_color(position)),
        encode_png_uri(picture),
        float(np.abs(smoothed[:, left:right]).sum() / max(1e-9, np.abs(smoothed).sum())),
        _list_bars(character),
    )


def _list_bars(character: CharacterOutput) -> list[Bar]:
    own = character.character.text
    bars = [Bar(text, p, text == own) for text, p in character.alternatives if p >= _MIN_PROBABILITY or text == own]
    if own not in dict(character.alternatives):  # a character of a given text may be improbable
        bars.append(Bar(own, character.character.confidence, True))
    return bars


def choose_window(output: LineOutput, character: CharacterOutput) -> tuple[int, int]:
    """Return the first column of the picture of a character in its line, and the one after its last."""
    height, width = output.pixels.shape
    middle = round((character.first + character.end) / 2 * output.frame_px)
    reach = round(_REACH * height)
    left = max(0, min(middle - reach, width - 2 * reach))
    return left, min(width, left + 2 * reach)
