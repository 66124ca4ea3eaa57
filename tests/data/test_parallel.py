"""Processes that map lines."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from htr_lightning.data.line import Line
from htr_lightning.data.parallel import MIN_PARALLEL_LINES, map_lines
from htr_lightning.errors import InputError
from htr_lightning.image.line_image import UnusableImage

MAIN = """
import os, sys
from htr_lightning.data.line import Line
from htr_lightning.data.parallel import map_lines
from htr_lightning.image.line_image import UnusableImage
from test_parallel import get_process

if __name__ == "__main__":
    results = map_lines(get_process, [Line(str(i), UnusableImage("none"), "x") for i in range(2000)], 2)
    print("ready", flush=True)
    next(results)
    print("started", flush=True)
    sys.stdin.readline()
"""


def get_process(line: Line) -> int:
    return os.getpid()


def test_results_come_in_order_from_several_processes() -> None:
    lines = [Line(str(i), UnusableImage("none"), "x") for i in range(MIN_PARALLEL_LINES)]
    results = [id for task in map_lines(get_process, lines, 2) for id in task]
    assert len(results) == len(lines) and os.getpid() not in results
    assert {id for task in map_lines(get_process, lines[:-1], 2) for id in task} == {os.getpid()}


def ignores_interrupts(line: Line) -> bool:
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_workers_leave_ctrl_c_to_their_parent() -> None:
    before = signal.getsignal(signal.SIGINT)
    lines = [Line(str(i), UnusableImage("none"), "x") for i in range(MIN_PARALLEL_LINES)]
    assert all(all(task) for task in map_lines(ignores_interrupts, lines, 2))
    assert signal.getsignal(signal.SIGINT) is before
    if hasattr(signal, "pthread_sigmask"):
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def end_process(line: Line) -> None:
    os._exit(9)


def test_a_killed_worker_is_reported_with_its_remedy() -> None:
    lines = [Line(str(i), UnusableImage("none"), "x") for i in range(MIN_PARALLEL_LINES)]
    message = r"a preprocessing worker was killed .*; use fewer workers: \+\+loader\.num_pack_workers=1$"
    with pytest.raises(InputError, match=message):
        list(map_lines(end_process, lines, 2))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and pipes that end with the last process")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(MAIN)
    paths = [str(Path(__file__).parent), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "started\n"]
        process.send_signal(signal.SIGKILL)
        # The workers have the same standard output: it ends when the last of them does.
        rest, _ = process.communicate(timeout=60)
    assert rest == "" and process.returncode == -signal.SIGKILL


MAIN_STOPPED = """
import signal
from htr_lightning.data.line import Line
from htr_lightning.data.parallel import map_lines
from htr_lightning.image.line_image import UnusableImage
from test_parallel import get_pixels

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script in the background ignores it
    results = map_lines(get_pixels, [Line(str(i), UnusableImage("none"), "x") for i in range(100_000)], 2)
    try:
        next(results)
        print("started", flush=True)
        for _ in results:
            pass
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def get_pixels(line: Line) -> bytes:
    return bytes(50_000)


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_ctrl_c_ends_the_workers_although_they_receive_it_as_well(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(MAIN_STOPPED)
    paths = [str(Path(__file__).parent), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        os.killpg(process.pid, signal.SIGINT)
        try:
            rest, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert (rest, errors, process.returncode) == ("interrupted\n", "", 0)
