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
from htr_lightning.image.files import UnusableImage

MAIN = """
import os, sys
from htr_lightning.data.line import Line
from htr_lightning.data.parallel import map_lines
from htr_lightning.image.files import UnusableImage
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
