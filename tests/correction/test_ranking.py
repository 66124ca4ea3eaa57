"""``correct --from index.parquet`` shows the worst pages, the worst first, and loses nothing of the others."""

from pathlib import Path

import pytest
from helpers.projects import draw_page, make_project

from htr_lightning.cli.correct import build_parser
from htr_lightning.correction.page import CONFIRMED
from htr_lightning.correction.project import Project
from htr_lightning.correction.workspace import Workspace
from htr_lightning.errors import InputError
from htr_lightning.reading.records.index import INDEX_FILE, write_index
from htr_lightning.reading.records.journal import PageRecord


def write_ranking(out: Path, confidences: dict[str, float | None]) -> Path:
    """Write the index of pages with a mean confidence; None for pages that failed."""
    out.mkdir(exist_ok=True)
    write_index(
        out, [PageRecord(page, page, "read" if c else "failed", confidence=c) for page, c in confidences.items()]
    )
    return out / INDEX_FILE


def open_names(folder: Path, index: Path, worst: float) -> list[str]:
    """Return the pages that a workspace shows."""
    workspace = Workspace(folder, "zoo:latin", index=index, worst=worst)
    names = [page.name for page in workspace.project.pages.values()]
    workspace.close()
    return names


def test_the_worst_pages_come_first(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("a.png", "b.png", "box 3/c.png", "d.png", "new.png"):
        draw_page((tmp_path / "scans" / name).parent, Path(name).name)
    ranking = {"a": 0.9, "b": 0.5, "box 3/c": 0.2, "d": None, "gone": 0.1}
    index = write_ranking(tmp_path / "out", ranking)
    assert open_names(tmp_path / "scans", index, 1) == ["box 3/c.png", "b.png", "a.png"]
    assert open_names(tmp_path / "scans", index, 0.5) == ["box 3/c.png", "b.png"]
    assert open_names(tmp_path / "scans", index, 0.01) == ["box 3/c.png"]


def test_corrections_on_other_pages_stay(tmp_path: Path) -> None:
    project, keys, drawn = make_project(tmp_path / "scans")
    project.set_text(keys[0], "r1_l1", drawn[0].texts[0], CONFIRMED)
    project.close()
    index = write_ranking(tmp_path / "out", {"page 1": 0.9, "page 2": 0.5})
    assert open_names(tmp_path / "scans", index, 0.01) == ["page 2.png"]
    project = Project(tmp_path / "scans")
    assert list(project.pages) == keys
    assert project.pages[keys[0]].get_state("r1_l1") == CONFIRMED
    project.close()


def test_an_index_that_does_not_fit_is_refused_in_a_sentence(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    draw_page(scans, "a.png")
    other = write_ranking(tmp_path / "out", {"z": 0.5})
    with pytest.raises(InputError, match=r"index.parquet: it has none of the pages of .*scans.*predict read"):
        Workspace(scans, index=other)
    with pytest.raises(InputError, match=r"nowhere.parquet: there is no such file"):
        Workspace(scans, index=tmp_path / "nowhere.parquet")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match=r"broken.parquet: it is no index of results.*predict --index"):
        Workspace(scans, index=broken)
    with pytest.raises(InputError, match=r"--worst.*=?5.*not a fraction"):
        Workspace(scans, index=other, worst=5)
    assert not (scans / ".htr").exists()


def test_the_command_line_takes_an_index() -> None:
    options = build_parser().parse_args(["scans", "--from", "out/index.parquet", "--worst", "0.1"])
    assert (options.index, options.worst) == (Path("out/index.parquet"), 0.1)
