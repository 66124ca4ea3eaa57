from dataclasses import replace

import numpy as np
from helpers.made_up import Facts, facts, keys, sentences, split_facts

from htr_lightning.doctor.suspicious import MIN_LINES, odd_lines, suspicious


def written(number: int = 400, *, groups: bool = False, width: float = 10.0) -> Facts:
    """Lines of as good as one hand: a character is 10 px wide, give or take a tenth; with two hands, 10 or 25."""
    generator = np.random.default_rng(0)
    texts = [text[: generator.integers(5, 60)] for text in sentences(number, words=12)]
    hands = ["wide" if row % 2 else "narrow" for row in range(number)]
    each = width * np.array([2.5 if groups and hand == "wide" else 1.0 for hand in hands])
    lengths = np.array([len(text) for text in texts])
    widths = (lengths * each * np.exp(generator.normal(0, 0.1, number)) + 8).astype(np.int64)
    rows = split_facts("train", texts, groups=hands if groups else None, line_px=widths.tolist())
    return {**facts(), "train": rows}


def with_width(made: Facts, row: int, factor: float) -> Facts:
    widths = made["train"].line_px.copy()
    widths[row] = int(widths[row] * factor)
    return {**made, "train": replace(made["train"], line_px=widths)}


def test_a_usual_set_has_no_odd_lines() -> None:
    assert not odd_lines(written())
    assert not odd_lines(written(groups=True))


def test_too_much_and_too_little_text_is_found() -> None:
    for factor, words in ((0.35, "narrower"), (3.0, "wider")):
        made = with_width(written(), 123, factor)
        odd = odd_lines(made)
        assert [(line.split, line.row) for line in odd] == [("train", 123)]
        (finding,) = suspicious(made, odd)
        assert finding.key == "suspicious_lines" and finding.severity == "warning"
        assert finding.lines[0].id == "train/123" and words in finding.lines[0].why


def test_what_a_hand_or_a_cut_may_explain_is_but_noted() -> None:
    made = with_width(written(), 8, 1.7)
    findings = suspicious(made, odd_lines(made))
    assert keys(findings) == ["odd_proportions"] and findings[0].severity == "note"


def test_a_line_is_measured_by_its_own_hand() -> None:
    made = with_width(written(groups=True), 100, 2.5)  # a narrow line as wide as those of the other hand
    assert [line.row for line in odd_lines(made)] == [100]


def test_lines_of_small_groups_are_measured_by_all() -> None:
    made = written(width=20.0)
    groups = ["anna"] * 395 + [f"rare {row}" for row in range(5)]
    made = {**made, "train": replace(made["train"], groups=groups)}
    assert not odd_lines(made)
    assert [line.row for line in odd_lines(with_width(made, 397, 3.0))] == [397]


def test_single_digits_of_one_width_are_not_odd() -> None:
    made = facts(["7"] * 500)
    assert not odd_lines({**made, "train": replace(made["train"], line_px=np.full(500, 28))})


def test_few_lines_are_not_judged() -> None:
    assert not odd_lines(with_width(written(MIN_LINES - 1), 3, 9.0))
    assert not odd_lines(facts())


def test_lines_that_cannot_be_used_are_left_alone() -> None:
    assert not odd_lines(with_width(written(), 5, 0.0))
