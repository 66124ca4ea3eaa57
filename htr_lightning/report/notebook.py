"""How predicted pages and lines are displayed in a notebook, as HTML."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Character
from htr_lightning.report.html import render_template
from htr_lightning.report.panel import draw_panel
from htr_lightning.report.picture import encode_jpeg_uri, encode_png_uri

NOTEBOOK_PX = 900
"""Width of a page in the notebook; the picture has twice that for sharp screens."""

_TEMPLATE = "report/notebook.html.jinja"


def render_page(title: str, notes: Sequence[str], text: str, picture: NDArray[np.uint8] | None) -> str:
    """Render a page: its title, notes and picture.

    Args:
        title: a summary, such as the number of lines.
        notes: warnings about the page, one sentence each.
        text: of the page.
        picture: ``(H, W, 3)`` uint8, the page with its lines drawn on it; None shows the text instead.
    """
    uri = ""
    if picture is not None:
        uri = encode_jpeg_uri(picture, max_height_px=4 * NOTEBOOK_PX, max_width_px=2 * NOTEBOOK_PX)
    return render_template(_TEMPLATE, notes=[title, *notes], text=text, picture=uri)


def render_line(
    pixels: NDArray[np.uint8] | None, text: str, confidence: float, characters: Sequence[Character], problem: str = ""
) -> str:
    """Render a line: preprocessed, with each character below its ink, redder the lower its confidence.

    Args:
        pixels: ``(H, W)`` uint8; None shows the problem or the text instead.
        text: of the line.
        confidence: of the text, 0..1.
        characters: of the text with their positions; empty if unknown.
        problem: why the line could not be read; empty if it could.
    """
    if pixels is None:
        return render_template(_TEMPLATE, notes=[problem or text], text="", picture="")
    panel = draw_panel(
        [(pixels, "", text)], note=lambda _: f"{confidence:.0%}", characters=[characters] if characters else None
    )
    return render_template(_TEMPLATE, notes=[], text=text, picture=encode_png_uri(panel))
