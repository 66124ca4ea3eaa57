"""The order of work, and the error rate on lines that chance has chosen."""

from collections import Counter
from pathlib import Path

import pytest
from helpers.projects import make_project

from htr_lightning.correction.order import (
    WaitingLine,
    choose_lines,
    choose_useful,
    compute_cer,
    measure_by_chance,
    measure_novelty,
    split_grams,
)
from htr_lightning.correction.page import CHANCE_FRACTION, CONFIRMED, draw_lot


def test_each_fifth_line_comes_from_the_fifth_that_chance_has_set_aside(tmp_path: Path) -> None:
    project, _, _ = make_project(tmp_path / "scans", pages=10, lines=8)
    chosen = choose_lines(project, 15)
    assert len(chosen) == len(set(chosen)) == 15
    is_chance = [draw_lot(*line) < CHANCE_FRACTION for line in chosen]
    assert [place for place, value in enumerate(is_chance, 1) if value] == [5, 10, 15]
    for key, line in chosen:
        project.set_text(key, line, "fini", CONFIRMED)
    assert not set(chosen) & set(choose_lines(project, 15))
    project.close()


def test_all_lines_are_chosen_in_the_end(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans", pages=2, lines=4)
    assert sorted(choose_lines(project, 50)) == sorted((key, f"r1_l{n}") for key in keys for n in range(1, 5))
    project.close()


def test_doubt_times_novelty_by_hand() -> None:
    lines = [
        WaitingLine("p", "a", "abcd efgh", 0.5),
        WaitingLine("p", "b", "abcd efgh", 0.4),  # the same text as a: half as new once a is chosen
        WaitingLine("p", "c", "ijkl mnop", 0.3),
        WaitingLine("p", "d", "qr", 0.9),  # too short to teach much: last
    ]
    assert [line.line for line in choose_useful(lines, Counter(), 4)] == ["a", "c", "b", "d"]
    assert measure_novelty(["abc", "bcd"], Counter({"abc": 1})) == pytest.approx((1 / 2 + 1) / 2)
    assert split_grams("Ab") == [" ab", "ab "]


def test_the_error_rate_is_that_of_the_lines_chance_has_chosen(tmp_path: Path) -> None:
    project, keys, drawn = make_project(tmp_path / "scans", pages=6, lines=8)
    assert measure_by_chance(project) is None
    edits = length = count = 0
    for key, page in zip(keys, drawn, strict=True):
        for number, text in enumerate(page.texts, 1):
            project.set_text(key, f"r1_l{number}", text, CONFIRMED)  # the reading lacks one character
            if draw_lot(key, f"r1_l{number}") < CHANCE_FRACTION:
                edits, length, count = edits + 1, length + len(text), count + 1
    rate = measure_by_chance(project)
    assert rate is not None and rate.num_lines == count > 1
    assert rate.cer == pytest.approx(edits / length)
    assert rate.low <= rate.cer <= rate.high
    project.choose_model("0001")
    assert measure_by_chance(project) is None
    project.close()


def test_error_rates_by_hand() -> None:
    assert compute_cer([]) is None
    rate = compute_cer([("abc", "abd"), ("", "x")])
    assert rate is not None and rate.cer == pytest.approx(2 / 4)
