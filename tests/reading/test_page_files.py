"""The pages of a document are joined once, also if two processes read it at the same time."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

from htr_lightning.files import OutputError
from htr_lightning.image.scan import Scan
from htr_lightning.reading import page_files
from htr_lightning.reading.page_jobs import PageJob


def jobs_of(folder: Path) -> list[PageJob]:
    parts = folder / ".book.pdf-pages"
    parts.mkdir()
    jobs = [
        PageJob(Scan(Path("book.pdf"), number), {"pdf": parts / f"{number}.pdf"}, folder / "book.pdf")
        for number in (1, 2)
    ]
    for job in jobs:
        job.outputs["pdf"].touch()
    return jobs


def other_process(folder: Path, jobs: Sequence[PageJob], *, finishes: bool) -> None:
    """Join the pages as another process does."""
    for job in jobs:
        job.outputs["pdf"].unlink()
    if finishes:
        (folder / "book.pdf").write_bytes(b"joined")


def test_another_process_was_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(tmp_path)

    def join(paths: Sequence[Path], file: IO[bytes]) -> None:
        other_process(tmp_path, jobs, finishes=True)
        raise FileNotFoundError(2, "No such file", str(paths[0]))

    monkeypatch.setattr(page_files, "join_pdfs", join)
    assert list(page_files.join_documents(jobs)) == []
    assert (tmp_path / "book.pdf").read_bytes() == b"joined"


def test_another_process_writes_the_same_pages_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(tmp_path)

    def join(paths: Sequence[Path], file: IO[bytes]) -> None:
        file.write(b"ours")
        jobs[0].outputs["pdf"].unlink()
        (paths[0].parent / "other.partial").touch()

    monkeypatch.setattr(page_files, "join_pdfs", join)
    assert list(page_files.join_documents(jobs)) == []
    assert (tmp_path / "book.pdf").read_bytes() == b"ours"


def test_a_part_that_vanishes_for_no_reason_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(tmp_path)

    def join(paths: Sequence[Path], file: IO[bytes]) -> None:
        other_process(tmp_path, jobs, finishes=False)
        raise FileNotFoundError(2, "No such file", str(paths[0]))

    monkeypatch.setattr(page_files, "join_pdfs", join)
    with pytest.raises(OutputError, match=r"book\.pdf"):
        list(page_files.join_documents(jobs))
