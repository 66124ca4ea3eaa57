"""A process that is killed while lines are confirmed, or while it learns, loses none of them, and leaves no half file.

Twenty kills in all: 16 while lines are confirmed, 4 while a model learns and lines are confirmed.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.projects import make_project

from htr_lightning.correction.learning import Learner
from htr_lightning.correction.project import Project
from htr_lightning.correction.workspace import Workspace
from htr_lightning.layout.formats import read_layout

CONFIRM = """
import itertools, pathlib, sys
from htr_lightning.correction.layout_files import LayoutFiles
from htr_lightning.correction.project import Project
project = Project(pathlib.Path(sys.argv[1]))
files = LayoutFiles(project)
lines = [(page.key, line) for page in project.pages.values() for line in page.line_ids]
for number, (key, line) in zip(range(int(sys.argv[2]), 10**9), itertools.cycle(lines)):
    project.set_text(key, line, f"text {number}", "confirmed")
    print(key, line, number, flush=True)
    files.write_changed()
"""
LEARN = """
import itertools, pathlib, sys, time
from htr_lightning.correction.learning import Learner
from htr_lightning.correction.workspace import Workspace
workspace = Workspace(pathlib.Path(sys.argv[1]), "zoo:latin", device="cpu", learning=["trainer.max_steps=3"])
workspace.start()
learner, project = Learner(workspace), workspace.project
learner.start()
lines = [(page.key, line) for page in project.pages.values() for line in page.line_ids]
for number, (key, line) in zip(range(int(sys.argv[2]), 10**9), itertools.cycle(lines)):
    phase = learner.progress.phase
    if not learner.progress.is_running:
        learner.start()
    project.set_text(key, line, f"text {number}", "confirmed")
    child = getattr(learner._process, "pid", 0)
    print(key, line, number, phase, child, flush=True)
    time.sleep(0.05)
"""

Lines = dict[tuple[str, str], int]


def start(code: str, folder: Path, first: int) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, str(folder), str(first)], stdout=subprocess.PIPE, text=True)


def kill(process: "subprocess.Popen[str]", rows: list[list[str]]) -> Lines:
    """Kill a process; return the number of the last text of each line that it has said to be confirmed."""
    assert process.stdout is not None
    process.kill()
    rows += [row.split() for row in process.stdout.read().splitlines()]
    return {(row[0], row[1]): int(row[2]) for row in rows}


def check(project: Project, expected: Lines, num_lines: int) -> None:
    """Check that every line has a text at least as new as the one that was said to be confirmed."""
    for (key, line), number in expected.items():
        text = project.get_page(key).show_text(line)
        assert int(text.removeprefix("text ")) >= number  # the last one may be on the disk, but not printed
        assert project.get_page(key).get_state(line) == "confirmed"
    for path in project.folder.glob("*.xml"):
        assert len(read_layout(path).lines) == num_lines


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 7, 11, 16])
def test_every_line_that_was_said_to_be_confirmed_is_there(tmp_path: Path, after: int) -> None:
    project, _, _ = make_project(tmp_path / "scans")
    project.close()
    expected: Lines = {}
    for attempt in range(2):
        with start(CONFIRM, tmp_path / "scans", 1000 * attempt) as process:
            assert process.stdout is not None
            expected |= kill(process, [process.stdout.readline().split() for _ in range(after)])
        project = Project(tmp_path / "scans")
        check(project, expected, 4)
        project.close()


def test_every_line_that_was_confirmed_while_a_model_learned_is_there(tmp_path: Path) -> None:
    folder, lines = tmp_path / "scans", 10
    project, keys, _ = make_project(folder, lines=lines)
    expected: Lines = {}
    for key in keys:
        for line in project.get_page(key).line_ids:
            project.set_text(key, line, "text 0", "confirmed")
            expected[key, line] = 0
    project.close()
    for attempt, (phase, more) in enumerate((("preparing", 0), ("learning", 0), ("learning", 20), ("measuring", 0)), 1):
        with start(LEARN, folder, 10_000 * attempt) as process:
            assert process.stdout is not None
            rows = [process.stdout.readline().split()]
            while rows[-1][3] != phase:
                rows.append(process.stdout.readline().split())
            rows += [process.stdout.readline().split() for _ in range(more)]
            expected |= kill(process, rows)
        wait_for_end(int(rows[-1][4]))
        workspace = Workspace(folder, device="cpu")
        check(workspace.project, expected, lines)
        models = Learner(workspace).list_models()
        assert [model.name for model in models] == ["zoo:latin"] and workspace.project.model == "zoo:latin"
        workspace.close()
        check(workspace.project, expected, lines)  # with the layout files that were left


def wait_for_end(pid: int) -> None:
    """Wait until the training has noticed that its parent is gone; it must not go on by itself."""
    command = Path(f"/proc/{pid}/cmdline")
    while pid and command.is_file() and command.read_bytes():
        time.sleep(0.05)
