"""The contact sheet: which lines are worth a look, and their pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, Split
from htr_lightning.doctor.diagnosis import Diagnosis
from htr_lightning.doctor.suspicious import reason_of
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.report.picture import encode_jpeg_uri

RANDOM, EXTREME, ODD = 12, 6, 24
"""How many lines are drawn at random, of each extreme, and of the suspicious ones at most."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A line on the sheet.

    Attributes:
        split: where it is.
        id: of the line.
        text: what it is said to say.
        reason: why it is here; empty for a random one.
        image: the image as it comes, scaled down, as a data URI; empty if it could not be read again.
        seen: the same as the model sees it; empty where that would tell nothing new.
    """

    split: Split
    id: str
    text: str
    reason: str
    image: str
    seen: str = ""


Place = tuple[Split, int, str]
"""Split, row and reason of a line that is to be drawn."""


def draw_sheet(
    diagnosis: Diagnosis, lines: Mapping[Split, Sequence[Line]], preprocess: Preprocess, seed: int = 1
) -> dict[str, list[Picture]]:
    """Read the lines that are worth a look once more, and draw them.

    Args:
        diagnosis: of ``lines``.
        lines: of all splits, as their source gave them.
        preprocess: of the run that is planned.
        seed: of the random choice.

    Returns:
        The pictures of each section, by its heading; sections without lines are left out.
    """
    sections = {heading: _draw(places, lines, preprocess) for heading, places in choose(diagnosis, seed).items()}
    return {heading: pictures for heading, pictures in sections.items() if pictures}


def choose(diagnosis: Diagnosis, seed: int) -> dict[str, list[Place]]:
    """Choose the lines to draw, by section."""
    facts = diagnosis.facts
    places = [(split, int(row)) for split, rows in facts.items() for row in np.flatnonzero(rows.usable)]
    widths = np.concatenate([rows.line_px[rows.usable] for rows in facts.values()])
    ink = np.concatenate([rows.ink[rows.usable] for rows in facts.values()])
    by_width, by_ink = np.argsort(widths, kind="stable"), np.argsort(ink, kind="stable")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(places))[:RANDOM])

    def chosen(order: NDArray[np.int64], reason: str) -> list[Place]:
        height = diagnosis.settings.height_px
        return [(*places[i], reason.format(width=widths[i], ink=100 * ink[i], height=height)) for i in order.tolist()]

    return {
        "Suspicious": [(odd.split, odd.row, reason_of(facts, odd)) for odd in diagnosis.odd[:ODD]],
        "Least ink": chosen(by_ink[:EXTREME], "{ink:.2f} % of the pixels are dark"),
        "Narrowest": chosen(by_width[:EXTREME], "{width:,} px wide at {height} px height"),
        "Widest": chosen(by_width[::-1][:EXTREME], "{width:,} px wide at {height} px height"),
        "At random": chosen(drawn, ""),
    }


def _draw(places: Sequence[Place], lines: Mapping[Split, Sequence[Line]], preprocess: Preprocess) -> list[Picture]:
    pictures = []
    for split, row, reason in places:
        line = lines[split][row]
        try:
            image = line.image.read(preprocess.max_pixels)
            seen = preprocess(image)
        except DataError:  # it could be read a minute ago: a network drive, or somebody at work on the data
            pictures.append(Picture(split, line.id, line.text, f"{reason}; cannot be read any more", ""))
            continue
        pictures.append(Picture(split, line.id, line.text, reason, encode_jpeg_uri(image), encode_jpeg_uri(seen)))
    return pictures
