"""Small synthetic datasets and single rendered lines."""

import hashlib

import numpy as np

from htr_lightning.data.line import Line
from htr_lightning.data.sources.fonts import find_fonts
from htr_lightning.data.sources.rendering import RenderedLine, Style, render_line

SMALL = {"num_train": 60, "num_val": 20, "num_test": 20}


def digest(lines: list[Line]) -> str:
    """Return one hash of all ids, texts, fonts and pixels."""
    state = hashlib.sha256()
    for line in lines:
        state.update(f"{line.id}|{line.text}|{line.group}|{line.image.fingerprint}".encode())
        state.update(line.image.read().tobytes())
    return state.hexdigest()


def render(text: str, font: str = "delius", style: Style | None = None, seed: int = 0) -> RenderedLine:
    face = find_fonts([font])[font].faces[0]
    return render_line(text, face, style or Style(), np.random.default_rng(seed))
