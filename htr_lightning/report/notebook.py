"""What readings look like in a notebook."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Character
from htr_lightning.report.panel import draw_panel
from htr_lightning.report.picture import encode_jpeg_uri, encode_png_uri

NOTEBOOK_PX = 900
"""How wide a page is drawn."""


def render_page(title: str, notes: Sequence[str], text: str, picture: NDArray[np.uint8] | None) -> str:
    """Show a page: the image with what was found, what was read beside it.

    Args:
        title: what was found.
        notes: what the user should know of the page, one sentence each.
        text: of the page.
        picture: ``(H, W, 3)`` uint8, the page with what was found on it; None shows the text alone.
    """
    head = f"<p>{escape(title)}</p>" + "".join(f"<p>{escape(note)}</p>" for note in notes)
    if picture is None:
        return f"{head}<pre>{escape(text)}</pre>"
    uri = encode_jpeg_uri(picture, max_height_px=4 * NOTEBOOK_PX, max_width_px=2 * NOTEBOOK_PX)
    return f'{head}<img style="max-width: 100%" alt="{escape(text)}" src="{uri}">'


def render_line(
    pixels: NDArray[np.uint8] | None, text: str, confidence: float, characters: Sequence[Character], problem: str = ""
) -> str:
    """Show a line: as the network saw it, with each character below its place, redder where it is less sure.

    Args:
        pixels: ``(H, W)`` uint8; None shows the problem or the text alone.
        text: of the line.
        confidence: of the text, 0..1.
        characters: of the text with their places; empty where places are not known.
        problem: why the line could not be read; empty where it could.
    """
    if pixels is None:
        return f"<p>{escape(problem or text)}</p>"
    panel = draw_panel(
        [(pixels, "", text)], note=lambda _: f"{confidence:.0%}", characters=[characters] if characters else None
    )
    return f'<img style="max-width: 100%" alt="{escape(text)}" src="{encode_png_uri(panel)}">'
