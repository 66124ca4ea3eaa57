"""Scored lines and predictions for tests."""

from collections.abc import Sequence

import numpy as np

from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.decode.positions import Character
from htr_lightning.evaluation.collector import ScoreCollector
from htr_lightning.evaluation.lines import ScoredLine, score_line
from htr_lightning.image.line_image import UnusableImage
from htr_lightning.reading.lines import Prediction

CHARSET = Charset("abcdé ")
EVIL = "<script>alert('x')</script> & \"quoted\" \u202e [b]"


def score_lines(*pairs: tuple[str, str], groups: Sequence[str] | None = None) -> list[ScoredLine]:
    groups = groups or [""] * len(pairs)
    return [
        score_line(str(row), group, *pair, 0.5) for row, (pair, group) in enumerate(zip(pairs, groups, strict=True))
    ]


def make_character(text: str, start_px: float, end_px: float, confidence: float = 0.9) -> Character:
    corners = (start_px, 0.0), (end_px, 0.0), (end_px, 32.0), (start_px, 32.0)
    return Character(text, confidence, start_px, end_px, corners)


def make_prediction(id: str, text: str, confidence: float = 0.5, *, characters: bool = True) -> Prediction:
    """Make a prediction whose characters are ten pixels wide each."""
    places = tuple(make_character(c, 10.0 * i, 10.0 * (i + 1)) for i, c in enumerate(text)) if characters else ()
    pixels = np.full((32, 10 * max(1, len(text))), 200, np.uint8)
    return Prediction(id, text, confidence, pixels, characters=places)


def collect_scores(
    *rows: tuple[str, str, str], charset: Charset = CHARSET, characters: bool = True, id: str = "{row}.png"
) -> ScoreCollector:
    """Score rows of group, reference and hypothesis."""
    collector = ScoreCollector(charset)
    for row, (group, reference, hypothesis) in enumerate(rows):
        name = id.format(row=row)
        line = Line(name, UnusableImage("generated"), reference, group)
        collector.add(line, make_prediction(name, hypothesis, (row + 1) / (len(rows) + 1), characters=characters))
    return collector
