"""The page of an explained line: one HTML file that needs nothing else."""

import html

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.explain.attribution import Attributions, Method
from htr_lightning.explain.evidence import Evidence, Seen
from htr_lightning.explain.picture import confidence_in_words, draw_rows
from htr_lightning.explain.tint import color_of, enlarged, heat, smoothed
from htr_lightning.report.html import document, figure, glyph, shown, signature, style_of
from htr_lightning.report.picture import encode_png_uri
from htr_lightning.text import escape_unprintable

_REACH = 1.6  # what is shown on both sides of a character, as a share of the line's height
_LEAST = 0.001  # probability of an alternative that is shown

_LANE = (
    "Above, the line as the network saw it, then its ink in the color of the character that it speaks for most. "
    "Below, what the network says of each frame: the color is the probability of the character above it, red that of "
    "all other characters, gray that of the blank. Where it is less sure: its probability in per cent, and what else "
    "it may be."
)
_METHODS: dict[Method, str] = {
    "integrated-gradients": "Integrated gradients (Sundararajan et al. 2017): the ink is drawn in from blank paper, "
    "and what each pixel adds to the character's log-probability is summed up. Paper that is blank adds nothing, also "
    "where a gap in a letter is what tells it from another.",
    "grad-cam": "Grad-CAM (Selvaraju et al. 2017), place by place (Draelos and Carin 2020): where the last features of "
    "the convolutions speak for the character. Coarse, and only what speaks for it is shown.",
}


def render_page(evidence: Evidence, found: Attributions, method: Method) -> str:
    """Write the page.

    Args:
        evidence: what the network says of the line.
        found: which pixels its characters depend on.
        method: how this was found.
    """
    text = evidence.text
    head = f'<h1><bdi class="text">{shown(text)}</bdi></h1>' if text else "<h1>Nothing was read</h1>"
    body = [
        head,
        f'<p class="faint"><span class="id">{shown(evidence.id)}</span>, {confidence_in_words(evidence)}</p>',
        "" if text else "<p>The blank is the most probable class of every frame, or there are only spaces.</p>",
        figure("Frame by frame", _LANE, _rows(evidence, found)),
        _characters(evidence, found, method),
        signature(),
    ]
    return document(f"{text or 'nothing'} ({evidence.id})", body, style_of("htr_lightning.explain"))


def _rows(evidence: Evidence, found: Attributions) -> str:
    rows = draw_rows(evidence, found)
    words = html.escape(escape_unprintable(f"the line, and what was read in it: {evidence.text or 'nothing'}"))
    widest = max(row.width for row in rows)
    return "\n".join(
        f'<img class="row" style="width: {100 * row.width / widest:.1f}%; max-width: {row.width}px" '
        f'src="{encode_png_uri(row)}" alt="{"" if number else words}">'
        for number, row in enumerate(rows)
    )


def _characters(evidence: Evidence, found: Attributions, method: Method) -> str:
    if not found.places:
        return ""
    cards = "\n".join(
        _card(evidence, evidence.characters[place], place, attribution)
        for place, attribution in zip(found.places, found.maps, strict=True)
    )
    signs = "Red speaks for the character, blue against it. " if method == "integrated-gradients" else ""
    gap = (
        f"What is added up misses the whole by {100 * found.gap:.0f} % (median); more <code>--steps</code> come "
        "closer. "
        if method == "integrated-gradients"
        else ""
    )
    return (
        f'<h2>Character by character</h2>\n<p class="faint">{signs}{_METHODS[method]} {gap}Under a '
        f"picture, a bar marks the character's place, and a number says how much of what there is in the whole line "
        f'the picture shows.</p>\n<div class="cards">\n{cards}\n</div>'
    )


def _card(evidence: Evidence, seen: Seen, place: int, attribution: NDArray[np.float32]) -> str:
    left, right = window(evidence, seen)
    soft = smoothed(attribution)
    picture = heat(evidence.pixels[:, left:right], soft[:, left:right])
    inside = float(np.abs(soft[:, left:right]).sum() / max(1e-9, np.abs(soft).sum()))
    color = "#{:02x}{:02x}{:02x}".format(*color_of(place))
    under = np.full((2, right - left, 3), 255, np.uint8)
    under[:, max(0, round(seen.character.start_px) - left) : round(seen.character.end_px) - left] = color_of(place)
    factor = max(1, round(96 / len(evidence.pixels)))
    image = encode_png_uri(Image.fromarray(enlarged(np.concatenate([picture, under]), factor)))
    own = seen.character.text
    bars = [_bar(text, p, text == own) for text, p in seen.alternatives if p >= _LEAST or text == own]
    if own not in dict(seen.alternatives):  # of a text that was given
        bars.append(_bar(own, seen.character.confidence, True))
    frames = f"frame {seen.first + 1}" if seen.end == seen.first + 1 else f"frames {seen.first + 1}–{seen.end}"
    words = html.escape(escape_unprintable(f"what {seen.character.text} depends on"))
    return (
        f'<div class="card" style="--of: {color}"><div class="name"><b>{glyph(seen.character.text)}</b>'
        f'<span class="faint">{place + 1} · {frames}</span></div>'
        f'<img src="{image}" alt="{words}"><div class="faint shown">{100 * inside:.0f} % of it shown</div>'
        f"{''.join(bars)}</div>"
    )


def window(evidence: Evidence, seen: Seen) -> tuple[int, int]:
    """Return the columns of the line that the picture of a character shows."""
    height, width = evidence.pixels.shape
    middle = round((seen.first + seen.end) / 2 * evidence.frame_px)
    reach = round(_REACH * height)
    left = max(0, min(middle - reach, width - 2 * reach))
    return left, min(width, left + 2 * reach)


def _bar(text: str, probability: float, own: bool) -> str:
    name = glyph(text) if text else "<i>blank</i>"
    return (
        f'<div class="bar{" own" if own else ""}"><span>{name}</span>'
        f'<i style="width: {100 * probability:.1f}%"></i><small>{100 * probability:.1f}</small></div>'
    )
