"""Layout files beside the images: other programs open them, and the original ones are kept."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from helpers.projects import draw_page, get_shapes, make_project
from helpers.written_rules import check_alto, check_page_xml

from htr_lightning.correction import edits
from htr_lightning.correction.layout_files import LayoutFiles, build_page
from htr_lightning.correction.page import CONFIRMED
from htr_lightning.correction.project import Project
from htr_lightning.layout.formats import detect_format, read_layout
from htr_lightning.reading.write.writers import PAGE_WRITERS


@pytest.mark.parametrize(
    ("form", "suffix", "check"), [("alto", ".xml", check_alto), ("page", ".page.xml", check_page_xml)]
)
def test_a_page_without_a_layout_gets_one_once_a_person_has_touched_it(
    tmp_path: Path, form: str, suffix: str, check: object
) -> None:
    project, keys, drawn = make_project(tmp_path / "scans")
    files = LayoutFiles(project, form)
    files.write_changed()
    assert not list((tmp_path / "scans").glob("*.xml"))
    project.set_text(keys[0], "r1_l2", "le nom du roi", CONFIRMED)
    files.write_changed()
    (path,) = (tmp_path / "scans").glob("*.xml")
    assert path.name == f"page 1{suffix}"
    check(path.read_bytes())  # type: ignore[operator]
    layout = read_layout(path)
    assert layout.image_name == "page 1.png"
    assert [line.text for line in layout.lines] == [
        drawn[0].texts[0][:-1],
        "le nom du roi",
        *(t[:-1] for t in drawn[0].texts[2:]),
    ]
    np.testing.assert_allclose(layout.lines[0].baseline, drawn[0].baselines[0], atol=1)
    project.close()


def make_layout(folder: Path, form: str) -> Path:
    """Write a page with a layout file that holds its first three lines."""
    drawn = draw_page(folder, "scan.png")
    project = Project(folder)
    (key,) = project.pages
    project.store_lines(key, (800, 900), get_shapes(drawn)[:3], {"r1_l1": drawn.texts[0]})
    content = PAGE_WRITERS[form].write(build_page(project.get_page(key)), datetime.now(UTC))
    project.close()
    path = folder / f"scan{PAGE_WRITERS[form].suffix}"
    path.write_bytes(content.replace(b"<Description>", b"<!-- a remark --><Description>", 1))
    return path


@pytest.mark.parametrize("form", ["alto", "page"])
def test_the_original_is_kept_and_only_its_texts_change(tmp_path: Path, form: str) -> None:
    path = make_layout(tmp_path / "scans", form)
    original = path.read_bytes()
    project = Project(tmp_path / "scans")
    (key,) = project.pages
    page = project.get_page(key)
    layout = read_layout(path)
    shapes = page.shapes
    assert shapes is not None
    project.store_lines(key, (800, 900), shapes, {}, layout=path, layout_size=layout.size)
    files = LayoutFiles(project, "page")
    project.set_text(key, "r1_l2", "neuer Text", CONFIRMED)
    for _ in range(2):
        files.write(page)
    kept = path.with_suffix(".orig.xml")
    assert kept.read_bytes() == original
    assert detect_format(path) == {"alto": "alto", "page": "page_xml"}[form]
    assert [line.text for line in read_layout(path).lines][1] == "neuer Text"
    assert (b"a remark" in path.read_bytes()) == (form == "alto")
    project.set_lines(key, "delete", edits.delete_line(page, "r1_l1").shapes, {})
    files.write_changed()
    assert [line.id for line in read_layout(path).lines] == ["r1_l2", "r1_l3"]
    assert detect_format(path) == {"alto": "alto", "page": "page_xml"}[form]
    assert kept.read_bytes() == original
    project.close()


def test_what_another_program_wrote_meanwhile_is_kept_too(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans", pages=1)
    files = LayoutFiles(project)
    project.set_text(keys[0], "r1_l1", "un", CONFIRMED)
    files.write_changed()
    path = tmp_path / "scans" / "page 1.xml"
    for number, name in ((1, "page 1.orig.xml"), (2, "page 1.orig-2.xml")):
        path.write_text(f"<!-- of eScriptorium, {number} --><alto/>")
        project.set_text(keys[0], "r1_l1", f"un {number}", CONFIRMED)
        files.write_changed()
        assert (tmp_path / "scans" / name).read_text() == f"<!-- of eScriptorium, {number} --><alto/>"
        assert read_layout(path).lines[0].text == f"un {number}"
    project.close()


def test_what_could_not_be_written_is_written_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, keys, _ = make_project(tmp_path / "scans", pages=1)
    files = LayoutFiles(project)

    def refuse(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("htr_lightning.correction.layout_files.atomic_write", refuse)
        project.set_text(keys[0], "r1_l1", "un", CONFIRMED)
        files.write_changed()
    path = tmp_path / "scans" / "page 1.xml"
    assert str(path) in files.problem and not path.exists()
    project.close()
    project = Project(tmp_path / "scans")
    LayoutFiles(project).write_changed()
    assert read_layout(path).lines[0].text == "un"
    project.close()


def test_what_a_killed_process_left_long_ago_is_deleted(tmp_path: Path) -> None:
    project, _, _ = make_project(tmp_path / "scans")
    project.close()
    folder = tmp_path / "scans"
    left = [place / f".{name}.partial" for place in (folder, folder / ".htr" / "readings") for name in ("old", "new")]
    for path in left:
        path.touch()
        if "old" in path.name:
            os.utime(path, (time.time() - 2 * 24 * 3600,) * 2)
    project = Project(folder)
    files = LayoutFiles(project)
    files.start()
    files.stop()
    assert [path.exists() for path in left] == [False, True, False, True]
    project.close()
