"""Beam search agrees with the sum over all paths, and with greedy decoding."""

import itertools

import numpy as np
import pytest
from helpers.frames import random_logits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.prefixes import top_k
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.tables import ContextTables

CHARSET = Charset("abc")
MODEL = train_ngram(["abcab", "cab", "aabb", "bca", "cc"], 3)
TABLES = ContextTables(MODEL, CHARSET)
EVERYTHING = {"max_classes": 3, "min_probability": 0.0, "blank_skip_threshold": 1.0}


def score_all_texts(log_probs: NDArray[np.float32], lm_weight: float, bonus: float) -> list[tuple[float, list[int]]]:
    """Return all texts of a line with their scores, best first, by enumerating all paths."""
    log_probs_of_texts: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        text = tuple(c for c, _ in itertools.groupby(path) if c)
        probability = sum(float(log_probs[t, c]) for t, c in enumerate(path))
        log_probs_of_texts[text] = float(np.logaddexp(log_probs_of_texts.get(text, -np.inf), probability))
    scored = [
        (value + lm_weight * MODEL.log_probability(CHARSET.decode(text)) + bonus * len(text), list(text))
        for text, value in log_probs_of_texts.items()
    ]
    return sorted(scored, reverse=True)


@pytest.mark.parametrize(("lm_weight", "bonus"), [(0.0, 0.0), (0.7, 0.5), (1.5, -0.3)])
def test_a_wide_beam_agrees_with_the_sum_over_all_paths(lm_weight: float, bonus: float) -> None:
    logits = random_logits(3, 12, 5, 4) * 2
    search = BeamSearch(beam_width=64, lm=TABLES, lm_weight=lm_weight, insertion_bonus=bonus, **EVERYTHING)
    n_best = search.decode_n_best(logits, np.full(12, 5), n_best=4)
    for line, hypotheses in zip(log_softmax(logits), n_best, strict=True):
        for (score, ids), hypothesis in zip(score_all_texts(line, lm_weight, bonus), hypotheses, strict=False):
            assert hypothesis.ids == ids
            assert hypothesis.score == pytest.approx(score, abs=1e-3)


def search_naively(log_probs: NDArray[np.float32], search: BeamSearch) -> list[tuple[float, list[int]]]:
    """Return the last beam of a prefix beam search over one line with a dictionary, best first."""

    def score_prefix(prefix: tuple[int, ...]) -> tuple[float, int]:
        node, total = np.array([TABLES.start]), 0.0
        for character in prefix:
            (row,) = TABLES.find_rows(node)
            total += search.insertion_bonus + search.lm_weight * float(TABLES.log_probability[row, character])
            node = TABLES.next_node[row, [character]]
        return total, int(TABLES.find_rows(node)[0])

    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for frame in log_probs.astype(np.float64):
        allowed = {
            int(c)
            for c in (-frame[1:]).argsort()[: search.max_classes] + 1
            if not search.min_probability or frame[c] >= np.log(search.min_probability)
        }
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (ends_in_blank, ends_in_character) in beam.items():
            either = np.logaddexp(ends_in_blank, ends_in_character)
            entry = grown.setdefault(prefix, [-np.inf, -np.inf])
            entry[0] = float(np.logaddexp(entry[0], either + frame[0]))
            if prefix:
                entry[1] = float(np.logaddexp(entry[1], ends_in_character + frame[prefix[-1]]))
            for character in range(1, len(frame)):
                longer = (*prefix, character)
                if character in allowed or longer in beam:
                    before = ends_in_blank if prefix and prefix[-1] == character else either
                    entry = grown.setdefault(longer, [-np.inf, -np.inf])
                    entry[1] = float(np.logaddexp(entry[1], before + frame[character]))
        ranked = sorted(grown, key=lambda prefix: np.logaddexp(*grown[prefix]) + score_prefix(prefix)[0], reverse=True)
        kept = [prefix for prefix in ranked[: search.beam_width] if max(grown[prefix]) > -np.inf]
        beam = {prefix: (grown[prefix][0], grown[prefix][1]) for prefix in kept}
    scored = []
    for prefix, log_probabilities in beam.items():
        bonus, row = score_prefix(prefix)
        end = search.lm_weight * float(TABLES.log_probability[row, 0])
        scored.append((float(np.logaddexp(*log_probabilities)) + bonus + end, list(prefix)))
    return sorted(scored, reverse=True)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("options", [{}, {"max_classes": 2}, {"max_classes": 1}, {"min_probability": 0.2}])
@pytest.mark.parametrize(("lm_weight", "bonus"), [(0.0, 0.0), (0.8, 0.6)])
def test_a_narrow_beam_agrees_with_a_dictionary(
    width: int, options: dict[str, float], lm_weight: float, bonus: float
) -> None:
    logits = random_logits(7, 10, 9, 4) * 2
    settings = {**EVERYTHING, **options}
    search = BeamSearch(beam_width=width, lm=TABLES, lm_weight=lm_weight, insertion_bonus=bonus, **settings)  # type: ignore[arg-type]
    n_best = search.decode_n_best(logits, np.full(10, 9), n_best=width)
    for line, hypotheses in zip(log_softmax(logits), n_best, strict=True):
        expected = search_naively(line, search)
        assert [hypothesis.ids for hypothesis in hypotheses] == [ids for _, ids in expected]
        assert [hypothesis.score for hypothesis in hypotheses] == pytest.approx([s for s, _ in expected], abs=1e-3)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.data())
def test_the_largest_values_come_in_descending_order_of_value_and_then_of_index(
    values: list[int], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(values)))
    largest, indices = top_k(np.array([values, values[::-1]]), k)
    for row, top, index in zip((values, values[::-1]), largest.tolist(), indices.tolist(), strict=True):
        assert top == sorted(row, reverse=True)[:k] == [row[i] for i in index]
        assert all(a < b for a, b in itertools.pairwise(index) if row[a] == row[b]) and len(set(index)) == k


def test_of_consecutive_blank_frames_one_is_decoded() -> None:
    certain, likely = [0.98, 0.01, 0.005, 0.005], [0.8, 0.1, 0.06, 0.04]
    a, b = [0.1, 0.7, 0.1, 0.1], [0.2, 0.1, 0.5, 0.2]
    frames = [certain, certain, a, certain, certain, certain, b, likely, likely, certain, certain]
    kept = [certain, a, certain, b, likely, likely, certain]
    search = BeamSearch(beam_width=8, blank_skip_threshold=0.9)
    whole = BeamSearch(beam_width=8, blank_skip_threshold=1.0)
    padded = np.log(np.array([frames, [*kept, *[a] * 4]], np.float32))
    first, second = search.decode_n_best(padded, np.array([11, 7]), n_best=4)
    (expected,) = whole.decode_n_best(np.log(np.array([kept], np.float32)), np.array([7]), n_best=4)
    for hypotheses in (first, second):
        assert [hypothesis.ids for hypothesis in hypotheses] == [hypothesis.ids for hypothesis in expected]
        scores = [hypothesis.score for hypothesis in expected]
        assert [hypothesis.score for hypothesis in hypotheses] == pytest.approx(scores, abs=1e-5)


def test_no_more_hypotheses_than_asked_for_or_kept() -> None:
    logits = random_logits(1, 2, 6, 4)
    lengths = np.array([6, 6])
    assert [len(found) for found in BeamSearch(beam_width=3).decode_n_best(logits, lengths)] == [1, 1]
    assert [len(found) for found in BeamSearch(beam_width=3).decode_n_best(logits, lengths, n_best=9)] == [3, 3]
    # One frame has four texts: nothing, a, b and c.
    (found,) = BeamSearch(beam_width=9).decode_n_best(logits[:1, :1], np.array([1]), n_best=9)
    assert sorted(hypothesis.ids for hypothesis in found) == [[], [1], [2], [3]]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), num_frames=st.integers(1, 12), sharpness=st.sampled_from([3.0, 30.0]))
def test_a_beam_width_of_one_is_greedy_if_one_path_dominates(seed: int, num_frames: int, sharpness: float) -> None:
    logits = random_logits(seed, 5, num_frames, 6) * np.float32(sharpness)
    lengths = np.random.default_rng(seed).integers(1, num_frames + 1, 5)
    greedy = greedy_decode(logits, lengths)
    narrow = BeamSearch(beam_width=1).decode(logits, lengths)
    for line, length, one, other in zip(log_softmax(logits), lengths.tolist(), greedy, narrow, strict=True):
        best = float(np.exp(line[:length].max(1)).prod())
        assert one == other or best < 0.5  # else other paths can make another text more probable


def test_lines_do_not_depend_on_padding_or_on_each_other() -> None:
    logits = random_logits(1, 6, 20, 4) * 4
    lengths = np.array([20, 3, 11, 1, 7, 20])
    search = BeamSearch(beam_width=8, lm=TABLES)
    together = search.decode(logits, lengths)
    for line, length, ids in zip(logits, lengths, together, strict=True):
        assert search.decode(line[None, :length], length[None]) == [ids]


def test_skipping_blank_frames_changes_nothing() -> None:
    logits = random_logits(2, 20, 30, 4) * 3
    logits[:, ::2, 0] += 14  # a certain blank in every other frame, and rows of them
    logits[:, 10:15, 0] += 20
    lengths = np.full(20, 30)
    whole = BeamSearch(lm=TABLES, blank_skip_threshold=1.0).decode(logits, lengths)
    assert BeamSearch(lm=TABLES).decode(logits, lengths) == whole


def test_a_language_model_decides_between_similar_characters() -> None:
    # Two letters: a, then b or c with nearly the same logit; the training texts have "ab".
    logits = np.full((1, 3, 4), -8.0, np.float32)
    logits[0, 0, 1] = logits[0, 1, 0] = 5.0
    logits[0, 2, 2], logits[0, 2, 3] = 5.0, 5.2
    lengths = np.array([3])
    assert BeamSearch().decode(logits, lengths) == [CHARSET.encode("ac")]
    assert BeamSearch(lm=TABLES, lm_weight=1.0).decode(logits, lengths) == [CHARSET.encode("ab")]


def test_no_lines_and_blank_lines() -> None:
    assert BeamSearch().decode(np.zeros((0, 4, 3), np.float32), np.zeros(0, np.int64)) == []
    blank = np.zeros((1, 4, 4), np.float32)
    blank[:, :, 0] = 30
    assert BeamSearch(lm=TABLES).decode(blank, np.array([4])) == [[]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"beam_width": 0}, r"decoder\.beam_width=0: too small"),
        ({"max_classes": 0}, r"decoder\.max_classes=0"),
        ({"min_probability": 2.0}, r"decoder\.min_probability=2\.0: not a probability"),
        ({"lm_weight": -1.0}, r"decoder\.lm_weight=-1\.0: negative"),
        ({"min_probability": -0.1}, r"decoder\.min_probability=-0\.1: not a probability"),
        ({"blank_skip_threshold": 1.1}, r"decoder\.blank_skip_threshold=1\.1: not a probability"),
        ({"unknown_word_cost": -0.1}, r"decoder\.unknown_word_cost=-0\.1: negative"),
    ],
)
def test_values_out_of_range(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BeamSearch(**arguments)  # type: ignore[arg-type]


def test_values_at_their_limits() -> None:
    BeamSearch(beam_width=1, max_classes=1, min_probability=0, blank_skip_threshold=0, lm_weight=0, unknown_word_cost=0)
    BeamSearch(min_probability=1, blank_skip_threshold=1)
