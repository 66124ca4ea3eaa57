"""Counts, scores and their intervals."""

import math

import numpy as np
import pytest
from helpers.scored_lines import CHARSET, score_lines
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.evaluation.counts import count_classes, count_groups
from htr_lightning.evaluation.intervals import compute_rate_interval, draw_weights
from htr_lightning.evaluation.lines import ERROR_RATES, Edit, ErrorCount, fold_case, score_line, strip_accents
from htr_lightning.evaluation.scores import (
    compute_group_rates,
    compute_length_edges,
    compute_length_rates,
    compute_scores_with_intervals,
)
from htr_lightning.metrics import CHARACTER_SCORES, cer, wer, wer_tokens
from htr_lightning.text import tokenize
from htr_lightning.training.metrics import RecognitionMetrics

TEXTS = st.text(alphabet="abxé .", max_size=8)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(["", "v", "w"])), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("l'eau. Non !", ["l", "'", "eau", ".", "Non", "!"]),
        ("12,5 a_b", ["12", ",", "5", "a", "_", "b"]),
        ("x\u0304y — «é»…", ["x\u0304y", "—", "«", "é", "»", "…"]),
        (" ", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens


def test_punctuation_does_not_spoil_a_word_for_tokens() -> None:
    assert wer(["le chat."], ["le chat"]) == 1 / 2
    assert wer_tokens(["le chat."], ["le chat"]) == 1 / 3


def test_a_line_worked_out_by_hand() -> None:
    line = score_line("1", "w", "Été à Caen.", "Ete a  Caen", 0.9)
    assert [edit.kind for edit in line.edits] == [*["substitution"] * 3, "insertion", "deletion"]
    assert line.errors["cer"] == ErrorCount(5, 11) and line.cer == 5 / 11
    assert line.errors["wer"] == ErrorCount(3, 3) and line.errors["wer_tokens"] == ErrorCount(3, 4)
    assert line.errors["wer_ignoring_accents"] == ErrorCount(1, 3)
    assert line.errors["cer_ignoring_accents"] == ErrorCount(2, 11)
    assert tuple(line.errors) == ERROR_RATES


def test_edits_know_their_places() -> None:
    line = score_line("1", "", "abcdef", "xbdefg", 0.9)
    assert line.edits == (Edit("substitution", 0, 0), Edit("deletion", 2, 2), Edit("insertion", 6, 5))
    assert line.find_wrong_characters() == {0, 5} and not line.is_correct
    assert [line.count_edits(kind) for kind in ("insertion", "deletion", "substitution")] == [1, 1, 1]


def test_what_is_held_for_the_same() -> None:
    assert fold_case("STRASSE") == fold_case("Straße") and strip_accents("Çà, ñø") == "Ca, nø"
    line = score_line("1", "", "Élan", "elan", 1.0)
    assert [line.errors[f"cer{name}"].edits for name in ("", "_ignoring_case", "_ignoring_accents")] == [1, 1, 1]
    assert line.errors["cer_ignoring_case_and_accents"].edits == line.errors["wer_ignoring_case_and_accents"].edits == 0


def test_both_sides_are_normalized() -> None:
    assert score_line("1", "", "e\u0301", "\u00e9", 1.0).is_correct
    assert not score_line("1", "", "e\u0301", "\u00e9", 1.0, "none").is_correct


@given(ROWS)
def test_points_are_those_of_the_metrics(rows: list[tuple[str, str, str]]) -> None:
    references, hypotheses = [r for r, _, _ in rows], [h for _, h, _ in rows]
    lines = score_lines(*((r, h) for r, h, _ in rows), groups=[g for *_, g in rows])
    scores = compute_scores_with_intervals(count_groups(lines, CHARSET.characters), num_samples=3)
    metrics = RecognitionMetrics(CHARSET)
    metrics.update(references, hypotheses)
    for name, value in metrics.compute().items():
        assert scores[name] == pytest.approx(float(value), abs=1e-6), name
    assert scores["cer"] == cer(references, hypotheses)
    assert scores["wer_tokens"] == wer_tokens(references, hypotheses)


def drawn_lines(seed: int = 0) -> tuple[list[tuple[str, str]], list[str]]:
    generator = np.random.default_rng(seed)
    texts = ["".join(generator.choice(list("abcdéx "), 12)) for _ in range(24)]
    read = ["".join(c if generator.random() < 0.8 else "a" for c in text) for text in texts]
    return list(zip(texts, read, strict=True)), [f"w{i % 5}" if i else "" for i in range(24)]


def test_intervals_are_those_of_measuring_every_sample_anew() -> None:
    pairs, groups = drawn_lines()
    counts = count_groups(score_lines(*pairs, groups=groups), CHARSET.characters)
    scores = compute_scores_with_intervals(counts, num_samples=40, seed=3)
    members = [[p for p, g in zip(pairs, groups, strict=True) if g == name] for name in counts.names]
    samples: dict[str, list[float]] = {}
    for weights in draw_weights(len(members), num_samples=40, seed=3):
        for sample in weights.astype(int).tolist():
            drawn = [pair for times, group in zip(sample, members, strict=True) for pair in group * times]
            metrics = RecognitionMetrics(CHARSET)
            metrics.update([r for r, _ in drawn], [h for _, h in drawn])
            for name, value in metrics.compute().items():
                samples.setdefault(name, []).append(float(value))
            samples.setdefault("wer_tokens", []).append(wer_tokens([r for r, _ in drawn], [h for _, h in drawn]))
    assert set(CHARACTER_SCORES) < set(samples)
    for name, values in samples.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert scores[f"{name}_low"] == pytest.approx(low, abs=1e-6), name
        assert scores[f"{name}_high"] == pytest.approx(high, abs=1e-6), name
        assert scores[f"{name}_low"] < scores[name] < scores[f"{name}_high"] or name in ("accuracy", "wer")


def test_the_interval_of_the_cer_is_that_of_rate_interval() -> None:
    pairs, groups = drawn_lines(1)
    lines = score_lines(*pairs, groups=groups)
    scores = compute_scores_with_intervals(count_groups(lines, CHARSET.characters))
    expected = compute_rate_interval(
        [len(line.edits) for line in lines], [len(line.reference) for line in lines], groups
    )
    assert (scores["cer_low"], scores["cer_high"]) == expected


@pytest.mark.parametrize("groups", [["v", "v"], [""]])
def test_a_single_group_has_no_interval(groups: list[str]) -> None:
    lines = score_lines(*[("abcd", "abxd"), ("ab", "ab")][: len(groups)], groups=groups)
    scores = compute_scores_with_intervals(count_groups(lines, CHARSET.characters))
    assert 0 < scores["cer"] < 1 and not [name for name in scores if name.endswith(("_low", "_high"))]
    assert {(row.cer_low, row.cer_high) for row in compute_length_rates(lines)} == {(None, None)}
    assert all(map(math.isnan, compute_rate_interval([1] * len(groups), [4] * len(groups), groups)))


def test_weights_come_in_blocks_that_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = draw_weights(5, num_samples=20)
    monkeypatch.setattr("htr_lightning.evaluation.intervals._MAX_WEIGHTS", 15)
    blocks = list(draw_weights(5, num_samples=20))
    assert len(blocks) == 7 and (np.concatenate(blocks) == whole).all() and (whole.sum(1) == 5).all()


@given(st.lists(st.tuples(st.text(max_size=6), st.integers(0, 2)), max_size=5))
def test_characters_are_counted_by_group_and_class(rows: list[tuple[str, int]]) -> None:
    counts = count_classes([t for t, _ in rows], np.array([g for _, g in rows], np.int64), 3, CHARSET.characters)
    assert counts.shape == (3, 7)
    for group in range(3):
        text = "".join(t for t, g in rows if g == group)
        expected = [sum(c not in CHARSET for c in text), *(text.count(c) for c in CHARSET.characters)]
        assert counts[group].tolist() == expected


def test_groups_are_listed_with_the_worst_first() -> None:
    lines = score_lines(("abcd", "abcd"), ("abcd", "abxx"), ("ab", "xb"), ("a", ""), groups=["v", "w", "w", ""])
    rows = compute_group_rates(count_groups(lines, CHARSET.characters))
    assert [(row.group, row.lines, row.characters, row.edits, row.cer) for row in rows] == [
        ("w", 2, 6, 3, 0.5),
        ("v", 1, 4, 0, 0.0),
    ]


def test_error_rates_by_length() -> None:
    lines = score_lines(*[("a" * n, "b" + "a" * (n - 1)) for n in (1, 1, 2, 12, 15)])
    rows = compute_length_rates(lines, num_samples=50)
    expected = [(1, 1, 2, 2), (2, 2, 1, 1), (12, 12, 1, 1), (15, 15, 1, 1)]
    assert [(row.first, row.last, row.lines, row.edits) for row in rows] == expected
    assert rows[0].cer == rows[0].cer_low == rows[0].cer_high == 1 and rows[3].cer == 1 / 15
    assert not any(math.isnan(row.cer_low) for row in rows)


def test_few_very_long_lines_share_the_last_bin() -> None:
    edges = compute_length_edges([*range(1, 60)] * 10 + [5000])
    assert edges == [0, 10, 20, 30, 40, 50]
    assert compute_length_edges([0]) == [0]
