"""Work that is done ahead in threads."""

import threading
from collections.abc import Iterator

import pytest

from htr_lightning.device import count_cores, count_threads
from htr_lightning.reading.threads import compute_ahead


@pytest.mark.parametrize("num_threads", [1, 3])
def test_results_come_in_order_and_no_more_is_begun_than_needed(num_threads: int) -> None:
    taken: list[int] = []

    def jobs() -> Iterator[int]:
        for job in range(9):
            taken.append(job)
            yield job

    results = compute_ahead(lambda job: job * job, jobs(), num_threads)
    for done in range(1, 10):
        job, result = next(results)
        assert (job, result) == (done - 1, (done - 1) ** 2) and len(taken) == min(9, done + num_threads)
    assert list(results) == []


def test_threads_work_at_the_same_time() -> None:
    barrier = threading.Barrier(2, timeout=60)
    assert [result for _, result in compute_ahead(lambda _: barrier.wait() >= 0, range(4), 2)] == [True] * 4


def test_an_error_ends_it_and_what_was_not_begun_is_not_done() -> None:
    done: list[int] = []

    def work(job: int) -> None:
        done.append(job)
        if job == 0:
            raise KeyError(job)

    with pytest.raises(KeyError):
        list(compute_ahead(work, range(100), 1))
    assert len(done) <= 3


@pytest.mark.parametrize(("value", "number"), [("1", 1), ("1,4", 1), ("", 0), ("0", 0), ("many", 0), ("9999", 0)])
def test_the_number_of_threads_can_be_limited(value: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert count_threads() == (number or count_cores())
