"""A project: what a person decides is there after a restart, and can be undone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.projects import draw_page, make_project, put_lines

from htr_lightning.correction.errors import ConflictError, ProjectError
from htr_lightning.correction.journal import JournalError
from htr_lightning.correction.page import CONFIRMED, CORRECTED, READ
from htr_lightning.correction.project import Project
from htr_lightning.errors import InputError
from htr_lightning.files import OutputError
from htr_lightning.image.files import DataError


def test_confirmed_lines_are_there_after_a_restart(tmp_path: Path) -> None:
    project, keys, drawn = make_project(tmp_path / "scans")
    project.set_text(keys[0], "r1_l1", f" {drawn[0].texts[0]}\n", CONFIRMED)
    project.set_text(keys[0], "r1_l2", "autre\tchose\ud800", CORRECTED)
    project.close()
    project = Project(tmp_path / "scans")
    page = project.get_page(keys[0])
    assert [page.get_state(line) for line in page.line_ids] == [CONFIRMED, CORRECTED, READ, READ]
    assert page.show_text("r1_l1") == drawn[0].texts[0]
    assert page.show_text("r1_l2") == "autre chose\ufffd"
    assert page.show_text("r1_l3") == drawn[0].texts[2][:-1]
    assert page.texts["r1_l1"].predicted == drawn[0].texts[0][:-1]
    assert page.count() == {"lines": 4, READ: 2, CORRECTED: 1, CONFIRMED: 1}
    assert [text for _, _, text in project.confirmed_lines()] == [drawn[0].texts[0]]
    project.close()


def test_undo_goes_back_step_by_step_also_after_a_restart(tmp_path: Path) -> None:
    project, keys, drawn = make_project(tmp_path / "scans")
    project.set_text(keys[0], "r1_l1", "un", CORRECTED)
    project.set_text(keys[0], "r1_l1", "deux", CONFIRMED)
    project.close()
    project = Project(tmp_path / "scans")
    page = project.get_page(keys[0])
    assert project.undo_text(keys[0], "r1_l1")
    assert (page.show_text("r1_l1"), page.get_state("r1_l1")) == ("un", CORRECTED)
    assert project.undo_text(keys[0], "r1_l1")
    assert (page.show_text("r1_l1"), page.get_state("r1_l1")) == (drawn[0].texts[0][:-1], READ)
    assert not project.undo_text(keys[0], "r1_l1")
    project.close()


def test_the_same_text_twice_is_one_event(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans")
    for _ in range(3):
        project.set_text(keys[0], "r1_l1", "le roi", CONFIRMED)
    assert project.journal.path.read_text().count("le roi") == 1
    project.close()


def test_a_line_that_another_window_changed_is_not_overwritten_unseen(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans")
    seen = project.get_page(keys[0]).get_text("r1_l1").revision
    project.set_text(keys[0], "r1_l1", "theirs", CONFIRMED, revision=seen)
    with pytest.raises(ConflictError):
        project.set_text(keys[0], "r1_l1", "mine", CONFIRMED, revision=seen)
    assert project.get_page(keys[0]).show_text("r1_l1") == "theirs"
    newer = project.get_page(keys[0]).get_text("r1_l1").revision
    project.set_text(keys[0], "r1_l1", "mine", CONFIRMED, revision=newer)
    assert project.get_page(keys[0]).show_text("r1_l1") == "mine"
    project.close()


def test_several_texts_change_together_and_confirmed_lines_stay_confirmed(tmp_path: Path) -> None:
    project, keys, drawn = make_project(tmp_path / "scans")
    project.set_text(keys[0], "r1_l1", "un", CONFIRMED)
    changes = [(keys[0], "r1_l1", "eins"), (keys[1], "r1_l2", "zwei"), (keys[1], "r1_l3", drawn[1].texts[2])]
    assert project.set_texts(changes, "replaced") == 3
    assert project.get_page(keys[0]).get_state("r1_l1") == CONFIRMED
    assert project.get_page(keys[1]).get_state("r1_l2") == CORRECTED
    with pytest.raises(ProjectError):
        project.set_texts([(keys[0], "r1_l1", "drei"), (keys[1], "none", "vier")], "replaced")
    assert project.get_page(keys[0]).show_text("r1_l1") == "eins"
    project.close()


@pytest.mark.parametrize(("key", "line", "kind"), [("0" * 12, "r1_l1", "unknown_page"), ("", "x", "unknown_line")])
def test_an_unknown_page_or_line_is_refused(tmp_path: Path, key: str, line: str, kind: str) -> None:
    project, keys, _ = make_project(tmp_path / "scans")
    with pytest.raises(ProjectError) as caught:
        project.set_text(key or keys[0], line, "text", CONFIRMED)
    assert caught.value.kind == kind
    project.close()


def test_a_text_of_a_whole_book_is_refused(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans")
    with pytest.raises(ProjectError) as caught:
        project.set_text(keys[0], "r1_l1", "x" * 5000, CONFIRMED)
    assert (caught.value.kind, caught.value.line_id) == ("too_long", "r1_l1")
    project.close()


def test_another_process_is_kept_out(tmp_path: Path) -> None:
    project, _, _ = make_project(tmp_path / "scans")
    code = (
        "import sys, pathlib\n"
        "from htr_lightning.correction.errors import ProjectError\n"
        "from htr_lightning.correction.project import Project\n"
        "try: Project(pathlib.Path(sys.argv[1]))\n"
        "except ProjectError as error: print(error.kind)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "scans")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "busy\n"
    project.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_bad_folders_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        Project(tmp_path / "empty")
    assert caught.value.kind == "missing"
    assert not (tmp_path / "empty" / ".htr").exists()
    with pytest.raises(ProjectError) as other:
        Project(tmp_path / "nowhere")
    assert other.value.kind == "missing"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_page(tmp_path / "scans", "a.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # root may write anywhere
    with pytest.raises(OutputError) as caught:
        Project(tmp_path / "scans")
    assert caught.value.kind == "unwritable"


def test_a_project_of_a_newer_version_and_a_damaged_journal_are_refused(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans")
    project.set_text(keys[0], "r1_l1", "un", CONFIRMED)
    project.close()
    about = tmp_path / "scans" / ".htr" / "project.json"
    about.write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError) as caught:
        Project(tmp_path / "scans")
    assert caught.value.kind == "newer"
    about.write_text(json.dumps({"format": 1}))
    project.journal.path.write_text("nonsense\n" + project.journal.path.read_text())
    with pytest.raises(JournalError):
        Project(tmp_path / "scans")


def test_pages_that_were_removed_and_added_do_no_harm(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans")
    project.set_text(keys[0], "r1_l1", "un", CONFIRMED)
    project.set_text(keys[1], "r1_l1", "deux", CONFIRMED)
    project.close()
    (tmp_path / "scans" / "page 1.png").unlink()
    draw_page(tmp_path / "scans", "page 0.png")
    project = Project(tmp_path / "scans")
    assert keys[0] not in project.pages
    assert project.get_page(keys[1]).show_text("r1_l1") == "deux"
    assert len(project.pages) == 2
    project.close()


def test_lines_are_read_again_by_another_model_unless_a_person_touched_them(tmp_path: Path) -> None:
    project, keys, drawn = make_project(tmp_path / "scans")
    page = project.get_page(keys[0])
    project.set_text(keys[0], "r1_l1", "un", CONFIRMED)
    project.set_text(keys[0], "r1_l2", "deux", CORRECTED)
    assert not any(project.is_outdated(page, line) for line in page.line_ids)
    project.choose_model("0001")
    assert [project.is_outdated(page, line) for line in page.line_ids] == [False, False, True, True]
    put_lines(project, keys[0], drawn[0])
    assert not any(project.is_outdated(page, line) for line in page.line_ids)
    project.close()
    project = Project(tmp_path / "scans")
    assert (project.model, project.base_model) == ("0001", "zoo:latin")
    project.set_base_model("zoo:latin")
    assert project.model == "0001"
    project.set_base_model("zoo:latin-large")
    assert project.model == "zoo:latin-large"
    project.close()
