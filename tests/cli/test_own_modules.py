"""Modules in the current folder, found by both ways of starting a command."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.drawn_pages import small_page
from PIL import Image

WRITER = """
from htr_lightning.reading.write.writers import PageWriter, register_page_writer

def write_tei(page, created):
    return "".join(f"<l>{line.text}</l>" for line in page.lines).encode()

register_page_writer("tei", PageWriter("TEI", ".tei.xml", write_tei))
"""
CONSOLE_SCRIPT = "import sys; sys.path.pop(0); from htr_lightning.__main__ import main; main()"


def start(folder: Path, script: bool, *arguments: str) -> subprocess.CompletedProcess[str]:
    way = ["-c", CONSOLE_SCRIPT] if script else ["-m", "htr_lightning"]
    return subprocess.run([sys.executable, *way, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", [True, False])
def test_a_class_of_the_current_folder(script: bool, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Steps:\n    def __init__(self, images: int = 3): raise ValueError\n")
    (tmp_path / "json.py").write_text("raise ImportError('hidden')\n" if script else "")
    if not script:
        (tmp_path / "json.py").unlink()
    refused = start(
        tmp_path, script, "augment=none", "augment._target_=mine.Steps", "+augment.image=3", "dataset=lines"
    )
    assert refused.returncode == 1 and "Traceback" not in refused.stderr, refused.stderr
    assert "augment.image: mine.Steps takes no such parameter; did you mean 'images'?" in refused.stderr
    assert "hidden" not in refused.stderr


@pytest.mark.parametrize("script", [True, False])
def test_pages_in_a_format_of_ones_own(script: bool, tmp_path: Path) -> None:
    (tmp_path / "my_tei.py").write_text(WRITER)
    Image.fromarray(small_page().pixels).save(tmp_path / "page.png")
    common = ["predict", "zoo:latin", "page.png", "--format", "tei", "--out", "read"]
    unknown = start(tmp_path, script, *common)
    assert unknown.returncode == 2 and "unknown format 'tei'" in unknown.stderr and "--trust" in unknown.stderr
    missing = start(tmp_path, script, *common, "--trust", "none_such")
    assert missing.returncode != 0 and "--trust none_such: cannot be imported" in missing.stderr
    done = start(tmp_path, script, *common, "--trust", "my_tei")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "read" / "page.tei.xml").read_text().startswith("<l>")
