"""What else characters and words may be."""

import numpy as np
import pytest

from htr_lightning.charset import Charset
from htr_lightning.decode.alternatives import find_alternatives, suggest_words

CHARSET = Charset("abc")


def test_alternatives_by_hand() -> None:
    probabilities = np.array([[0.1, 0.5, 0.3, 0.1], [0.2, 0.7, 0.095, 0.005], [0.6, 0.1, 0.1, 0.2]], np.float32)
    spans = np.array([[0, 2], [2, 3]])  # a in frames 0 and 1, c in frame 2
    found = find_alternatives(np.log(probabilities), spans, [1, 3], CHARSET, 2)
    assert [[text for text, _ in character] for character in found] == [["", "b"], ["", "a"]]
    assert found[0][0][1] == pytest.approx(0.2) and found[1][0][1] == pytest.approx(0.6)
    assert find_alternatives(np.log(probabilities), spans, [1, 3], CHARSET, 0) == ()
    many = find_alternatives(np.log(probabilities), spans, [1, 3], CHARSET, 9)
    assert [text for text, _ in many[0]] == ["", "b"]  # c, of 0.5 %, is hardly possible


def test_words_replace_their_least_certain_characters() -> None:
    alternatives = ((("o", 0.3),), (), (("", 0.2), ("x", 0.1)))
    words = suggest_words("abc", [0.5, 0.99, 0.6], alternatives, 4)
    assert words[:3] == ["obc", "ab", "ob"]
    assert "abc" not in words and len(words) == 4
    assert suggest_words("a", [0.5], ((("", 0.4),),), 3) == []
    assert suggest_words("a", [0.5], ((),), 3) == []
