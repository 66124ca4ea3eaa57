import numpy as np
from PIL import Image

from htr_lightning.report.panel import CORRECT_COLOR, TEXT_COLOR, WRONG_COLOR, draw_panel, ink_to_gray

ROW = np.zeros((20, 300), np.uint8)


def colors(picture: Image.Image) -> set[tuple[int, int, int]]:
    return {color for _, color in picture.getcolors(100_000)}  # type: ignore[misc,union-attr]


def test_correct_predictions_are_green_and_wrong_ones_red() -> None:
    right, wrong = draw_panel([(ROW, "abc", "abc")]), draw_panel([(ROW, "abc", "abd")])
    assert CORRECT_COLOR in colors(right) and WRONG_COLOR not in colors(right)
    assert WRONG_COLOR in colors(wrong) and CORRECT_COLOR not in colors(wrong)
    alone = draw_panel([(ROW, "", "abc")])
    assert TEXT_COLOR in colors(alone) and not {CORRECT_COLOR, WRONG_COLOR} & colors(alone)


def test_nothing_is_cut_off() -> None:
    narrow = draw_panel([(ROW, "abc", "abc")])
    wide = draw_panel([(ROW, "w" * 200, "abc")])
    assert narrow.width >= 300 and wide.width > 2 * narrow.width
    assert draw_panel([(ROW, "a", "a")] * 3).height > 2.5 * draw_panel([(ROW, "a", "a")]).height


def test_letters_of_many_languages_are_drawn() -> None:
    pictures = [draw_panel([(ROW, "", letter)]).tobytes() for letter in "\uffffeéêœſçčñĝßΩЖ’€"]
    assert len(set(pictures)) == len(pictures)  # the first is the box that stands for a missing letter


def test_ink_becomes_dark() -> None:
    assert ink_to_gray(np.array([[0.0, 1.0, 2.0]], np.float32)).tolist() == [[255, 0, 0]]
