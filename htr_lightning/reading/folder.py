"""Read folders of scans: `read_folder` writes the predictions to files, `read_pages` yields them."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.api import Reader
from htr_lightning.reading.line_crops import SegmentedPage
from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.page_files import join_documents, render_files, write_files
from htr_lightning.reading.page_jobs import PageJob, Shard, check_files, find_jobs
from htr_lightning.reading.pages import PageReader
from htr_lightning.reading.write.writers import PAGE_WRITERS

Paths = str | Path | Sequence[str | Path]
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""A progress bar such as `htr_lightning.progress.show_progress`."""

log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PageResult:
    """A page of a folder.

    Attributes:
        scan: the page.
        page: its predictions; None if it could not be read.
        problem: why it could not be read; empty if it could.
        contents: of further files of the page, which are written after the others.
    """

    scan: Scan
    page: PredictedPage | None = None
    problem: str = ""
    contents: Mapping[Path, bytes] = field(default_factory=dict, repr=False)

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


def read_folder(
    scans: Paths,
    out: str | Path,
    model: Reader | str | Path,
    *,
    formats: Sequence[str] = ("txt",),
    overlay: bool = False,
    overwrite: bool = False,
    ignore_layouts: bool = False,
    layouts: str | Path | None = None,
    shard: Shard | None = None,
    inputs: Sequence[str | Path] = (),
    report: Callable[[str], None] = log.warning,
    progress: Progress | None = None,
) -> FolderResult:
    """Read scans of pages and write the predictions to files. After an interruption, the same call resumes.

    >>> read_folder("scans", "transcripts", "zoo:latin", formats=["alto", "txt"])
    FolderResult(num_pages=120, num_lines=3711, num_skipped=0, problems=())

    Args:
        scans: images, PDF or TIFF documents, or folders that are searched for them; one or several.
        out: folder for the results; keeps the structure of the searched folders.
        model: from `htr_lightning.load`, which takes decoder and segmenter, or what `htr_lightning.load` takes.
        formats: names of `htr_lightning.reading.write.writers.PAGE_WRITERS`: alto, page, hocr, json, txt, pdf.
        overlay: also write a picture of each page with the predictions.
        overwrite: read also the pages whose files all exist, and replace files that exist.
        ignore_layouts: segment also the pages that have an ALTO or PAGE file (``NAME.xml``, ``alto/NAME.xml``,
            ``page/NAME.xml``); otherwise its lines are read, and the predictions are written into a copy of it.
        layouts: folder with the ALTO or PAGE files, such as the one that `htr_lightning.reading.layouts.segment_folder`
            wrote; None for those beside the scans.
        shard: the part of the files to work on, if several machines share them; see
            `htr_lightning.reading.page_jobs.Shard`. None for all.
        inputs: other files that are read, such as a lexicon; neither they nor scans and layouts are ever written over.
        report: called with each warning and each problem, a sentence, as it occurs.
        progress: draws a bar.

    Raises:
        InputError: nothing was read: there is no such format, a folder holds no scan, or the model cannot be loaded.
        OutputError: a file cannot be written (the files of all pages before it are complete), two pages would be
            written to one file, a result
            would be written over a file that is read, or a result would be taken for a scan by the next run.
    """
    out = Path(out)
    check_formats(formats, PAGE_WRITERS)
    jobs, unreadable = find_jobs(
        to_paths(scans),
        out,
        formats,
        overlay=overlay,
        ignore_layouts=ignore_layouts,
        layouts=None if layouts is None else Path(layouts),
        shard=shard,
        report=report,
    )
    check_files(jobs, out, inputs=to_paths(inputs), overwrite=overwrite)
    return write_pages(
        jobs,
        unreadable,
        lambda waiting: ([step] for step in _read_jobs(waiting, load_reader(model).page_reader)),
        overwrite=overwrite,
        report=report,
        warn=report,
        progress=progress,
        title="Reading pages",
    )


def write_pages(
    jobs: Sequence[PageJob],
    unreadable: Mapping[Path, DataError],
    read: Callable[[Sequence[PageJob]], Iterable[Sequence[tuple[PageJob, PageResult]]]],
    *,
    overwrite: bool,
    report: Callable[[str], None],
    warn: Callable[[str], None],
    progress: Progress | None,
    title: str,
) -> FolderResult:
    """Read the pages whose files do not exist yet, and write their files.

    Args:
        jobs: all pages.
        unreadable: files that cannot be opened, each with the reason.
        read: yields for each job its result, or those of the halves of a double page.
        overwrite: read all pages, and replace files that exist.
        report: called with each problem, a sentence.
        warn: called with each warning, a sentence.
        progress: draws a bar.
        title: of the bar.

    Raises:
        OutputError: a file cannot be written.
    """
    problems: list[str] = []

    def fail(problem: str) -> None:
        problems.append(problem)
        report(problem)

    for error in unreadable.values():
        fail(str(error))
    waiting = [job for job in jobs if overwrite or not job.is_done]
    steps: Iterable[Any] = ([step] for step in read(waiting))
    if progress is not None:
        steps = progress(steps, len(waiting), title)
    num_pages = num_lines = 0
    for (pages,) in steps:
        for job, result in pages:
            if result.page is None:
                fail(result.problem)
                continue
            try:
                contents = render_files(job, result.page, overwrite=overwrite)
            except DataError as error:
                fail(str(error))
                continue
            for warning in result.warnings:
                warn(warning)
            write_files(contents | dict(result.contents))
            num_pages, num_lines = num_pages + 1, num_lines + len(result.page.lines)
    for problem in join_documents(jobs):
        fail(problem)
    return FolderResult(num_pages, num_lines, len(jobs) - len(waiting), tuple(problems))


def read_pages(
    scans: Paths,
    model: Reader | str | Path,
    *,
    ignore_layouts: bool = False,
    layouts: str | Path | None = None,
    report: Callable[[str], None] = log.warning,
) -> Iterator[PageResult]:
    """Read scans of pages, one after the other; a page that cannot be read says why in its ``problem``.

    Args:
        scans: see `read_folder`.
        model: see `read_folder`.
        ignore_layouts: see `read_folder`.
        layouts: see `read_folder`.
        report: called with a sentence for what concerns several pages.

    Raises:
        InputError: a folder holds no scan, or the model cannot be loaded.
    """
    folder = None if layouts is None else Path(layouts)
    jobs, unreadable = find_jobs(
        to_paths(scans), Path(), (), ignore_layouts=ignore_layouts, layouts=folder, report=report
    )
    yield from (PageResult(Scan(file), problem=str(error)) for file, error in unreadable.items())
    yield from (result for _, result in _read_jobs(jobs, load_reader(model).page_reader))


def to_paths(scans: Paths) -> list[Path]:
    """Return one or several paths as a list."""
    return [Path(scans)] if isinstance(scans, str | Path) else [Path(path) for path in scans]


def load_reader(model: Reader | str | Path) -> Reader:
    """Return a reader, which is loaded if only its model is given."""
    import htr_lightning

    return model if isinstance(model, Reader) else htr_lightning.load(model)


def check_formats(formats: Sequence[str], known: Collection[str]) -> None:
    """Check that all formats are known.

    Raises:
        InputError: one is not.
    """
    for name in [formats] if isinstance(formats, str) else formats:
        if isinstance(formats, str) or name not in known:
            raise InputError(f"give a list of some of {', '.join(known)}", key="formats", value=repr(formats))


def _read_jobs(jobs: Sequence[PageJob], reader: PageReader) -> Iterator[tuple[PageJob, PageResult]]:
    """Read pages; another thread finds the lines of the next page in the meantime."""
    for job, segmented in compute_ahead(lambda job: segment_job(job, reader), jobs):
        if isinstance(segmented, DataError):
            yield job, PageResult(job.scan, problem=str(segmented))
            continue
        with name_work(f"while reading {job.scan.name}"):
            page = reader.recognize(segmented)
        yield job, PageResult(job.scan, page)


def compute_ahead(function: Callable[[PageJob], _T], jobs: Sequence[PageJob]) -> Iterator[tuple[PageJob, _T]]:
    """Yield each job with the result of a function, which another thread computes for the next job in the meantime."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(function, jobs[0]) if jobs else None
        for number, job in enumerate(jobs):
            assert ahead is not None
            result = ahead.result()
            ahead = pool.submit(function, jobs[number + 1]) if number + 1 < len(jobs) else None
            yield job, result


def segment_job(job: PageJob, reader: PageReader) -> SegmentedPage | DataError:
    """Cut out the lines of a page, or return why that is not possible."""
    try:
        layout = None if job.layout is None else read_layout(job.layout)
    except DataError as error:
        return DataError(f"{error}; to segment the page instead, use --ignore-layouts")
    try:
        with name_work(f"while segmenting {job.scan.name}"):
            return reader.segment(job.scan, layout)
    except DataError as error:
        return error


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
