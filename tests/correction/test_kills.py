"""A process that is killed while lines are confirmed loses none of them, and leaves no half file."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.projects import make_project

from htr_lightning.correction.project import Project
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


@pytest.mark.parametrize("after", [1, 3, 7])
def test_every_line_that_was_said_to_be_confirmed_is_there(tmp_path: Path, after: int) -> None:
    project, _, _ = make_project(tmp_path / "scans")
    project.close()
    expected: dict[tuple[str, str], int] = {}
    for attempt in range(2):
        command = [sys.executable, "-c", CONFIRM, str(tmp_path / "scans"), str(1000 * attempt)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            rows = [process.stdout.readline().split() for _ in range(after)]
            process.kill()
            rows += [row.split() for row in process.stdout.read().splitlines()]
        expected |= {(key, line): int(number) for key, line, number in rows}
        project = Project(tmp_path / "scans")
        for (key, line), number in expected.items():
            text = project.get_page(key).show_text(line)
            assert int(text.removeprefix("text ")) >= number  # the last one may be on the disk, but not printed
            assert project.get_page(key).get_state(line) == "confirmed"
        for path in (tmp_path / "scans").glob("*.xml"):
            assert len(read_layout(path).lines) == 4
        project.close()
