import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.charset import Charset
from htr_lightning.metrics import CHARACTER_SCORES, cer, compute_scores, edit_distance, wer, wer_tokens
from htr_lightning.training.metrics import RecognitionMetrics

CHARSET = Charset("abcdé ")
TEXTS = st.text(alphabet="abx ", max_size=8)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=6)


def compute_edit_distance(a, b):
    """Compute the edit distance by the full table (Wagner and Fischer 1974)."""
    table = [list(range(len(b) + 1))]
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            row.append(min(row[-1] + 1, table[-1][j] + 1, table[-1][j - 1] + (x != y)))
        table.append(row)
    return table[-1][-1]


def update(metric, pairs):
    metric.update([r for r, _ in pairs], [h for _, h in pairs])
    return metric


def build_metric():
    return RecognitionMetrics(CHARSET)


def compute_values(metric):
    return {name: value.item() for name, value in metric.compute().items()}


@given(TEXTS, TEXTS, TEXTS)
def test_edit_distance_is_a_metric_and_the_textbook_one(a, b, c):
    assert edit_distance(a, b) == compute_edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert edit_distance(a.split(), b.split()) == compute_edit_distance(a.split(), b.split())


@given(PAIRS)
def test_error_rates_are_finite_and_0_only_without_errors(pairs):
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    rate = cer(references, hypotheses)
    edits = sum(compute_edit_distance(r, h) for r, h in pairs)
    length = sum(map(len, references))
    assert (rate == 0) == (references == hypotheses)
    assert rate == (edits / length if length else float(edits > 0))


@given(PAIRS)
def test_the_accumulator_agrees_with_the_functions(pairs):
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    together = compute_values(update(build_metric(), pairs))
    assert together["cer"] == pytest.approx(cer(references, hypotheses))
    assert together["wer"] == pytest.approx(wer(references, hypotheses))
    assert all(0 <= value <= 1 for name, value in together.items() if name not in ("cer", "wer"))


@given(PAIRS, PAIRS)
def test_metrics_of_two_devices_merge(first, second):
    merged = update(build_metric(), first)
    merged.merge_state(update(build_metric(), second))
    assert compute_values(merged) == compute_values(update(build_metric(), first + second))


def test_rates_weigh_lines_by_their_length():
    references, hypotheses = ["abcd abcd a", "b"], ["abcd abxd a", "c"]
    assert cer(references, hypotheses) == 2 / 12
    assert wer(references, hypotheses) == 2 / 4


def test_insertions_can_exceed_1():
    assert cer(["a"], ["abcd"]) == 3


@pytest.mark.parametrize(("hypothesis", "rate"), [("", 0.0), ("a", 1.0), ("abc d", 1.0)])
def test_empty_references_give_finite_rates(hypothesis, rate):
    assert cer([""], [hypothesis]) == wer([""], [hypothesis]) == rate
    result = compute_values(update(build_metric(), [("", hypothesis)]))
    assert result["cer"] == result["wer"] == rate
    assert result["precision"] == result["f1_macro"] == 1 - rate


def test_no_lines_have_no_errors():
    assert cer([], []) == wer([], []) == 0


def test_words_are_compared_regardless_of_extra_spaces():
    assert wer(["le chat dort"], [" le  chat dort"]) == 0
    assert wer(["le chat dort"], ["lechat dort"]) == 2 / 3


def test_both_sides_are_normalized():
    decomposed, composed = "e\u0301", "\u00e9"
    assert cer([composed], [decomposed]) == wer([decomposed], [composed]) == 0
    assert cer([composed], [decomposed], normalization="none") == 2
    assert compute_values(update(build_metric(), [(decomposed, composed)]))["accuracy"] == 1


def test_scores_computed_by_hand():
    # "abca" / "abda": c is read as d. "ab" / "b": a is missing. "d" / "dd": d is added.
    metric = update(build_metric(), [("abca", "abda"), ("ab", "b"), ("d", "dd")])
    # class   a       b      c      d
    # tp     2       2      0      1
    # fn     1       0      1      0
    # fp     0       0      0      2
    by_hand = {
        "precision": 5 / 7,
        "recall": 5 / 7,
        "f1": 10 / 14,
        "precision_macro": (1 + 1 + 0 + 1 / 3) / 4,
        "recall_macro": (2 / 3 + 1 + 0 + 1) / 4,
        "f1_macro": (4 / 5 + 1 + 0 + 2 / 4) / 4,
    }
    assert {name: compute_values(metric)[name] for name in by_hand} == pytest.approx(by_hand)


def test_characters_outside_of_the_charset_share_a_class_but_match_only_themselves():
    metric = update(build_metric(), [("axyz", "axqz")])
    assert metric.matches[0] == 2 and metric.in_references[0] == metric.in_hypotheses[0] == 3
    assert compute_values(metric)["recall_macro"] == pytest.approx((1 + 2 / 3) / 2)


def test_accuracy_counts_lines():
    metric = update(build_metric(), [("ab", "ab"), ("", ""), ("ab", "ba")])
    assert compute_values(metric)["accuracy"] == pytest.approx(2 / 3)


def test_batches_accumulate_until_reset():
    pairs = [("ab c", "abc"), ("a", "a"), ("bb", "")]
    metric = build_metric()
    for pair in pairs:
        metric([pair[0]], [pair[1]])  # forward: the way of lightning's self.log
    assert compute_values(metric) == compute_values(update(build_metric(), pairs))
    metric.reset()
    assert compute_values(update(metric, pairs[1:2])) == compute_values(update(build_metric(), pairs[1:2]))


def test_round_trip_of_pickle_and_copy():
    metric = update(build_metric(), [("ab", "a")])
    for twin in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert compute_values(twin) == compute_values(metric)
        assert compute_values(update(twin, [("c", "c")])) != compute_values(metric)


def test_states_are_integers_that_devices_add_up():
    metric = build_metric()
    assert all(state.dtype == torch.int64 for state in metric.metric_state.values())
    assert all(reduction.__name__ == "dim_zero_sum" for reduction in metric._reductions.values())
    assert metric.full_state_update is False


def test_states_hold_more_than_a_float_can_count():
    metric = build_metric()
    metric.words += 2**30
    metric.update(["a"], ["a"])
    assert metric.words.item() == 2**30 + 1


@pytest.mark.parametrize("count", [cer, wer, lambda r, h: build_metric().update(r, h)])
def test_references_and_hypotheses_that_do_not_match_are_refused(count):
    with pytest.raises(ValueError, match="2 references, but 1 hypotheses"):
        count(["a", "b"], ["a"])
    with pytest.raises(ValueError, match=r"^references: expected a list of texts"):
        count("ab", ["a", "b"])
    with pytest.raises(ValueError, match=r"^hypotheses: expected a list of texts"):
        count(["a", "b"], "ab")


def test_tokens_are_words_and_punctuation_marks():
    # l'eau. has the tokens l ' eau . of which one is wrong; "b" has one, which is wrong.
    assert wer_tokens(["l'eau.", "b"], ["l'eau,", "c"]) == 2 / 5
    assert wer(["l'eau.", "b"], ["l'eau,", "c"]) == 2 / 2


@pytest.mark.parametrize(("pair", "expected"), [(("a", "a"), 1.0), (("a", ""), 0.0), (("aa", "ab"), None)])
def test_scores_of_one_character(pair, expected):
    scores = compute_values(update(build_metric(), [pair]))
    if expected is not None:
        assert {scores[name] for name in CHARACTER_SCORES} == {expected}
    else:  # "a" is found once of twice, and "b" never
        by_hand = {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2}
        macro = {"precision_macro": 1 / 2, "recall_macro": 1 / 4, "f1_macro": 2 * 1 / 3 / 2}
        assert {name: scores[name] for name in CHARACTER_SCORES} == pytest.approx(by_hand | macro)


def test_many_samples_are_scored_at_once():
    counts = np.array([[1, 2, 0], [0, 0, 0]])
    scores = compute_scores(
        {"cer": (np.array([1, 0]), np.array([4, 0]))},
        correct=np.array([1, 0]),
        lines=np.array([2, 0]),
        matches=np.array([[1, 1, 0], [0, 0, 0]]),
        in_references=counts,
        in_hypotheses=counts,
    )
    assert list(scores) == ["cer", "accuracy", *CHARACTER_SCORES]
    assert {name: values.tolist() for name, values in scores.items()} == {
        "cer": [1 / 4, 0],
        "accuracy": [1 / 2, 0],
        **{name: [pytest.approx(2 / 3), 1] for name in ("precision", "recall", "f1")},
        **{name: [3 / 4, 1] for name in ("precision_macro", "recall_macro", "f1_macro")},
    }
