"""Progress without a terminal."""

import itertools

import pytest

from htr_lightning.progress import show_progress


def test_a_sentence_a_minute_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = itertools.count(0, 25)
    batches = [["line"] * 100 for _ in range(8)]
    shown = list(show_progress(batches, 800, "Packing train", clock=lambda: float(next(seconds))))
    assert shown == batches
    rows = capsys.readouterr().err.splitlines()
    assert [row.partition(" of ")[0] for row in rows] == ["Packing train: 300", "Packing train: 600"]
    assert "800" in rows[0] and "38%" in rows[0] and "2 min left" in rows[0] and "less than a minute left" in rows[1]


def test_quick_work_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(show_progress([[1], [2]], 2, "Packing")) == [[1], [2]]
    assert list(show_progress([[]], 0, "Packing", clock=itertools.count(0, 100).__next__)) == [[]]
    assert not capsys.readouterr().err
