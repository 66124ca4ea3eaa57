"""The trained probabilities are those of the paper's equations."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.lm.kneser_ney import _estimate_discounts, train_ngram
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, LanguageModelError, NGram


def probability(model: NGram, history: list[str], symbol: str) -> float:
    return math.exp(model.conditional_log_probability(model.encode(history), *model.encode([symbol])))


def test_two_lines_by_hand() -> None:
    # Bigrams: <s>a twice; ab, b</s>, a</s> once. Discounts: 0.5, 1 and 1.5, as there are too few to estimate them.
    model = train_ngram(["ab", "a"], 2)
    # Unigrams by the number of different predecessors: a 1, b 1, </s> 2; half of the mass is shared by four symbols.
    unigrams = {"a": 0.25, "b": 0.25, END: 0.375, UNKNOWN: 0.125}
    for symbol, value in unigrams.items():
        assert probability(model, [], symbol) == pytest.approx(value)
    # Backoff weights: <s> 1 of 2; a 0.5 + 0.5 of 2; b 0.5 of 1.
    assert probability(model, [BEGIN], "a") == pytest.approx(0.5 + 0.5 * 0.25)
    assert probability(model, [BEGIN], "b") == pytest.approx(0.5 * 0.25)
    assert probability(model, ["a"], "b") == pytest.approx(0.25 + 0.5 * 0.25)
    assert probability(model, ["a"], END) == pytest.approx(0.25 + 0.5 * 0.375)
    assert probability(model, ["b"], END) == pytest.approx(0.5 + 0.5 * 0.375)
    assert probability(model, ["b"], "?") == pytest.approx(0.5 * 0.125)
    whole = 0.625 * 0.375 * 0.6875
    assert model.log_probability("ab") == pytest.approx(math.log(whole))
    assert model.log_probability("ab", include_end=False) == pytest.approx(math.log(0.625 * 0.375))


def test_discounts_follow_the_counts_of_counts() -> None:
    import numpy as np

    adjusted = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 5])
    rate = 8 / (8 + 2 * 4)
    expected = (1 - 2 * rate * 4 / 8, 2 - 3 * rate * 2 / 4, 3 - 4 * rate * 1 / 2)
    assert _estimate_discounts(adjusted, 3) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text("abc ", min_size=1, max_size=12), min_size=1, max_size=20), order=st.integers(1, 6))
def test_what_can_follow_any_history_sums_to_one(texts: list[str], order: int) -> None:
    model = train_ngram(texts, order)
    predicted = [symbol for symbol in model.symbols if symbol != BEGIN]
    for history in ([BEGIN], [BEGIN, *texts[0]][:4], ["a", "b"], ["c", "c", "c", "c"], []):
        assert sum(probability(model, list(history), symbol) for symbol in predicted) == pytest.approx(1, abs=1e-5)


def test_a_higher_order_predicts_texts_of_the_same_kind_better() -> None:
    texts = ["the cat sat on the mat", "the dog sat on the cat", "a cat and a dog sat"]
    log_probabilities = [train_ngram(texts, order).log_probability("the cat sat on a mat") for order in (1, 2, 4)]
    assert log_probabilities == sorted(log_probabilities)


@pytest.mark.parametrize(
    ("texts", "order", "words"),
    [
        (["a"], 0, "order=0: out of range; give 1 to 10"),
        (["a"], 11, "order=11: out of range"),
        (["", ""], 3, "there is no text to train on"),
    ],
)
def test_invalid_arguments(texts: list[str], order: int, words: str) -> None:
    with pytest.raises(LanguageModelError, match=words):
        train_ngram(texts, order)
