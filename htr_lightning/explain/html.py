"""The report of an explained line: a single HTML file without scripts or external resources."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.explain.attribution import Attributions, Method
from htr_lightning.explain.evidence import Evidence, Seen
from htr_lightning.explain.picture import confidence_in_words, draw_rows
from htr_lightning.explain.tint import color_of, enlarged, heat, smoothed
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
    """What the page shows of one character.

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


def render_page(evidence: Evidence, found: Attributions, method: Method) -> str:
    """Render the page.

    Args:
        evidence: what the network says of the line.
        found: which pixels its characters depend on.
        method: how this was found.
    """
    rows = draw_rows(evidence, found)
    return render_template(
        "explain/report.html.jinja",
        evidence=evidence,
        method=method,
        gap=found.gap,
        confidence=confidence_in_words(evidence),
        rows=[(encode_png_uri(row), row.width) for row in rows],
        widest=max(row.width for row in rows),
        cards=[
            _draw_card(evidence, place, attribution)
            for place, attribution in zip(found.places, found.maps, strict=True)
        ],
    )


def _draw_card(evidence: Evidence, place: int, attribution: NDArray[np.float32]) -> Card:
    seen = evidence.characters[place]
    left, right = window(evidence, seen)
    soft = smoothed(attribution)
    picture = heat(evidence.pixels[:, left:right], soft[:, left:right])
    under = np.full((2, right - left, 3), 255, np.uint8)
    under[:, max(0, round(seen.character.start_px) - left) : round(seen.character.end_px) - left] = color_of(place)
    factor = max(1, round(96 / len(evidence.pixels)))
    image = Image.fromarray(enlarged(np.concatenate([picture, under]), factor))
    return Card(
        seen.character.text,
        place + 1,
        (seen.first + 1, seen.end),
        "#{:02x}{:02x}{:02x}".format(*color_of(place)),
        encode_png_uri(image),
        float(np.abs(soft[:, left:right]).sum() / max(1e-9, np.abs(soft).sum())),
        _list_bars(seen),
    )


def _list_bars(seen: Seen) -> list[Bar]:
    own = seen.character.text
    bars = [Bar(text, p, text == own) for text, p in seen.alternatives if p >= _MIN_PROBABILITY or text == own]
    if own not in dict(seen.alternatives):  # a character of a given text may be improbable
        bars.append(Bar(own, seen.character.confidence, True))
    return bars


def window(evidence: Evidence, seen: Seen) -> tuple[int, int]:
    """Return the columns of the line that the picture of a character shows."""
    height, width = evidence.pixels.shape
    middle = round((seen.first + seen.end) / 2 * evidence.frame_px)
    reach = round(_REACH * height)
    left = max(0, min(middle - reach, width - 2 * reach))
    return left, min(width, left + 2 * reach)
