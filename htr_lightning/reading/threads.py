"""Threads that prepare lines."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2

from htr_lightning.device import count_cores


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
    """Start as many threads as there are cores."""
    with _SINGLE_THREADED_OPENCV, ThreadPoolExecutor(count_cores()) as threads:
        yield threads
