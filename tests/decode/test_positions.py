"""Positions of characters agree with the known boxes of synthetic lines."""

import numpy as np
import pytest

from htr_lightning.data.line import Line
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.synthetic_image import SyntheticImage
from htr_lightning.decode.positions import bounding_box, group_words, locate_characters
from htr_lightning.model.file import load_model
from htr_lightning.reading.lines import LineReader


def compute_iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the intersection over union of two intervals."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / (max(a[1], b[1]) - min(a[0], b[0]))


def test_positions_agree_with_the_boxes_of_synthetic_lines() -> None:
    source = Synthetic(num_train=1, num_val=60, num_test=0, slant_degrees=15)
    lines = list(source.lines("val"))
    ious, hits, num_correct = [], [], 0
    for line, prediction in zip(lines, LineReader(load_model("zoo:latin"), positions=True).read(lines), strict=True):
        if prediction.text != line.text:
            continue
        num_correct += 1
        assert isinstance(line.image, SyntheticImage)
        for character, box in zip(prediction.characters, line.image.render().boxes, strict=True):
            left, _, end, _ = bounding_box(character.outline)
            if character.text != " ":
                ious.append(compute_iou((left, end), (box[0], box[1])))
            quarter = (box[1] - box[0]) / 4
            hits.append(box[0] - quarter <= (left + end) / 2 <= box[1] + quarter)
    assert num_correct >= 10
    assert np.mean(ious) > 0.7 and np.mean(hits) > 0.97


def test_every_predicted_character_has_a_position() -> None:
    line: Line = Synthetic(num_train=1, num_val=2, num_test=0).lines("val")[0]
    (prediction,) = LineReader(load_model("zoo:latin"), positions=True).read([line])
    (plain,) = LineReader(load_model("zoo:latin")).read([line])
    assert prediction.pixels is not None and plain.characters == () and plain.text == prediction.text
    assert "".join(character.text for character in prediction.characters) == prediction.text
    assert " ".join(word.text for word in prediction.words) == prediction.text
    for part in (*prediction.characters, *prediction.words):
        assert 0 <= part.start_px < part.end_px <= prediction.pixels.shape[1] and 0 <= part.confidence <= 1
    starts = [character.start_px for character in prediction.characters]
    assert starts == sorted(starts)


def draw_line() -> np.ndarray:
    """Draw three strokes of ink in a line of 20 x 60 px: at 5-10, 20-30 and 50-55."""
    pixels = np.full((20, 60), 255, np.uint8)
    for start, end in ((5, 10), (20, 30), (50, 55)):
        pixels[4:15, start:end] = 0
    return pixels


def test_extents_are_trimmed_to_ink_and_spaces_fill_the_gaps() -> None:
    spans = np.array([[1, 3], [6, 7], [9, 10], [13, 14]])
    characters = locate_characters("ab c", [0.9, 0.8, 1.0, 0.5], spans, draw_line(), 4, lambda points: points * 2.0)
    assert [(c.start_px, c.end_px) for c in characters] == [(5, 10), (20, 30), (30, 50), (50, 55)]
    assert characters[0].outline == ((10, 8), (20, 8), (20, 30), (10, 30))
    first, second = group_words(characters, draw_line(), lambda points: points)
    assert (first.text, first.start_px, first.end_px) == ("ab", 5, 30)
    assert first.confidence == pytest.approx(0.72) and (second.text, second.confidence) == ("c", 0.5)


def test_no_characters() -> None:
    assert locate_characters("", [], np.zeros((0, 2), np.int64), draw_line(), 4, lambda points: points) == []
    assert group_words([], draw_line(), lambda points: points) == []
