"""Read remote files block by block: while one is read, the next is downloaded and the one before is written."""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from htr_lightning.image.files import DataError
from htr_lightning.image.paths import PathPairs
from htr_lightning.reading.folder_work import FolderWork, ReadJobs
from htr_lightning.reading.page_checks import check_files
from htr_lightning.reading.page_jobs import PageJob, UnreadableFile
from htr_lightning.reading.records.file_states import FileState, get_state
from htr_lightning.reading.records.journal import ERROR_SUFFIX, Journal, build_record
from htr_lightning.reading.records.settings import SETTINGS_FILE
from htr_lightning.reading.storage.places import Url, parse_place
from htr_lightning.reading.storage.stage import Stage, run_in_threads
from htr_lightning.reading.storage.survey import StagedFile
from htr_lightning.reading.work import FolderResult, write_pages

_MAX_JOURNAL_BYTES = 1 << 20  # it is written again with each block
_FATAL = ("refused", "unreachable")


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What became of a block of files; its length is their number.

    Attributes:
        num_files: in the block.
        num_pages: in these files, also those that were not read.
        num_layouts: pages that have a layout.
        result: what became of the pages.
    """

    num_files: int
    num_pages: int
    num_layouts: int
    result: FolderResult

    def __len__(self) -> int:
        return self.num_files


@dataclass
class _Block:
    """Files on this machine."""

    items: Sequence[StagedFile]
    errors: dict[str, DataError] = field(default_factory=dict)  # files that could not be downloaded
    downloaded: dict[Path, FileState | None] = field(default_factory=dict)
    needed: list[Path] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    journal: tuple[Path, bytes] | None = None


class BlockReader:
    """Reads blocks of files.

    Args:
        work: of the run.
        stage: where remote files get.
        read: reads pages.
    """

    def __init__(self, work: FolderWork, stage: Stage, read: ReadJobs) -> None:
        self.work, self.stage, self._read = work, stage, read
        self.plan = stage.localize_plan(work)
        self.is_written = isinstance(work.places.out, Url)
        self.journal = Journal(
            self.plan.out, work.settings, is_read=False, needs_records=self.is_written, rename=stage.rename
        )
        self._has_settings = False
        self._stopped = threading.Event()
        self._needed: Counter[Path] = Counter()  # blocks that need a file; two may share a layout
        self._lock = threading.Lock()

    def read(self, items: Sequence[StagedFile], size: int) -> Iterator[BlockResult]:
        """Read files, and yield what became of each block; the results of all blocks are written at the end.

        Args:
            items: the files.
            size: number of files of a block.

        Raises:
            InputError: the storage cannot be read.
            OutputError: it cannot be written; the results of earlier blocks are complete.
        """
        self._stopped.clear()
        blocks = [items[start : start + size] for start in range(0, len(items), size)]
        with ThreadPoolExecutor(1) as downloader, ThreadPoolExecutor(1) as uploader, self._stopping():
            coming = [downloader.submit(self._download, block) for block in blocks[:1]]
            written: Future[None] | None = None
            for number in range(len(blocks)):
                block = coming.pop().result()
                coming += [downloader.submit(self._download, later) for later in blocks[number + 1 : number + 2]]
                result = self._read_block(block)
                if written is not None:
                    written.result()
                written = uploader.submit(self._write, block)
                yield result
            if written is not None:
                written.result()

    @contextlib.contextmanager
    def _stopping(self) -> Iterator[None]:
        """Let the downloads end if the block is left."""
        try:
            yield
        finally:
            self._stopped.set()

    def _download(self, items: Sequence[StagedFile]) -> _Block:
        block = _Block(items)
        paths = [(item, Url(url), time) for item in items for url, time in item.downloads]
        with self._lock:
            self._needed.update(self.stage.localize(url) for _, url, _ in paths)
        reasons = run_in_threads(lambda entry: self._download_file(entry[1], entry[2]), paths)
        for (item, url, _), error in zip(paths, reasons, strict=True):
            path = self.stage.localize(url)
            block.needed.append(path)
            block.downloaded[path] = get_state(path)
            if error is not None:
                block.errors.setdefault(item.file, error)
        if len(block.errors) == len(items) and all(error.kind in _FATAL for error in block.errors.values()):
            raise next(iter(block.errors.values()))
        return block

    def _download_file(self, url: Url, modified_ns: int) -> DataError | None:
        if self._stopped.is_set():
            return None
        path = self.stage.localize(url)
        try:
            self.stage.get_store(url).download(url, path)
        except DataError as error:
            return error
        if modified_ns:
            os.utime(path, ns=(modified_ns, modified_ns))
        return None

    def _read_block(self, block: _Block) -> BlockResult:
        """Read the files of a block as if they had always been on this machine."""
        files = [(self.stage.localize(parse_place(item.file)), Path(item.relative), item) for item in block.items]
        found = PathPairs((path, relative) for path, relative, item in files if item.file not in block.errors)
        jobs, unreadable = self.plan.make_jobs(found)
        for path, relative, item in files:
            if item.file in block.errors:
                unreadable[path] = UnreadableFile(block.errors[item.file], self.plan.out / relative.parent)
        for row in (row for item in block.items for row in item.records):
            self.journal.records[row["page"]] = build_record(row)
        check_files(jobs, self.plan.out, inputs=self.work.inputs, overwrite=self.work.overwrite)
        result = write_pages(
            jobs,
            unreadable,
            self._read,
            overwrite=self.work.overwrite,
            report=self.work.report,
            warn=self.work.warn or self.work.report,
            progress=None,
            title="",
            journal=self.journal,
        )
        self.journal.records.clear()
        block.outputs = list(_list_outputs(jobs)) + [
            file.folder / f"{path.stem}{ERROR_SUFFIX}" for path, file in unreadable.items()
        ]
        if self.is_written and self.journal.path.is_file():
            block.journal = self.journal.path, self.journal.path.read_bytes()
            if len(block.journal[1]) > _MAX_JOURNAL_BYTES:
                self.journal.begin_file()
        return BlockResult(len(block.items), len(jobs), sum(job.layout is not None for job in jobs), result)

    def _write(self, block: _Block) -> None:
        """Write the results of a block to storage, then its records, and delete it here.

        The records come last, so that no page is recorded that has no results.
        """
        if self.is_written:
            steps = [step for path in block.outputs if (step := self._plan_step(path, block.downloaded)) is not None]
            for _ in run_in_threads(lambda step: step(), steps):
                pass
            self._write_records(block)
        with self._lock:
            self._needed.subtract(block.needed)
            for path in {*block.downloaded, *(block.outputs if self.is_written else ())}:
                if self._needed[path] <= 0:
                    del self._needed[path]
                    path.unlink(missing_ok=True)

    def _plan_step(self, path: Path, downloaded: dict[Path, FileState | None]) -> Callable[[], None] | None:
        """Return what writes or deletes a result; None if it is as it was."""
        url, state = self.stage.find_url(path), get_state(path)
        assert url is not None
        store, known = self.stage.get_store(url), downloaded.get(path)
        if state == known:
            return None
        if state is None:
            return lambda: store.delete(url)
        return lambda: store.write(url, path.read_bytes())

    def _write_records(self, block: _Block) -> None:
        if block.journal is None:
            return
        path, content = block.journal
        settings = path.with_name(SETTINGS_FILE)
        files = {path: content}
        if not self._has_settings and settings.is_file():
            files = {settings: settings.read_bytes(), **files}
        for file, text in files.items():
            url = self.stage.find_url(file)
            assert url is not None
            self.stage.get_store(url).write(url, text)
        self._has_settings = True


def _list_outputs(jobs: Sequence[PageJob]) -> Iterator[Path]:
    """Yield the files that pages may have written or deleted."""
    for job in jobs:
        for part in (job, *(job.halves or ())):
            yield from part.files
            yield job.folder / f"{part.stem}{ERROR_SUFFIX}"
        if job.document is not None:
            yield job.document
