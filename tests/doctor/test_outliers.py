from dataclasses import replace

import numpy as np
from helpers.made_up import Facts, facts, keys, sentences, split_facts

from htr_lightning.doctor.outliers import MIN_LINES, find_outliers, report_outliers


def written(number: int = 400, *, groups: bool = False, width: float = 10.0) -> Facts:
    """Lines of as good as one hand: a character is 10 px wide, give or take a tenth; with two hands, 10 or 25."""
    generator = np.random.default_rng(0)
    texts = [text[: generator.integers(5, 60)] for text in sentences(number, words=12)]
    hands = ["wide" if row % 2 else "narrow" for row in range(number)]
    each = width * np.array([2.5 if groups and hand == "wide" else 1.0 for hand in hands])
    lengths = np.array([len(text) for text in texts])
    widths = (lengths * each * np.exp(generator.normal(0, 0.1, number)) + 8).astype(np.int64)
    rows = split_facts("train", texts, groups=hands if groups else None, input_widths_px=widths.tolist())
    return {**facts(), "train": rows}


def with_width(made: Facts, row: int, factor: float) -> Facts:
    widths = made["train"].input_widths_px.copy()
    widths[row] = int(widths[row] * factor)
    return {**made, "train": replace(made["train"], input_widths_px=widths)}


def test_a_usual_set_has_no_find_outliers() -> None:
    assert not find_outliers(written())
    assert not find_outliers(written(groups=True))


def test_too_much_and_too_little_text_is_found() -> None:
    for factor, words in ((0.35, "narrower"), (3.0, "wider")):
        made = with_width(written(), 123, factor)
        outliers = find_outliers(made)
        assert [(line.split, line.row) for line in outliers] == [("train", 123)]
        (finding,) = report_outliers(made, outliers)
        assert finding.key == "suspicious_lines" and finding.severity == "warning"
        assert finding.lines[0].id == "train/123" and words in finding.lines[0].reason


def test_what_a_hand_or_a_cut_may_explain_is_but_noted() -> None:
    made = with_width(written(), 8, 1.7)
    findings = report_outliers(made, find_outliers(made))
    assert keys(findings) == ["unusual_proportions"] and findings[0].severity == "note"


def test_a_line_is_measured_by_its_own_hand() -> None:
    made = with_width(written(groups=True), 100, 2.5)  # a narrow line as wide as those of the other hand
    assert [line.row for line in find_outliers(made)] == [100]


def test_lines_of_small_groups_are_measured_by_all() -> None:
    made = written(width=20.0)
    groups = ["anna"] * 395 + [f"rare {row}" for row in range(5)]
    made = {**made, "train": replace(made["train"], groups=groups)}
    assert not find_outliers(made)
    assert [line.row for line in find_outliers(with_width(made, 397, 3.0))] == [397]


def test_single_digits_of_one_width_are_not_odd() -> None:
    made = facts(["7"] * 500)
    assert not find_outliers({**made, "train": replace(made["train"], input_widths_px=np.full(500, 28))})


def test_few_lines_are_not_judged() -> None:
    assert not find_outliers(with_width(written(MIN_LINES - 1), 3, 9.0))
    assert not find_outliers(facts())


def test_lines_that_cannot_be_used_are_left_alone() -> None:
    assert not find_outliers(with_width(written(), 5, 0.0))
