"""The same work on many lines, in several processes, in order."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from htr_lightning.data.line import Line

LINES_PER_TASK = 32
_MOST_WORKERS = 61  # what Windows can wait for
FEW_LINES = 256  # done in this process: starting workers would take longer

Result = TypeVar("Result")


def map_lines(function: Callable[[Line], Result], lines: Sequence[Line], num_workers: int) -> Iterator[list[Result]]:
    """Yield what ``function`` returns for each line, in order, a task's worth at a time.

    Neighboring lines go to the same process, so those of one page decode it once. Few results wait at any moment.

    Args:
        function: of one line; it and its results are pickled, and what it imports is imported in every process.
        lines: the work.
        num_workers: processes; with 1, or with few lines, no other process is started.

    Raises:
        Exception: whatever ``function`` raises, as soon as its turn comes.
    """
    num_workers = min(num_workers, _MOST_WORKERS, -(-len(lines) // LINES_PER_TASK))
    tasks = (lines[i : i + LINES_PER_TASK] for i in range(0, len(lines), LINES_PER_TASK))
    if num_workers <= 1 or len(lines) <= FEW_LINES:
        for task in tasks:
            yield _run(function, task)
        return
    # Spawned, not forked: this process may hold threads of torch and Arrow, which a fork would freeze.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(_run, function, task))
                if len(waiting) > 4 * num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _run(function: Callable[[Line], Result], lines: Sequence[Line]) -> list[Result]:
    return [function(line) for line in lines]
