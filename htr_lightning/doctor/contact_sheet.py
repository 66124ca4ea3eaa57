"""The contact sheet of the report: which lines to check by eye, and their pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, Split, preprocess_pixels
from htr_lightning.doctor.diagnosis import Diagnosis
from htr_lightning.doctor.outliers import describe_outlier
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.report.picture import encode_jpeg_uri

NUM_RANDOM, NUM_EXTREME, MAX_OUTLIERS = 12, 6, 24


@dataclass(frozen=True, slots=True)
class LinePicture:
    """A line on the contact sheet.

    Attributes:
        split: of the line.
        id: of the line.
        text: its transcription.
        reason: why it was chosen; empty for a random one.
        image: the original image, scaled down, as a data URI; empty if it could not be read again.
        preprocessed: the preprocessed image as a data URI; empty if it could not be read again.
    """

    split: Split
    id: str
    text: str
    reason: str
    image: str
    preprocessed: str = ""


Choice = tuple[Split, int, str]
"""Split, row and reason of a line to draw."""


def draw_contact_sheet(
    diagnosis: Diagnosis, lines: Mapping[Split, Sequence[Line]], preprocess: Preprocess, seed: int = 1
) -> dict[str, list[LinePicture]]:
    """Read the lines to check once more, and draw them.

    Args:
        diagnosis: of ``lines``.
        lines: of all splits.
        preprocess: of the run.
        seed: of the random choice.

    Returns:
        The pictures of each section, by its heading, without empty sections.
    """
    sections = {
        heading: _draw(choices, lines, preprocess) for heading, choices in choose_lines(diagnosis, seed).items()
    }
    return {heading: pictures for heading, pictures in sections.items() if pictures}


def choose_lines(diagnosis: Diagnosis, seed: int) -> dict[str, list[Choice]]:
    """Choose the lines to draw, by section."""
    facts = diagnosis.facts
    places = [(split, int(row)) for split, rows in facts.items() for row in np.flatnonzero(rows.usable)]
    widths = np.concatenate([rows.input_widths_px[rows.usable] for rows in facts.values()])
    ink = np.concatenate([rows.ink[rows.usable] for rows in facts.values()])
    by_width, by_ink = np.argsort(widths, kind="stable"), np.argsort(ink, kind="stable")
    random_rows = np.sort(np.random.default_rng(seed).permutation(len(places))[:NUM_RANDOM])

    def choose(order: NDArray[np.int64], reason: str) -> list[Choice]:
        height = diagnosis.settings.height_px
        return [(*places[i], reason.format(width=widths[i], ink=100 * ink[i], height=height)) for i in order.tolist()]

    return {
        "Suspicious": [(o.split, o.row, describe_outlier(facts, o)) for o in diagnosis.outliers[:MAX_OUTLIERS]],
        "Least ink": choose(by_ink[:NUM_EXTREME], "{ink:.2f} % of the pixels are dark"),
        "Narrowest": choose(by_width[:NUM_EXTREME], "{width:,} px wide at {height} px height"),
        "Widest": choose(by_width[::-1][:NUM_EXTREME], "{width:,} px wide at {height} px height"),
        "Random": choose(random_rows, ""),
    }


def _draw(
    choices: Sequence[Choice], lines: Mapping[Split, Sequence[Line]], preprocess: Preprocess
) -> list[LinePicture]:
    pictures = []
    for split, row, reason in choices:
        line = lines[split][row]
        try:
            image = line.image.read(preprocess.max_pixels)
            preprocessed = preprocess_pixels(line.image, image, preprocess)
        except DataError:  # the file has changed since it was read: a network drive, or somebody edits the data
            pictures.append(LinePicture(split, line.id, line.text, f"{reason}; cannot be read any more", ""))
            continue
        uris = encode_jpeg_uri(image), encode_jpeg_uri(preprocessed)
        pictures.append(LinePicture(split, line.id, line.text, reason, *uris))
    return pictures
