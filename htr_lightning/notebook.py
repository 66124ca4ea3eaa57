"""What readings look like in a notebook."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from htr_lightning.report.picture import data_uri, png_uri

if TYPE_CHECKING:
    from htr_lightning.page.reading import ReadPage
    from htr_lightning.reader import Reading

_PAGE_PX = 900


def page_html(page: "ReadPage") -> str:
    """Show a page: the image with what was found, what was read beside it."""
    from htr_lightning.page.overlay import overlay

    title = f"{len(page.lines)} lines in {len(page.regions)} regions"
    notes = "".join(f"<p>{escape(note)}</p>" for note in page.notes)
    if page.pixels is None:
        return f"<p>{title}</p>{notes}<pre>{escape(page.text)}</pre>"
    picture = np.asarray(overlay(page, width_px=_PAGE_PX))
    uri = data_uri(picture, max_height_px=4 * _PAGE_PX, max_width_px=2 * _PAGE_PX)
    return f'<p>{title}</p>{notes}<img style="max-width: 100%" alt="{escape(page.text)}" src="{uri}">'


def line_html(reading: "Reading") -> str:
    """Show a line: as the network saw it, with each character below its place, redder where it is less sure."""
    from htr_lightning.panel import draw_panel

    if reading.pixels is None:
        return f"<p>{escape(reading.problem or reading.text)}</p>"
    panel = draw_panel(
        [(reading.pixels, "", reading.text)],
        note=lambda _: f"{reading.confidence:.0%}",
        places=[reading.characters] if reading.characters else None,
    )
    return f'<img style="max-width: 100%" alt="{escape(reading.text)}" src="{png_uri(panel)}">'
