"""Work through the pages of folders, which are on this machine or in remote storage."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from htr_lightning.device import Shard
from htr_lightning.reading.page_checks import check_files
from htr_lightning.reading.page_jobs import PageJob, PagePlan, UnreadableFile, find_jobs
from htr_lightning.reading.records.index import write_index
from htr_lightning.reading.records.journal import Journal
from htr_lightning.reading.records.settings import Settings, check_settings
from htr_lightning.reading.records.status import FolderStatus, compute_status
from htr_lightning.reading.storage.places import Places
from htr_lightning.reading.work import FolderResult, PageResult, Progress, write_pages

log = logging.getLogger(__name__)
ReadJobs = Callable[[Sequence[PageJob]], Iterable[Sequence[tuple[PageJob, PageResult]]]]
"""Yields for each job its result, or those of the halves of a double page."""


@dataclass(frozen=True)
class FolderWork:
    """What a run works on, and how.

    Attributes:
        places: where the scans come from, and where the results go.
        plan: which files to write; its folders are those of ``places``.
        overwrite: read all pages, and replace files that exist.
        shard: the part of the files to work on; None for all.
        inputs: other files that are read, which are never written over.
        settings: that the results depend on.
        index: write the index at the end.
        report: called with each problem, a sentence.
        warn: called with each warning; None to report it.
        progress: draws a bar.
        title: of the bar.
    """

    places: Places
    plan: PagePlan
    overwrite: bool = False
    shard: Shard | None = None
    inputs: Sequence[Path] = ()
    settings: Settings = field(default_factory=dict)
    index: bool = False
    report: Callable[[str], None] = log.warning
    warn: Callable[[str], None] | None = None
    progress: Progress | None = None
    title: str = ""

    def get_local_plan(self) -> PagePlan:
        """Return the plan with its folders, which are on this machine."""
        out, layouts = self.places.out, self.places.layouts
        assert isinstance(out, Path) and (layouts is None or isinstance(layouts, Path))
        return replace(self.plan, out=out, layouts=layouts)

    def find_jobs(self, report: Callable[[str], None]) -> tuple[list[PageJob], dict[Path, UnreadableFile]]:
        """Return the pages, which are on this machine; see `htr_lightning.reading.page_jobs.find_jobs`."""
        places = self.places
        scans = [place for place in places.scans if isinstance(place, Path)]
        plan = self.get_local_plan()
        return find_jobs(scans, plan, shard=self.shard, keep_folders=places.keep_folders, report=report)


def work_through(work: FolderWork, read: ReadJobs) -> FolderResult:
    """Read the pages that are left, and write their files; see `htr_lightning.reading.folder.read_folder`.

    Args:
        work: what to do.
        read: reads pages.

    Raises:
        InputError: nothing was read.
        OutputError: a file cannot be written.
    """
    if work.places.is_remote:
        from htr_lightning.reading.storage.run import work_through_remote

        return work_through_remote(work, read)
    jobs, unreadable = work.find_jobs(work.report)
    out = work.get_local_plan().out
    check_files(jobs, out, inputs=work.inputs, overwrite=work.overwrite)
    check_settings(out, work.settings, overwrite=work.overwrite)
    result = write_pages(
        jobs,
        unreadable,
        read,
        overwrite=work.overwrite,
        report=work.report,
        warn=work.warn or work.report,
        progress=work.progress,
        title=work.title,
        journal=Journal(out, work.settings),
    )
    if work.index:
        write_index(out)
    return result


def find_status(work: FolderWork) -> FolderStatus:
    """Return how far a run is, without reading anything.

    Raises:
        InputError: a folder holds no scan, or remote storage cannot be read.
    """
    if work.places.is_remote:
        from htr_lightning.reading.storage.run import find_remote_status

        return find_remote_status(work)
    jobs, unreadable = work.find_jobs(lambda sentence: None)
    return compute_status(jobs, unreadable, Journal(work.get_local_plan().out, work.settings))
