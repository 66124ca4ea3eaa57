"""Which characters are confused, and the pictures of it."""

import numpy as np
import pytest
from helpers.scored_lines import make_character, score_lines

from htr_lightning.evaluation.confusion import Confusions, count_confusions, find_most_confused, rank_pairs
from htr_lightning.evaluation.crops import ConfusionCrops, WrongLines, crop_character, rank_by_confidence
from htr_lightning.evaluation.picture import draw_confusions


def test_confusions_worked_out_by_hand() -> None:
    confusions = count_confusions(score_lines(("abca", "abda"), ("ab", "b"), ("d", "dd"), ("aca", "ada")))
    assert confusions.substitutions == {("c", "d"): 2}
    assert confusions.deletions == {"a": 1} and confusions.insertions == {"d": 1}
    assert (
        confusions.count_matches("a") == 4 and confusions.count_matches("c") == 0 and confusions.occurrences["a"] == 5
    )
    assert confusions.count_errors() == {"c": 2, "d": 3, "a": 1}
    assert find_most_confused(confusions, 2) == ["c", "d"]
    assert rank_pairs(confusions) == [(("c", "d"), 2)]


def test_letters_stand_beside_their_accents() -> None:
    confusions = count_confusions(score_lines(("éza. ", "e.àb!")))
    assert find_most_confused(confusions, 20) == ["a", "à", "b", "e", "é", "z", " ", "!", "."]


def test_the_matrix_is_drawn_for_every_script() -> None:
    lines = score_lines(("a中\u0301 \u202e", "bع"), ("a" * 12_000, "b" * 12_000))
    picture = draw_confusions(count_confusions(lines))
    assert picture is not None and picture.width == picture.height > 300
    colors = {color for _, color in picture.getcolors(1 << 20)}  # type: ignore[misc,union-attr]
    assert (176, 24, 30) in colors and (226, 241, 230) in colors
    assert draw_confusions(Confusions()) is None and draw_confusions(count_confusions(score_lines(("a", "a")))) is None


def test_only_some_characters_are_drawn() -> None:
    lines = score_lines(*[(chr(ord("a") + i) * 3, "é" * 3) for i in range(20)])
    few, all_of_them = draw_confusions(count_confusions(lines), 5), draw_confusions(count_confusions(lines), 30)
    assert few is not None and all_of_them is not None and few.width < all_of_them.width


def test_the_worst_lines_are_kept_and_no_other_pixels_read() -> None:
    lines = score_lines(("abcd", "abcd"), ("ab", "a"), ("abcd", "a"), ("abcd", "axcd"), ("abcdabcd", "a"), ("ab", "b"))
    asked = []
    worst = WrongLines(2)
    for line in lines:

        def pixels(id: str = line.id) -> np.ndarray:
            asked.append(id)
            return np.full((2, 2), int(id), np.uint8)

        worst.offer(line, pixels)
    kept = worst.get_lines()
    assert [(line.id, int(pixels[0, 0])) for line, pixels in kept] == [("4", 4), ("2", 2)]
    assert asked == ["1", "2", "4"]  # not of right lines, nor of better ones


def test_lines_can_be_ordered_by_confidence() -> None:
    most_confident = WrongLines(1, rank_by_confidence)
    for line in score_lines(("a", "b"), ("ab", "b"), ("ab", "b")):
        most_confident.offer(line, lambda: np.zeros((1, 1), np.uint8))
    assert [line.id for line, _ in most_confident.get_lines()] == ["0"]  # of equal ones, the first


def test_crops_are_of_the_substituted_characters() -> None:
    (line,) = score_lines(("abc", "axc"))
    pixels = np.repeat(np.arange(60, dtype=np.uint8)[None], 10, axis=0)
    places = [make_character("a", 0, 20), make_character("x", 20.4, 29.6), make_character("c", 30, 60)]
    crops = ConfusionCrops()
    crops.offer(line, pixels, places)
    (cut,) = crops.get(("b", "x"))
    assert cut.shape == (10, 16)  # ten columns of its own, three on each side
    assert cut[0, 3:13].tolist() == [*range(20, 30)] and cut[0, 0] > 150 and cut[0, -1] > 150
    assert crops.get(("x", "b")) == []


def test_without_places_there_are_no_crops() -> None:
    (line,) = score_lines(("abc", "axc"))
    crops = ConfusionCrops()
    crops.offer(line, np.zeros((10, 60), np.uint8), [])
    crops.offer(line, np.zeros((10, 60), np.uint8), [make_character("a", 0, 20)])
    assert crops.get(("b", "x")) == []


def test_crops_are_a_fair_sample() -> None:
    crops = ConfusionCrops(4)
    for number, line in enumerate(score_lines(*[("a", "b")] * 100)):
        crops.offer(line, np.full((10, 20), number, np.uint8), [make_character("b", 5, 15)])
    kept = [int(cut[0, 5]) for cut in crops.get(("a", "b"))]
    assert len(set(kept)) == 4 and max(kept) > 20


@pytest.mark.parametrize(("start", "end"), [(-5, 3), (18, 40), (25, 30), (4, 4)])
def test_places_at_the_edge_still_give_a_crop(start: float, end: float) -> None:
    assert crop_character(np.zeros((10, 20), np.uint8), make_character("a", start, end)).shape[1] >= 1
