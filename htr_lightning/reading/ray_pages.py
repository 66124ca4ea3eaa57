"""Reading of many pages with Ray: worker processes on this machine or on a cluster, which share a folder of results.

Each worker holds the model and one thread. Rows hold paths only; images and results are read and written by the
workers, so that all machines must see the same folders, or the same remote storage. What a worker writes does not
depend on the others: a page is read again only if its worker died before its files were complete.
"""

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htr_lightning.errors import InputError
from htr_lightning.image.folder import FileFinder
from htr_lightning.image.paths import PathPairs
from htr_lightning.image.scan import find_scan_files
from htr_lightning.reading.folder_work import FolderWork, ReadJobs
from htr_lightning.reading.page_checks import build_conflict, check_files
from htr_lightning.reading.page_jobs import PagePlan, report_layouts
from htr_lightning.reading.ray_engine import RayEngine, run_workers
from htr_lightning.reading.records.index import write_index
from htr_lightning.reading.records.journal import Journal
from htr_lightning.reading.records.settings import Settings, check_settings
from htr_lightning.reading.work import FolderResult, describe_edited, write_pages

if TYPE_CHECKING:
    import pyarrow as pa

    from htr_lightning.reading.api import Reader

_CHUNK = 1000  # files that are checked at once


class PageWorker:
    """Reads blocks of files in a process of its own.

    Args:
        make_reader: loads the model.
        plan: which files to write.
        settings: see `Journal`.
        overwrite: replace files that exist.
        folder: the working directory of the run, to which paths are relative.
    """

    def __init__(
        self, make_reader: Callable[[], "Reader"], plan: PagePlan, settings: Settings, overwrite: bool, folder: str
    ) -> None:
        self.plan, self.overwrite = plan, overwrite
        self._read, self._fatal = start_worker(make_reader, folder)
        self.journal = Journal(plan.out, settings, is_read=False)
        self.finder = FileFinder()

    def __call__(self, block: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Read the files of a block: columns ``file``, ``relative``, ``again`` (read it although its files exist)."""
        row = build_row(len(block["file"]), self._fatal)
        if self._read is None:
            return row
        for again in (False, True):
            chosen = PathPairs(
                (str(file), str(relative))
                for file, relative, flag in zip(block["file"], block["relative"], block["again"], strict=True)
                if bool(flag) == again
            )
            jobs, unreadable = self.plan.make_jobs(chosen, self.finder)
            try:
                result = write_pages(
                    jobs,
                    unreadable,
                    self._read,
                    overwrite=self.overwrite or again,
                    report=row["problems"][0].append,
                    warn=row["warnings"][0].append,
                    progress=None,
                    title="",
                    journal=self.journal,
                )
            except InputError as error:  # a full disk
                row["problems"][0].append(f"{platform.node()}: {error}")
                continue
            add_to_row(row, result)
        return row


def start_worker(make_reader: Callable[[], "Reader"], folder: str) -> tuple[ReadJobs | None, str]:
    """Load the model in a worker, and return what reads pages; None, and the reason, if that is not possible.

    Args:
        make_reader: loads the model.
        folder: the working directory of the run.
    """
    from htr_lightning.reading.folder import read_jobs

    os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch or ONNX Runtime is imported
    try:
        os.chdir(folder)
        reader = make_reader()
    except (OSError, InputError) as error:
        return None, f"{platform.node()}: {error}"
    return (lambda jobs: ([step] for step in read_jobs(jobs, reader.page_reader))), ""


def build_row(num_files: int, fatal: str) -> dict[str, list[Any]]:
    """Return the report of a block: numbers, messages, and what ends the run."""
    row: dict[str, list[Any]] = {key: [0] for key in ("pages", "lines", "skipped")}
    return row | {"files": [num_files], "problems": [[]], "warnings": [[]], "fatal": [fatal]}


def add_to_row(row: dict[str, list[Any]], result: FolderResult) -> None:
    """Add what became of pages to the report of their block."""
    for key, number in (("pages", result.num_pages), ("lines", result.num_lines), ("skipped", result.num_skipped)):
        row[key][0] += number


def read_folder_on_ray(work: FolderWork, make_reader: Callable[[], "Reader"], engine: RayEngine) -> FolderResult:
    """Read scans of pages with Ray, and write the predictions and the index, with the same results as `read_folder`.

    Args:
        work: what to do; its index is always written.
        make_reader: loads the model, in each worker.
        engine: where the workers are.

    Raises:
        InputError: nothing was read, see `read_folder`; or there is no cluster, or a worker cannot load the model.
        OutputError: see `read_folder`.
    """
    if work.places.is_remote:
        from htr_lightning.reading.storage.ray_worker import read_remote_on_ray

        return read_remote_on_ray(work, make_reader, engine)
    plan, places = work.get_local_plan(), work.places
    scans = [place for place in places.scans if isinstance(place, Path)]
    files = find_scan_files(scans, work.report, keep_folders=places.keep_folders)
    if work.shard is not None:
        files = PathPairs(work.shard.take(files))
    check_settings(plan.out, work.settings, overwrite=work.overwrite)
    journal = Journal(plan.out, work.settings)
    table, num_done = find_waiting(files, plan, journal, work.inputs, work.overwrite, work.report)
    arguments = (make_reader, plan, journal.settings, work.overwrite, str(Path.cwd()))
    result = run_on_ray(PageWorker, table, arguments, engine, work)
    write_index(plan.out, None if len(table) else journal.records.values())  # the workers have journals of their own
    return replace(result, num_skipped=num_done)


def run_on_ray(
    worker: type, table: "pa.Table", arguments: tuple[Any, ...], engine: RayEngine, work: FolderWork
) -> FolderResult:
    """Read the files of a table with workers, and report what they say.

    Args:
        worker: see `run_workers`.
        table: likewise.
        arguments: likewise.
        engine: where the workers are; without a file it is not started.
        work: whom to tell.

    Raises:
        InputError: there is no cluster, or a worker cannot go on.
    """
    counts = {"pages": 0, "lines": 0, "skipped": 0}
    problems: list[str] = []
    if len(table):
        with engine.connect() as workers:
            blocks: Iterable[Any] = run_workers(worker, table, workers, arguments)
            if work.progress is not None:
                blocks = work.progress(blocks, len(table), "Reading files")
            for row in (row for block in blocks for row in block.rows):
                for message in [*row["problems"], *row["warnings"]]:
                    work.report(message)
                if row["fatal"]:
                    raise InputError(row["fatal"])
                problems += row["problems"]
                counts = {key: counts[key] + row[key] for key in counts}
    return FolderResult(counts["pages"], counts["lines"], counts["skipped"], tuple(problems))


def find_waiting(
    files: PathPairs,
    plan: PagePlan,
    journal: Journal,
    inputs: Sequence[Path],
    overwrite: bool,
    report: Callable[[str], None],
) -> "tuple[pa.Table, int]":
    """Return the files with pages that are to be read, and the number of pages of the others.

    Raises:
        DataError: no page has a layout, although their folder was given.
        OutputError: see `htr_lightning.reading.page_checks.check_files`.
    """
    import pyarrow as pa

    finder, num_pages, num_layouts, num_done = FileFinder(), 0, 0, 0
    names: set[int] = set()  # hashes of the names of results: a million names would take much memory
    folders: dict[Path, bool] = {}  # whether they exist
    schema = pa.schema([("file", pa.string()), ("relative", pa.string()), ("again", pa.bool_())])
    tables = [schema.empty_table()]
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        jobs, unreadable = plan.make_jobs(chunk, finder)
        check_files(jobs, plan.out, inputs=inputs, overwrite=overwrite)
        waiting = {str(path): False for path in unreadable}  # whether a file is read again, by its path
        num_pages, num_layouts = num_pages + len(jobs), num_layouts + sum(job.layout is not None for job in jobs)
        for job in jobs:
            name = hash((job.folder, job.stem))
            if name in names:
                raise build_conflict(job.scan.name, "another scan", job.files[0])
            names.add(name)
            if job.folder not in folders:
                folders[job.folder] = job.folder.is_dir()
            state = journal.judge(job) if folders[job.folder] and not overwrite else "missing"
            if state in ("missing", "changed"):
                path = str(job.scan.path)
                waiting[path] = waiting.get(path, False) or state == "changed"
            else:
                num_done += 1
            if state == "edited":
                report(describe_edited(job))
        pairs = zip(*chunk.strings, strict=True)
        rows = [(file, relative, waiting[file]) for file, relative in pairs if file in waiting]
        if rows:
            tables.append(pa.table([pa.array(column) for column in zip(*rows, strict=True)], schema=schema))
    report_layouts(num_layouts, num_pages, plan.layouts, report)
    return pa.concat_tables(tables), num_done
