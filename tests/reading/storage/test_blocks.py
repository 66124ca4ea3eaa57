"""Blocks of remote files: transfers overlap with reading, and one file that is refused does not end the run."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from helpers.remote import Bucket

from htr_lightning.image.files import DataError
from htr_lightning.reading.folder_work import FolderWork, work_through
from htr_lightning.reading.page_jobs import PageJob, PagePlan
from htr_lightning.reading.storage import run
from htr_lightning.reading.storage.places import Places, Url
from htr_lightning.reading.work import FolderResult, PageResult

Step = tuple[PageJob, PageResult]


def fail(job: PageJob) -> list[Step]:
    """Return what becomes of a page that cannot be read."""
    return [(job, PageResult(job.scan, error=DataError("nobody can read it", file=job.scan.path, kind="illegible")))]


def work_on(bucket: Bucket, out: Path, told: list[str]) -> FolderWork:
    for number in range(3):
        bucket.put(f"scans/p{number}.png", b"?")
    return FolderWork(Places((Url("memory://bucket/scans"),), out), PagePlan(Path(), ("txt",)), report=told.append)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, threading.Event]:
    """Return what is set when a scan has been downloaded, one in each block."""
    monkeypatch.setattr(run, "_MIN_FILES", 1)
    events = {f"/bucket/scans/p{number}.png": threading.Event() for number in range(3)}
    download = MemoryFileSystem.get_file

    def get_file(self: Any, rpath: str, lpath: str, **options: Any) -> None:
        download(self, rpath, lpath, **options)
        events[rpath].set()

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    return events


def test_the_next_block_is_downloaded_while_one_is_read(
    bucket: Bucket, tmp_path: Path, downloads: dict[str, threading.Event]
) -> None:
    order: list[tuple[str, bool]] = []

    def read(jobs: Sequence[PageJob]) -> Iterator[list[Step]]:
        for job in jobs:
            following = downloads.get(f"/bucket/scans/p{int(job.scan.path.stem[1:]) + 1}.png")
            order.append((job.scan.path.name, following is None or following.wait(60)))
            yield fail(job)

    told: list[str] = []
    result = work_through(work_on(bucket, tmp_path / "out", told), read)
    assert order == [("p0.png", True), ("p1.png", True), ("p2.png", True)]
    urls = [f"memory://bucket/scans/p{number}.png" for number in range(3)]
    assert list(result.problems) == told == [f"{url}: nobody can read it" for url in urls]


@pytest.mark.parametrize("refused", [1, 3])
def test_files_that_are_refused(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    download = MemoryFileSystem.get_file

    def get_file(self: Any, rpath: str, lpath: str, **options: Any) -> None:
        if rpath in [f"/bucket/scans/p{number}.png" for number in range(refused)]:
            raise PermissionError("Access Denied")
        download(self, rpath, lpath, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    told: list[str] = []
    work = work_on(bucket, tmp_path / "out", told)
    read_pages: list[str] = []

    def read(jobs: Sequence[PageJob]) -> Iterator[list[Step]]:
        read_pages.extend(job.scan.path.name for job in jobs)
        yield from map(fail, jobs)

    if refused == 3:
        with pytest.raises(DataError, match=r"^memory://bucket/scans/p0.png: access is refused \(Access Denied\)"):
            work_through(work, read)
        assert not read_pages and not (tmp_path / "out").exists()
        return
    result: FolderResult = work_through(work, read)
    assert read_pages == ["p1.png", "p2.png"] and len(result.problems) == 3
    assert "memory://bucket/scans/p0.png: access is refused" in told[0]
    assert (tmp_path / "out" / "p0.error.json").is_file()
