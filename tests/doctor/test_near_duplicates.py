import time

import numpy as np
import pytest
from helpers.made_up import sentences
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.doctor.near_duplicates import MIN_LENGTH, MIN_SIMILARITY, find_near_duplicates, simplify_text

TEXT = "les compétitions nationales et les matchs internationaux"


@pytest.mark.parametrize(
    "other",
    [
        TEXT,
        TEXT.upper() + " !",
        "Les compétitions nationales, et les matchs internationaux.",
        "les competitions nationales et les matchs internationaux",
        "les compétitions nationales et les matchs internationau",
        "ces compétitions nationales et des matchs internationaux",
    ],
)
def test_what_is_nearly_the_same_is_found(other: str) -> None:
    (pair,) = find_near_duplicates([*sentences(50), TEXT], ["un tout autre texte, mais assez long", other])
    assert (pair.row, pair.other_row) == (1, 50) and pair.similarity >= MIN_SIMILARITY


def test_the_most_alike_is_named() -> None:
    texts = [TEXT.replace("les", "ces", 1), TEXT.replace("t ", "d "), TEXT + "."]
    (pair,) = find_near_duplicates(texts, [TEXT])
    assert pair == (0, 2, 1.0)


def test_other_texts_and_short_ones_are_left_alone() -> None:
    assert find_near_duplicates(sentences(300, 1), sentences(300, 2)) == []
    assert find_near_duplicates(["le 12 mai 1914"], ["le 12 mai 1914"]) == []
    assert find_near_duplicates([], [TEXT]) == find_near_duplicates([TEXT], []) == []


def test_lone_surrogates_do_no_harm() -> None:
    assert find_near_duplicates([TEXT + "\ud800x"], [TEXT + "\ud801x"])[0].similarity > 0.9


@given(st.lists(st.text(min_size=MIN_LENGTH), min_size=1, max_size=8), st.data())
@settings(max_examples=50, deadline=None)
def test_the_same_text_is_always_found(texts: list[str], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(texts) - 1))
    pairs = find_near_duplicates(texts, [texts[row]])
    if len(simplify_text(texts[row])) >= MIN_LENGTH:
        assert simplify_text(texts[pairs[0].other_row]) == simplify_text(texts[row]) and pairs[0].similarity == 1
    else:
        assert not pairs


def test_most_texts_with_three_wrong_letters_in_fifty_are_found() -> None:
    generator = np.random.default_rng(0)
    texts = [text[:50] for text in sentences(400, words=14)]
    wrong = [list(text) for text in texts]
    for letters in wrong:
        for place in generator.choice(len(letters), 3, replace=False):
            letters[place] = "z"
    pairs = find_near_duplicates(texts, ["".join(letters) for letters in wrong])
    assert len(pairs) > 0.9 * len(texts)
    assert all(pair.row == pair.other_row for pair in pairs)


def test_like_texts_by_the_thousand_take_no_quadratic_time() -> None:
    forms = [f"reçu de monsieur Durand la somme de {number} francs et {number % 97} centimes" for number in range(6000)]
    start = time.monotonic()
    assert len(find_near_duplicates(forms[:3000], forms[3000:])) > 2000
    assert time.monotonic() - start < 60  # about one; quadratic, it would be minutes
