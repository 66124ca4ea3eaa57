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


def locate(centers: list[int], pixels: np.ndarray, text: str = "") -> list[tuple[float, float]]:
    """Return the extents of characters whose frames, of one pixel, have these middles."""
    spans = np.array([(center - 1, center + 1) for center in centers])
    text = text or "x" * len(centers)
    characters = locate_characters(text, [1.0] * len(centers), spans, pixels, 1, lambda points: points)
    return [(character.start_px, character.end_px) for character in characters]


def paper(height: int = 4, width: int = 60) -> np.ndarray:
    return np.full((height, width), 255, np.uint8)


def test_without_ink_characters_meet_in_the_middle_and_end_a_line_height_farther() -> None:
    assert locate([10, 30], paper()) == [(6, 19.5), (19.5, 34)]
    assert locate([2, 58], paper()) == [(0, 29.5), (29.5, 60)]
    assert locate([20], paper()) == [(16, 24)]
    # Centers too close for two columns between them: exactly in the middle.
    assert locate([20, 24], paper()) == [(16, 22), (22, 28)]


def test_characters_meet_where_the_ink_is_least() -> None:
    pixels = paper()
    pixels[:, 11:30] = 150
    pixels[:, 14] = 255
    # The extents are trimmed to ink: the first has its own in columns 11 to 13, the second from 15 on.
    assert locate([10, 30], pixels) == [(11, 14), (15, 30)]
    pixels[:, 16] = 255  # as little ink, and nearer to the middle
    assert locate([10, 30], pixels) == [(11, 16), (17, 30)]


@pytest.mark.parametrize(("gray", "bound"), [(235, 20.5), (210, 16.5)])
def test_a_little_more_ink_is_preferred_to_a_place_far_from_the_middle(gray: int, bound: float) -> None:
    # 4 px from the middle cost as much as 0.08 of a black pixel, which is 20 of 255 gray levels.
    pixels = paper()
    pixels[0, 11:30] = 185  # not dark enough to trim an extent to
    pixels[0, 20], pixels[0, 16] = gray, 255
    assert locate([10, 31], pixels)[1][0] == bound


def test_two_columns_between_centers_are_compared() -> None:
    pixels = paper()
    pixels[0, 22] = 200
    assert locate([20, 25], pixels) == [(16, 23.5), (23.5, 29)]
    pixels[0, 22], pixels[0, 23] = 255, 200
    assert locate([20, 25], pixels) == [(16, 22.5), (22.5, 29)]


def test_a_space_at_an_end_or_between_touching_letters_keeps_its_extent() -> None:
    assert locate([10, 30], paper(), " x") == [(6, 19.5), (19.5, 34)]
    assert locate([10, 30], paper(), "x ") == [(6, 19.5), (19.5, 34)]
    assert locate([10, 20, 30], paper(), "x x") == [(6, 14.5), (14.5, 24.5), (24.5, 34)]
    pixels = paper()
    pixels[:, 8:12] = pixels[:, 28:32] = 0
    assert locate([10, 20, 30], pixels, "x x") == [(8, 12), (12, 28), (28, 32)]
    assert locate([10, 20], pixels, " x")[0][1] == 14.5 and locate([10, 20], pixels, "x ")[0] == (8, 12)


def test_outlines_are_as_high_as_the_ink_or_the_line() -> None:
    pixels = paper(20)
    pixels[3:9, 8:12] = 0
    spans = np.array([[9, 11], [39, 41]])
    inked, blank = locate_characters("ab", [0.5, 0.25], spans, pixels, 1, lambda p: p / 3 + (0, 100))
    assert inked.outline == ((2.7, 101.0), (4.0, 101.0), (4.0, 103.0), (2.7, 103.0))
    assert [y for _, y in blank.outline] == [100, 100, 106.7, 106.7]
    assert (inked.confidence, blank.confidence) == (0.5, 0.25)
    # Pixels 150 levels below paper are ink, pixels 50 below are not.
    pixels[3:9, 8:12], pixels[0, 0:30] = 105, 205
    assert locate_characters("ab", [1, 1], spans, pixels, 1, lambda p: p / 3 + (0, 100))[0].outline == inked.outline


def test_words_are_what_spaces_separate() -> None:
    pixels = paper(4, 100)
    text = " ab  c "
    spans = np.array([(10 * i + 9, 10 * i + 11) for i in range(len(text))])
    characters = locate_characters(text, [0.5] * len(text), spans, pixels, 1, lambda points: points)
    words = group_words(characters, pixels, lambda points: points)
    assert [(word.text, word.confidence) for word in words] == [("ab", 0.25), ("c", 0.5)]
    for word, inside in zip(words, (characters[1:3], characters[5:6]), strict=True):
        assert (word.start_px, word.end_px) == (inside[0].start_px, inside[-1].end_px)
        assert bounding_box(word.outline) == (round(word.start_px, 1), 0, round(word.end_px, 1), 4)


def test_the_bounding_box_of_an_outline() -> None:
    assert bounding_box([(3, 9), (8, 4), (1, 6), (5, 5)]) == (1, 4, 8, 9)


def test_no_characters() -> None:
    assert locate_characters("", [], np.zeros((0, 2), np.int64), draw_line(), 4, lambda points: points) == []
    assert group_words([], draw_line(), lambda points: points) == []
