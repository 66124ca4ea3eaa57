"""Threads for reading: as many as there are cores, each with work of its own."""

import contextlib
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2

from htr_lightning.device import count_threads

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class _SingleThreadedOpenCV:
    """A block without OpenCV's own threads, which would compete with ours; threads may be in it at the same time."""

    def __init__(self) -> None:
        self._lock, self._num_inside, self._before = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._num_inside:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._num_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_inside -= 1
            if not self._num_inside:
                cv2.setNumThreads(self._before)


_SINGLE_THREADED_OPENCV = _SingleThreadedOpenCV()


@contextlib.contextmanager
def start_threads() -> Iterator[ThreadPoolExecutor]:
    """Start as many threads as there are cores; if the block is left, what they have not begun is not done."""
    with _SINGLE_THREADED_OPENCV, ThreadPoolExecutor(count_threads()) as threads:
        try:
            yield threads
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def compute_ahead(
    function: Callable[[_Job], _Result], jobs: Iterable[_Job], num_threads: int = 1
) -> Iterator[tuple[_Job, _Result]]:
    """Yield each job with the result of a function, in order; threads compute those of the next jobs meanwhile."""
    remaining, ahead = iter(jobs), deque[tuple[_Job, Future[_Result]]]()
    with ThreadPoolExecutor(num_threads) as pool:

        def submit(number: int) -> None:
            ahead.extend((job, pool.submit(function, job)) for job in itertools.islice(remaining, number))

        try:
            submit(num_threads)
            while ahead:
                submit(1)
                job, future = ahead.popleft()
                yield job, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
