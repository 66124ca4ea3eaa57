"""Edits of the lines of a page."""

from pathlib import Path

import numpy as np
import pytest
from helpers.projects import make_project

from htr_lightning.correction import edits
from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.page import CONFIRMED, CORRECTED, READ, LineShape, ProjectPage
from htr_lightning.correction.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made, _, _ = make_project(tmp_path / "scans", pages=1)
    return made


def get_page(project: Project) -> ProjectPage:
    (page,) = project.pages.values()
    return page


def apply(project: Project, name: str, edit: edits.Edit) -> None:
    project.set_lines(get_page(project).key, name, edit.shapes, edit.texts)


def test_merging_joins_texts_and_baselines_and_can_be_undone(project: Project) -> None:
    page = get_page(project)
    project.set_text(page.key, "r1_l1", "un deux", CONFIRMED)
    before = page.line_ids
    edit = edits.merge_with_next(page, "r1_l1")
    second = page.show_text("r1_l2")
    apply(project, "merge", edit)
    assert page.line_ids == [edit.line, "r1_l3", "r1_l4"]
    assert page.show_text(edit.line) == f"un deux {second}"
    assert page.get_state(edit.line) == CORRECTED
    merged = page.shapes[0]  # type: ignore[index]
    assert (np.diff(merged.baseline[:, 0]) >= 0).all()
    assert project.undo_lines(page.key)
    assert page.line_ids == before
    assert (page.show_text("r1_l1"), page.get_state("r1_l1")) == ("un deux", CONFIRMED)
    assert not project.undo_lines(page.key)


def test_splitting_puts_each_half_of_the_text_over_its_half_of_the_line(project: Project) -> None:
    page = get_page(project)
    project.set_text(page.key, "r1_l2", "aaaa bbbb cccc", CORRECTED)
    edit = edits.split_line(page, "r1_l2", 5)
    apply(project, "split", edit)
    first, second = page.line_ids[1:3]
    assert (page.show_text(first), page.show_text(second)) == ("aaaa", "bbbb cccc")
    one, other = page.shapes[1], page.shapes[2]  # type: ignore[index]
    left, right = page.edits[0][1].baseline[[0, -1], 0]
    cut = left + 5 / 14 * (right - left)
    assert one.baseline[-1, 0] == pytest.approx(cut, abs=1) == other.baseline[0, 0]
    assert one.baseline[0, 0] == left and other.baseline[-1, 0] == pytest.approx(right, abs=0.5)


@pytest.mark.parametrize("position", [0, 99])
def test_splitting_at_an_end_is_refused(project: Project, position: int) -> None:
    with pytest.raises(ProjectError) as caught:
        edits.split_line(get_page(project), "r1_l2", position)
    assert caught.value.kind == "position"


def test_lines_are_deleted_and_moved(project: Project) -> None:
    page = get_page(project)
    apply(project, "delete", edits.delete_line(page, "r1_l2"))
    assert page.line_ids == ["r1_l1", "r1_l3", "r1_l4"]
    apply(project, "up", edits.move_line(page, "r1_l4", -1))
    assert page.line_ids == ["r1_l1", "r1_l4", "r1_l3"]
    for line, steps in (("r1_l1", -1), ("r1_l3", 1)):
        with pytest.raises(ProjectError) as caught:
            edits.move_line(page, line, steps)
        assert caught.value.kind == "end"
    project.undo_lines(page.key)
    project.undo_lines(page.key)
    assert page.line_ids == ["r1_l1", "r1_l2", "r1_l3", "r1_l4"]


def test_a_missed_line_is_drawn_where_its_height_puts_it(project: Project) -> None:
    page = get_page(project)
    points = np.array([(500, 285), (100, 285)], np.float32)  # between lines 2 and 3, from right to left
    edit = edits.draw_line(page, points)
    apply(project, "draw", edit)
    assert page.line_ids == ["r1_l1", "r1_l2", edit.line, "r1_l3", "r1_l4"]
    drawn = page.shapes[2]  # type: ignore[index]
    assert drawn.baseline[0, 0] < drawn.baseline[-1, 0]
    assert page.get_state(edit.line) == "" and project.is_outdated(page, edit.line)
    assert edits.draw_line(page, points, after="r1_l4").shapes[-1].id.startswith("drawn_")


def test_a_redrawn_line_is_read_again_but_keeps_the_text_of_a_person(project: Project) -> None:
    page = get_page(project)
    project.set_text(page.key, "r1_l1", "un deux", CORRECTED)
    for line in ("r1_l1", "r1_l2"):
        edit = edits.redraw_line(page, line, np.array([(90, 160), (400, 165), (700, 160)], np.float32))
        apply(project, "redraw", edit)
        assert project.is_outdated(page, edit.line)
    assert [page.get_state(line) for line in page.line_ids] == [CORRECTED, "", READ, READ]
    assert page.show_text(page.line_ids[0]) == "un deux"


@pytest.mark.parametrize(
    "points", [[(1, 1)], [(1, 1), (2, 1)], [(1, 1), (float("nan"), 3)], [(i, 1) for i in range(300)]]
)
def test_points_that_make_no_baseline_are_refused(project: Project, points: list[tuple[float, float]]) -> None:
    with pytest.raises(ProjectError) as caught:
        edits.draw_line(get_page(project), np.array(points, np.float32))
    assert caught.value.kind == "points"


def test_edits_are_there_after_a_restart(tmp_path: Path) -> None:
    project, keys, _ = make_project(tmp_path / "scans", pages=1)
    page = get_page(project)
    apply(project, "delete", edits.delete_line(page, "r1_l1"))
    apply(project, "draw", edits.draw_line(page, np.array([(50, 850), (700, 840)], np.float32)))
    shapes = [shape.to_dict() for shape in page.shapes or ()]
    project.close()
    project = Project(tmp_path / "scans")
    again = project.get_page(keys[0])
    assert [shape.to_dict() for shape in again.shapes or ()] == shapes
    assert project.undo_lines(keys[0]) and project.undo_lines(keys[0])
    assert again.line_ids[0] == "r1_l1"
    project.close()


def test_a_line_with_an_outline_alone_can_be_split(project: Project) -> None:
    page = get_page(project)
    corners = np.array([(100, 400), (500, 400), (500, 450), (100, 450)], np.float32)
    page.shapes = [LineShape("only", np.zeros((0, 2), np.float32), corners)]
    project.set_text(page.key, "only", "ab cd", CORRECTED)
    edit = edits.split_line(page, "only", 2)
    assert edit.shapes[0].box[2] == pytest.approx(260, abs=1) == edit.shapes[1].box[0]
