"""Map a function over lines in several processes, in order."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from typing import TypeVar

from htr_lightning.data.line import Line
from htr_lightning.errors import InputError

LINES_PER_TASK = 32
MIN_PARALLEL_LINES = 257  # fewer are mapped in this process: to start workers would take longer
_MAX_WORKERS = 61  # limit of ProcessPoolExecutor on Windows

Result = TypeVar("Result")
_stopped: Event | None = None  # in workers


def map_lines(function: Callable[[Line], Result], lines: Sequence[Line], num_workers: int) -> Iterator[list[Result]]:
    """Yield what ``function`` returns for each line, in order, in lists of up to `LINES_PER_TASK` results.

    Consecutive lines go to the same process, so that a page is decoded once for all its lines. Only a few tasks are
    submitted ahead, so that memory use stays low.

    Args:
        function: called with each line. It and its results are pickled; every process imports its modules.
        lines: lines to map.
        num_workers: number of processes; with 1, or fewer than `MIN_PARALLEL_LINES` lines, no process is started.

    Raises:
        InputError: a process was killed; its ``kind`` is ``killed``.
        Exception: whatever ``function`` raises, in the order of the lines.
    """
    num_workers = min(num_workers, _MAX_WORKERS, -(-len(lines) // LINES_PER_TASK))
    tasks = (lines[i : i + LINES_PER_TASK] for i in range(0, len(lines), LINES_PER_TASK))
    if num_workers <= 1 or len(lines) < MIN_PARALLEL_LINES:
        for task in tasks:
            yield _run(function, task)
        return
    # Spawn, not fork: the threads of torch and Arrow in this process may hold locks, on which a fork would hang.
    context = multiprocessing.get_context("spawn")
    stopped = context.Event()
    with ProcessPoolExecutor(num_workers, context, _start_worker, (stopped,)) as pool:
        pending: deque[Future[list[Result]]] = deque()
        try:
            for task in tasks:
                with _block_interrupts():  # the first call starts the workers
                    pending.append(pool.submit(_run, function, task))
                if len(pending) > 4 * num_workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool:
            raise InputError(
                "a preprocessing worker was killed (out of memory?)",
                remedy="use fewer workers: ++loader.num_pack_workers=1",
                kind="killed",
            ) from None
        finally:
            stopped.set()
            for future in pending:
                future.cancel()


def _run(function: Callable[[Line], Result], lines: Sequence[Line]) -> list[Result]:
    """Map the function, unless the parent stops before the end and needs no results."""
    return [function(line) for line in lines if _stopped is None or not _stopped.is_set()]


@contextlib.contextmanager
def _block_interrupts() -> Iterator[None]:
    """Block Ctrl-C, which then arrives when the block ends; workers that are started in the block never see it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(stopped: Event) -> None:
    """Prepare this worker: only its parent decides when it ends.

    A terminal sends Ctrl-C to workers as well. One that is interrupted while it sends a result would leave the parent
    waiting for the rest of it.

    Args:
        stopped: set when the parent needs no more results.
    """
    global _stopped
    _stopped = stopped
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()


def _end_with_parent() -> None:
    """Let this worker end when its parent does, even by SIGKILL; otherwise it would wait for tasks forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)  # not sys.exit, which would only end this thread

    threading.Thread(target=wait, name="end with parent", daemon=True).start()
