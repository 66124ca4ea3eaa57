"""What is counted of the speed of a run."""

import lightning
import pytest
import torch
from lightning.pytorch.demos.boring_classes import BoringModel

from htr_lightning.data.batch import Batch
from htr_lightning.training import throughput
from htr_lightning.training.throughput import Clock, Throughput


def test_a_clock_tells_steps_from_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now)
    clock = Clock()
    for _ in range(2):  # a second of waiting, three of work
        now += 1
        clock.start_step(6)
        now += 3
        clock.end_step()
    assert clock.figures() == {"lines_per_second": pytest.approx(1.5), "fraction_waiting": pytest.approx(0.25)}
    now += 50  # a validation
    clock.exclude(50)
    now += 1
    clock.start_step(6)
    now += 3
    clock.end_step()
    assert clock.figures() == {"lines_per_second": pytest.approx(1.5), "fraction_waiting": pytest.approx(0.25)}


def test_a_line_in_two_views_is_one_line() -> None:
    batch = Batch(torch.zeros(2, 1, 8, 8), *(torch.ones(2).long() for _ in range(3)), ["a", "b"], ["a", "b"], seed=1)
    counted = []
    for seen in (batch, batch.with_views(batch.images.repeat(2, 1, 1, 1), batch.widths.repeat(2))):
        trainer, task, callback = lightning.Trainer(logger=False, accelerator="cpu"), BoringModel(), Throughput()
        callback.on_train_start(trainer, task)
        callback.on_train_batch_start(trainer, task, seen, 0)
        counted.append(callback._epoch._samples)
    assert counted == [2, 2]


def test_a_clock_without_a_step_has_no_figures_to_divide_by() -> None:
    assert Clock().figures() == {"lines_per_second": 0.0, "fraction_waiting": 0.0}
