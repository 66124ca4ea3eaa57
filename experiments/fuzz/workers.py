"""Worker processes that inputs are given to, each watched for time and memory."""

import contextlib
import importlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from typing import Any

from outcome import Outcome

_POLL_S = 0.1


@dataclass(frozen=True)
class Limits:
    """What an input may take.

    Attributes:
        seconds: of a core; a worker that needs more, or four times as many by the clock, is killed.
        megabytes: of resident memory of a worker, likewise.
    """

    seconds: float = 30
    megabytes: float = 4096


class Worker:
    """A process that runs one input after the other.

    Args:
        seeds: folder of the valid files that inputs are made from.
        place: for temporary files.
        seed: of the inputs.
        names: of the kinds of inputs.
        weights: of the kinds.
    """

    def __init__(self, seeds: Path, place: Path, seed: int, names: Sequence[str], weights: Sequence[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._arguments = (seeds, place, seed, names, weights)
        self.process = context.Process(target=_work, args=(other, *self._arguments), daemon=True)
        self.process.start()
        other.close()
        self.number: int | None = None
        self._cpu_before_s = 0.0
        self.started_s = 0.0
        self.is_ready = False

    def start(self, number: int) -> None:
        """Run an input."""
        self.number, self.started_s = number, time.monotonic()
        self._cpu_before_s = 0.0
        self._cpu_before_s = self.get_cpu_s()
        self.connection.send(number)

    def get_memory_mb(self) -> float:
        """Return the peak of the resident memory of the process since the input began."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0.0
        row = next((row for row in status.splitlines() if row.startswith("VmHWM")), "VmHWM: 0 kB")
        return int(row.split()[1]) / 1024

    def get_cpu_s(self) -> float:
        """Return how many seconds of a core the process has used since the input began."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") - self._cpu_before_s

    def kill(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def restart(self) -> "Worker":
        """Return a new worker in the place of one that was killed."""
        return Worker(*self._arguments)


def choose_kind(seed: int, number: int, names: Sequence[str], weights: Sequence[int]) -> tuple[str, Random]:
    """Return the kind of an input, and what it is drawn from; both follow from seed and number alone."""
    random = Random(f"{seed}:{number}")
    return random.choices(names, weights)[0], random


def _work(
    connection: Connection, seeds: Path, place: Path, seed: int, names: Sequence[str], weights: Sequence[int]
) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module = importlib.import_module("kinds")
    from outcome import PRINTED, READ, REFUSED, run_input

    folder = Path(tempfile.mkdtemp(dir=place, prefix="worker-"))
    os.chdir(folder)
    printed = (folder / "printed").open("w+b")  # by libraries, past Python
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    try:
        kinds = module.load_kinds(seeds, names)
    except BaseException:
        connection.send(traceback.format_exc())
        raise
    connection.send(None)
    while True:
        number = connection.recv()
        if number is None:
            return
        name, random = choose_kind(seed, number, names, weights)
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # begin a new peak of memory
        begin_s = time.process_time()
        outcome = run_input(kinds[name], random, folder)
        cpu_s = time.process_time() - begin_s
        sys.stdout.flush()
        sys.stderr.flush()
        size = printed.seek(0, os.SEEK_END)
        if size and outcome.result in (READ, REFUSED):
            printed.seek(0)
            outcome = Outcome(name, PRINTED, printed.read(3000).decode("utf-8", "replace"))
        printed.seek(0)
        printed.truncate()
        connection.send((outcome, cpu_s))


def run_inputs(
    workers: list[Worker], numbers: Sequence[int], limits: Limits, describe: Any
) -> Iterator[tuple[int, Outcome, float, float]]:
    """Run inputs in workers; yield number, outcome, seconds of one core, and the peak of memory in MB.

    Args:
        workers: changed in place when one has to be replaced.
        numbers: of the inputs.
        limits: for each input.
        describe: returns the name of the kind of a number.
    """
    waiting, peaks = list(reversed(numbers)), {id(worker): 0.0 for worker in workers}
    while waiting or any(worker.number is not None for worker in workers):
        for index, worker in enumerate(workers):
            if worker.number is None and worker.is_ready and waiting:
                peaks[id(worker)] = 0.0
                worker.start(waiting.pop())
            outcome = _check(worker, limits, peaks)
            if outcome is not None and worker.number is not None:
                number, name = worker.number, describe(worker.number)
                yield number, Outcome(name, outcome), time.monotonic() - worker.started_s, peaks[id(worker)]
                worker.kill()
                workers[index] = worker.restart()
                peaks[id(workers[index])] = 0.0
        ready = wait([worker.connection for worker in workers], _POLL_S)
        for worker in workers:
            if worker.connection not in ready:
                continue
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                worker.process.join()  # it has died, which `_check` sees
                continue
            if worker.number is None:
                if message is not None:
                    raise RuntimeError(message)
                worker.is_ready = True
                continue
            peaks[id(worker)] = max(peaks[id(worker)], worker.get_memory_mb())
            yield worker.number, *message, peaks[id(worker)]
            worker.number = None


def _check(worker: Worker, limits: Limits, peaks: dict[int, float]) -> str | None:
    """Return what is wrong with a worker, or None."""
    peaks[id(worker)] = max(peaks.get(id(worker), 0.0), worker.get_memory_mb())
    if not worker.process.is_alive():
        if worker.number is None:
            raise RuntimeError("a worker ended while it loaded the seeds")
        return "crash"
    if worker.number is None:
        return None
    if worker.get_cpu_s() > limits.seconds or time.monotonic() - worker.started_s > 4 * limits.seconds:
        return "hang"
    return "memory" if peaks[id(worker)] > limits.megabytes else None
