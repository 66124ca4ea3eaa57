"""What is counted of the speed of a run."""

import pytest

from htr_lightning import throughput
from htr_lightning.throughput import Clock


def test_a_clock_tells_steps_from_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now)
    clock = Clock()
    for _ in range(2):  # a second of waiting, three of work
        now += 1
        clock.step_begins(6)
        now += 3
        clock.step_ends()
    assert clock.figures() == {"lines_per_second": pytest.approx(1.5), "share_waiting": pytest.approx(0.25)}
    now += 50  # a validation
    clock.leave_out(50)
    now += 1
    clock.step_begins(6)
    now += 3
    clock.step_ends()
    assert clock.figures() == {"lines_per_second": pytest.approx(1.5), "share_waiting": pytest.approx(0.25)}


def test_a_clock_without_a_step_has_no_figures_to_divide_by() -> None:
    assert Clock().figures() == {"lines_per_second": 0.0, "share_waiting": 0.0}
