"""Models of a project, and how well they read the lines that were held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from htr_lightning.correction.line_images import ConfirmedLine
from htr_lightning.correction.recognition import PageRecognizer, read_pixels
from htr_lightning.evaluation.intervals import LEVEL, bootstrap, compute_interval, compute_rate_interval

Interval = Sequence[float]
"""Lower and upper bound, 95 %."""


@dataclass(slots=True)
class LearnedModel:
    """A model of the project.

    Attributes:
        name: in the project: ``0001`` and so on; or the model that the project began with.
        created: time, ISO 8601.
        start: name of the model that it started from.
        num_lines: lines that it learned from.
        num_held_out: confirmed lines on which it was measured, from which it did not learn.
        before: CER on them of the model that it started from; None if there were none.
        after: its CER.
        before_interval: of ``before``; None if there are fewer than two lines.
        after_interval: of ``after``.
        gain_interval: of ``before - after``, on the same lines.
    """

    name: str
    created: str = ""
    start: str = ""
    num_lines: int = 0
    num_held_out: int = 0
    before: float | None = None
    after: float | None = None
    before_interval: Interval | None = None
    after_interval: Interval | None = None
    gain_interval: Interval | None = None

    def compare(self, before: Sequence[str], after: Sequence[str], references: Sequence[str]) -> None:
        """Measure the predictions of the model before and of this one against the texts of a person."""
        self.num_held_out = len(references)
        if not references:
            return
        lengths = np.array([len(text) for text in references], np.float64)
        edits = [
            np.array([Levenshtein.distance(a, b) for a, b in zip(texts, references, strict=True)], np.float64)
            for texts in (before, after)
        ]
        self.before, self.after = (float(values.sum() / lengths.sum()) for values in edits)
        if len(references) > 1:
            self.before_interval, self.after_interval = (
                compute_rate_interval(values.astype(int).tolist(), lengths.astype(int).tolist()) for values in edits
            )
            gains = bootstrap(lambda w: {"gain": (w @ (edits[0] - edits[1])) / (w @ lengths)}, len(references))
            self.gain_interval = compute_interval(gains["gain"], LEVEL)


def read_texts(recognizer: PageRecognizer, lines: Sequence[ConfirmedLine]) -> list[str]:
    """Return what a model reads in lines; empty where a line cannot be read."""
    texts: dict[tuple[str, str], str] = {}
    for key in dict.fromkeys(page.key for page, _, _ in lines):
        given = [(page, shape) for page, shape, _ in lines if page.key == key]
        readings = recognizer.read_lines(read_pixels(given[0][0]), [shape for _, shape in given])
        texts |= {(key, line): reading.text for line, reading in readings.items()}
    return [texts[page.key, shape.id] for page, shape, _ in lines]
