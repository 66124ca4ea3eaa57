"""Read pages whose scans or results are in remote storage."""

import secrets
from collections.abc import Iterable
from pathlib import Path

from htr_lightning.files import OutputError, check_writable
from htr_lightning.reading.folder_work import FolderWork, ReadJobs
from htr_lightning.reading.page_jobs import PageJob, UnreadableFile, report_layouts
from htr_lightning.reading.records.index import INDEX_FILE, write_index
from htr_lightning.reading.records.settings import JOURNAL_FOLDER
from htr_lightning.reading.records.status import FolderStatus, compute_status
from htr_lightning.reading.storage.blocks import BlockReader, BlockResult
from htr_lightning.reading.storage.places import Url
from htr_lightning.reading.storage.stage import Stage, open_stage
from htr_lightning.reading.storage.survey import Survey, fetch_journal
from htr_lightning.reading.work import FolderResult

_MIN_FILES, _MAX_FILES = 4, 32  # of a block; several are read at the same time
_NUM_BLOCKS = 8  # of a small run, so that transfers overlap with reading


def work_through_remote(work: FolderWork, read: ReadJobs) -> FolderResult:
    """Read the pages that are left; see `htr_lightning.reading.folder_work.work_through`.

    Raises:
        InputError: nothing was read, or remote storage fails.
        OutputError: results cannot be written; those of all blocks before are complete.
    """
    with open_stage(work) as (stage, staged):
        items, num_done = Survey(staged, stage).find_items()
        if items:
            check_place_writable(stage, staged.places.out)
        size = max(_MIN_FILES, min(_MAX_FILES, len(items) // _NUM_BLOCKS))
        results: Iterable[BlockResult] = BlockReader(staged, stage, read).read(items, size)
        if work.progress is not None and items:
            results = work.progress(results, len(items), f"{work.title}: files")
        blocks = list(results)
        report_block_layouts(blocks, stage, staged)
        if work.index:
            write_remote_index(stage, staged.places.out)
        return add_results([block.result for block in blocks], num_done, stage)


def report_block_layouts(blocks: Iterable[BlockResult], stage: Stage, work: FolderWork) -> None:
    """Report how many of the pages had a layout."""
    counts = [(block.num_layouts, block.num_pages) for block in blocks]
    number, num_pages = (sum(count[place] for count in counts) for place in (0, 1))
    if number:
        report_layouts(number, num_pages, stage.localize_plan(work).layouts, work.report)


def add_results(results: Iterable[FolderResult], num_done: int, stage: Stage) -> FolderResult:
    """Return what became of all pages.

    Args:
        results: of blocks.
        num_done: pages of files that were left out.
        stage: whose paths are replaced by addresses.
    """
    parts = list(results)
    return FolderResult(
        sum(part.num_pages for part in parts),
        sum(part.num_lines for part in parts),
        num_done + sum(part.num_skipped for part in parts),
        tuple(stage.rename(problem) for part in parts for problem in part.problems),
    )


def find_remote_status(work: FolderWork) -> FolderStatus:
    """Return how far a run is; documents that were not read yet count as one page.

    Raises:
        InputError: remote storage cannot be read, or a folder holds no scan.
    """
    with open_stage(work) as (stage, staged):
        survey = Survey(staged, stage)
        jobs: list[PageJob] = []
        unreadable: dict[Path, UnreadableFile] = {}
        for file, relative in survey.files:
            found, failed = survey.list_jobs(file, relative)
            jobs += found
            unreadable |= failed
        return compute_status(jobs, unreadable, survey.journal)


def check_place_writable(stage: Stage, out: Path | Url) -> None:
    """Check, before anything is read, that results can be written.

    Raises:
        OutputError: they cannot.
    """
    if not isinstance(out, Url):
        check_writable(out)
        return
    store, url = stage.get_store(out), Url(f"{out}/{JOURNAL_FOLDER}/.test-{secrets.token_hex(4)}")
    try:
        store.write(url, b"")
        store.delete(url)
    except OutputError as error:
        remedy = error.remedy if error.kind != "unwritable" else "choose another folder"
        raise error.with_fields(file=out, remedy=remedy) from None


def write_remote_index(stage: Stage, out: Path | Url) -> None:
    """Write the index, by the records of all machines.

    Raises:
        OutputError: it cannot be written.
    """
    if not isinstance(out, Url):
        write_index(out)
        return
    fetch_journal(stage, out)
    folder = stage.localize(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_index(folder)
    stage.get_store(out).write(Url(f"{out}/{INDEX_FILE}"), (folder / INDEX_FILE).read_bytes())
