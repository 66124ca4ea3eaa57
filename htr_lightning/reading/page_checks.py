"""Checks, before pages are read, that their results can be written and destroy nothing."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from htr_lightning.files import OutputError, check_writable
from htr_lightning.image.paths import get_folder
from htr_lightning.reading.page_jobs import PageJob
from htr_lightning.report.outputs import Output, check_outputs


def check_files(jobs: Sequence[PageJob], out: Path, *, inputs: Iterable[Path] = (), overwrite: bool = False) -> None:
    """Check, before anything is read, that the files of all pages can be written.

    Args:
        jobs: the pages.
        out: folder to write into.
        inputs: files that are read besides scans and layouts.
        overwrite: files that exist will be replaced; otherwise they are kept.

    Raises:
        OutputError: a result would be written over a file that is read.
        OutputError: two pages would be written to one file, a result would be taken for a scan or a layout by the next
            run, or a folder cannot be written.
    """
    owners: dict[Path, str] = {}  # file -> the scan or document that it is written for
    for job in jobs:
        if job.document is not None and owners.setdefault(job.document, str(job.scan.path)) != str(job.scan.path):
            raise build_conflict(owners[job.document], str(job.scan.path), job.document)
        for path in [file for part in (job, *(job.halves or ())) for file in part.files]:
            if path in owners:
                raise build_conflict(owners[path], job.scan.name, path)
            owners[path] = job.scan.name
    _refuse_outputs_beside_scans(jobs, out)
    read = itertools.chain((job.scan.path for job in jobs), filter(None, (job.layout for job in jobs)), inputs)
    check_outputs((Output(path, folder=out) for path in owners), read, overwrite=True)
    folders = map(Path, {get_folder(path) for path in owners})  # a million strings cost less time than paths
    for folder in {folder for folder in folders if not folder.name.startswith(".")} | {out}:
        check_writable(folder)


def build_conflict(scan: str, other: str, path: Path) -> OutputError:
    """Return the error for two scans whose results would have one name."""
    return OutputError(f"{scan} and {other} would both be written to {path}", remedy="rename one", kind="conflict")


def _refuse_outputs_beside_scans(jobs: Sequence[PageJob], out: Path) -> None:
    """Refuse to write what `find_layout` and `find_scan_files` would find in the next run.

    Raises:
        OutputError: a result would be such a file.
    """
    parents = {get_folder(job.scan.path) for job in jobs}
    searched = {Path(parent, folder).resolve() for parent in parents for folder in ("", "alto", "page")}
    examples: dict[Path, Path] = {}  # folder -> one of the files that are written there
    for job in jobs:
        files = [job.document or path for form, path in job.outputs.items() if form in ("alto", "page", "pdf")]
        examples |= {path.parent: path for path in (*files, *filter(None, [job.image]))}
    for folder, path in examples.items():
        if folder.resolve() in searched:
            problem = f"the next run would take {path.name} beside the scans for a layout or a scan"
            raise OutputError(problem, file=out, remedy="choose another folder", kind="conflict")
