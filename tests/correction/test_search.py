"""Find and replace."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.projects import make_project

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.page import CONFIRMED, CORRECTED
from htr_lightning.correction.project import Project
from htr_lightning.correction.search import Query, find_matches, replace_matches


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made, keys, _ = make_project(tmp_path / "scans", pages=1)
    for line, text in (("r1_l1", "Le roi, le Roi et roitelet"), ("r1_l2", "a.c abc"), ("r1_l3", "roi"), ("r1_l4", "")):
        made.set_text(keys[0], line, text, CONFIRMED if line == "r1_l1" else CORRECTED)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("roi"), {"r1_l1": ((3, 6), (18, 21)), "r1_l3": ((0, 3),)}),
        (Query("roi", is_word=True), {"r1_l1": ((3, 6),), "r1_l3": ((0, 3),)}),
        (Query("roi", is_word=True, ignores_case=True), {"r1_l1": ((3, 6), (11, 14)), "r1_l3": ((0, 3),)}),
        (Query("a.c"), {"r1_l2": ((0, 3),)}),
        (Query("nothing"), {}),
    ],
)
def test_places_are_found(project: Project, query: Query, expected: dict[str, object]) -> None:
    assert {match.line: match.spans for match in find_matches(project, query)} == expected


def test_only_the_chosen_lines_change_and_each_can_be_undone(project: Project) -> None:
    (page,) = project.pages.values()
    query = Query("roi", is_word=True)
    changed = replace_matches(project, query, r"\1 roy", [(page.key, "r1_l1"), (page.key, "r1_l2")])
    assert changed == [(page.key, "r1_l1")]
    assert page.show_text("r1_l1") == r"Le \1 roy, le Roi et roitelet"
    assert page.get_state("r1_l1") == CONFIRMED
    assert page.show_text("r1_l3") == "roi"
    assert project.undo_text(page.key, "r1_l1")
    assert page.show_text("r1_l1") == "Le roi, le Roi et roitelet"


def test_an_empty_search_is_refused(project: Project) -> None:
    for text in ("", "  "):
        with pytest.raises(ProjectError) as caught:
            find_matches(project, Query(text))
        assert caught.value.key == "text"
