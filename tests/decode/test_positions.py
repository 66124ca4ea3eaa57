"""Characters are found where they were written: on lines in handwriting fonts, whose boxes are known."""

import numpy as np
import pytest

from htr_lightning.data.line import Line
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.synthetic_image import SyntheticImage
from htr_lightning.decode.positions import bounding_box, group_words, locate_characters
from htr_lightning.model.file import load_model
from htr_lightning.reading.lines import LineReader


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection over union of two stretches."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / (max(a[1], b[1]) - min(a[0], b[0]))


def test_characters_of_synthetic_lines_are_where_they_were_written() -> None:
    source = Synthetic(num_train=1, num_val=60, num_test=0, slant_degrees=15)
    lines = list(source.lines("val"))
    overlaps, hits, right = [], [], 0
    for line, reading in zip(lines, LineReader(load_model("zoo:latin"), positions=True).read(lines), strict=True):
        if reading.text != line.text:
            continue
        right += 1
        assert isinstance(line.image, SyntheticImage)
        for character, box in zip(reading.characters, line.image.render().boxes, strict=True):
            left, _, end, _ = bounding_box(character.outline)
            if character.text != " ":
                overlaps.append(overlap((left, end), (box[0], box[1])))
            quarter = (box[1] - box[0]) / 4
            hits.append(box[0] - quarter <= (left + end) / 2 <= box[1] + quarter)
    assert right >= 10
    assert np.mean(overlaps) > 0.7 and np.mean(hits) > 0.97


def test_every_character_of_a_reading_has_a_place() -> None:
    line: Line = Synthetic(num_train=1, num_val=2, num_test=0).lines("val")[0]
    (reading,) = LineReader(load_model("zoo:latin"), positions=True).read([line])
    (plain,) = LineReader(load_model("zoo:latin")).read([line])
    assert reading.pixels is not None and plain.characters == () and plain.text == reading.text
    assert "".join(character.text for character in reading.characters) == reading.text
    assert " ".join(word.text for word in reading.words) == reading.text
    for part in (*reading.characters, *reading.words):
        assert 0 <= part.start_px < part.end_px <= reading.pixels.shape[1] and 0 <= part.confidence <= 1
    starts = [character.start_px for character in reading.characters]
    assert starts == sorted(starts)


def drawn() -> np.ndarray:
    """Three strokes of ink in a line of 20 x 60 px: at 5-10, 20-30 and 50-55."""
    pixels = np.full((20, 60), 255, np.uint8)
    for start, end in ((5, 10), (20, 30), (50, 55)):
        pixels[4:15, start:end] = 0
    return pixels


def test_rooms_end_where_the_ink_does_and_spaces_have_the_rest() -> None:
    spans = np.array([[1, 3], [6, 7], [9, 10], [13, 14]])
    characters = locate_characters("ab c", [0.9, 0.8, 1.0, 0.5], spans, drawn(), 4, lambda points: points * 2.0)
    assert [(c.start_px, c.end_px) for c in characters] == [(5, 10), (20, 30), (30, 50), (50, 55)]
    assert characters[0].outline == ((10, 8), (20, 8), (20, 30), (10, 30))
    first, second = group_words(characters, drawn(), lambda points: points)
    assert (first.text, first.start_px, first.end_px) == ("ab", 5, 30)
    assert first.confidence == pytest.approx(0.72) and (second.text, second.confidence) == ("c", 0.5)


def test_no_characters_no_places() -> None:
    assert locate_characters("", [], np.zeros((0, 2), np.int64), drawn(), 4, lambda points: points) == []
    assert group_words([], drawn(), lambda points: points) == []
