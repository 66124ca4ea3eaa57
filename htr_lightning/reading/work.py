"""Work through pages: leave out those that are finished, write the files of the others, and record the outcome."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan
from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.page_files import join_documents, render_files, write_files
from htr_lightning.reading.page_jobs import PageJob, UnreadableFile
from htr_lightning.reading.records.file_states import describe_files, describe_image
from htr_lightning.reading.records.journal import Journal, PageRecord
from htr_lightning.text import format_count

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""A progress bar such as `htr_lightning.progress.show_progress`."""


@dataclass(frozen=True, slots=True)
class PageResult:
    """A page of a folder.

    Attributes:
        scan: the page.
        page: its predictions; None if it could not be read.
        error: why it could not be read; None if it could.
        contents: of further files of the page, which are written after the others.
    """

    scan: Scan
    page: PredictedPage | None = None
    error: DataError | None = None
    contents: Mapping[Path, bytes] = field(default_factory=dict, repr=False)

    @property
    def problem(self) -> str:
        """Why the page could not be read, a sentence; empty if it could."""
        return "" if self.error is None else str(self.error)

    @property
    def warnings(self) -> list[str]:
        """What the user should know of the page and of lines that could not be read, one sentence each."""
        if self.page is None:
            return []
        lines = [f"line {line.id}: {line.problem}" for line in self.page.lines if line.problem]
        return [f"{self.scan.name}: {note}" for note in [*self.page.notes, *lines]]


@dataclass(frozen=True, slots=True)
class FolderResult:
    """What became of a folder of scans.

    Attributes:
        num_pages: pages that were read and written.
        num_lines: their lines.
        num_skipped: pages that were not read because all of their files existed.
        problems: what could not be read or written, one sentence each.
    """

    num_pages: int
    num_lines: int
    num_skipped: int
    problems: tuple[str, ...]

    def describe_rest(self) -> str:
        """Return what was skipped and what failed, as the end of a sentence; empty if nothing was."""
        rest = ""
        if self.num_skipped:
            rest += f"; {format_count(self.num_skipped, 'page')} skipped because of existing results (see --overwrite)"
        if self.problems:
            rest += f"; {format_count(len(self.problems), 'problem')}, listed above"
        return rest


def write_pages(
    jobs: Sequence[PageJob],
    unreadable: Mapping[Path, UnreadableFile],
    read: Callable[[Sequence[PageJob]], Iterable[Sequence[tuple[PageJob, PageResult]]]],
    *,
    overwrite: bool,
    report: Callable[[str], None],
    warn: Callable[[str], None],
    progress: Progress | None,
    title: str,
    journal: Journal | None = None,
) -> FolderResult:
    """Read the pages whose files do not exist yet, and write their files.

    Args:
        jobs: all pages.
        unreadable: files that cannot be opened.
        read: yields for each job its result, or those of the halves of a double page.
        overwrite: read all pages, and replace files that exist.
        report: called with each problem, a sentence.
        warn: called with each warning, a sentence.
        progress: draws a bar.
        title: of the bar.
        journal: of the folder of results: pages are also read if their scan has changed since, and what becomes of each
            is recorded. None for none.

    Raises:
        OutputError: a file cannot be written.
    """
    writer = _PageWriter(journal, overwrite, report, warn)
    for path, file in unreadable.items():
        writer.fail_file(path, file)
    waiting = [job for job in jobs if writer.is_waiting(job)]
    steps: Iterable[Any] = ([step] for step in read(waiting)) if waiting else ()
    if progress is not None:
        steps = progress(steps, len(waiting), title)
    start = time.monotonic()
    for (pages,) in steps:
        seconds = (time.monotonic() - start) / max(1, len(pages))
        for job, result in pages:
            writer.write(job, result, seconds)
        start = time.monotonic()
    for problem in join_documents(jobs):
        writer.fail(problem)
    return FolderResult(writer.num_pages, writer.num_lines, len(jobs) - len(waiting), tuple(writer.problems))


class _PageWriter:
    """Writes and records pages, and counts them."""

    def __init__(
        self,
        journal: Journal | None,
        overwrite: bool,
        report: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.journal, self.overwrite, self.report, self.warn = journal, overwrite, report, warn
        self.changed: set[str] = set()  # names of scans whose files are replaced
        self.problems: list[str] = []
        self.num_pages = self.num_lines = 0

    def fail(self, problem: str) -> None:
        self.problems.append(problem)
        self.report(problem)

    def fail_file(self, path: Path, file: UnreadableFile) -> None:
        """Report and record a file that cannot be opened."""
        self.fail(str(file.error))
        if self.journal is not None:
            name = self.journal.name(file.folder, path.stem)
            problem, kind, digest = str(file.error), file.error.kind, self.journal.digest
            self.journal.add(PageRecord(name, str(path), "failed", digest, problem=problem, kind=kind))

    def is_waiting(self, job: PageJob) -> bool:
        """Return whether a page is to be read."""
        if self.overwrite or self.journal is None:
            return self.overwrite or not job.is_done()
        state = self.journal.judge(job)
        if state == "edited":
            self.warn(describe_edited(job))
        if state == "changed":
            self.changed.add(job.scan.name)
        return state in ("missing", "changed")

    def write(self, job: PageJob, result: PageResult, seconds: float) -> None:
        """Write the files of a page, and record it.

        Raises:
            OutputError: a file cannot be written.
        """
        error, page = result.error, result.page
        if page is not None:
            try:
                overwrite = self.overwrite or job.scan.name in self.changed
                contents = render_files(job, page, overwrite=overwrite) | dict(result.contents)
            except DataError as problem:
                error = problem
        if page is None or error is not None:
            self.fail(str(error))
        else:
            for warning in result.warnings:
                self.warn(warning)
            write_files(contents)
            self.num_pages, self.num_lines = self.num_pages + 1, self.num_lines + len(page.lines)
        if self.journal is not None:
            self.journal.add(describe_page(self.journal, job, page, error, seconds))


def describe_edited(job: PageJob) -> str:
    """Return a sentence about a page that is not read again, as its results have been edited."""
    return (
        f"{job.scan.name}: it has changed since it was read, but its results have been edited and are kept; to read it "
        "again, delete them"
    )


def describe_page(
    journal: Journal, job: PageJob, page: PredictedPage | None, error: DataError | None, seconds: float
) -> PageRecord:
    """Return the record of a page."""
    name = journal.name(job.folder, job.stem)
    if page is None or error is not None:
        problem, kind = ("", "") if error is None else (str(error), error.kind)
        return PageRecord(name, job.scan.name, "failed", journal.digest, seconds=seconds, problem=problem, kind=kind)
    confidences = [character.confidence for line in page.lines for character in line.characters]
    return PageRecord(
        name,
        job.scan.name,
        "read",
        journal.digest,
        lines=len(page.lines),
        characters=sum(len(line.text) for line in page.lines),
        confidence=float(np.mean(confidences)) if confidences else None,
        seconds=round(seconds, 3),
        image=describe_image(job.scan.path),
        files=describe_files(path for path in job.files if path.parent == job.folder),
        document_pages=job.document_pages,
    )


@contextlib.contextmanager
def name_work(work: str) -> Iterator[None]:
    """Add what was being done to the traceback of an unexpected error."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        error.add_note(work)
        raise
