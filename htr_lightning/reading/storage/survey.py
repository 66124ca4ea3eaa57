"""What a run on remote folders has to do: its files are listed once, and compared with the records of earlier runs."""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from htr_lightning.files import format_json
from htr_lightning.image.files import DataError
from htr_lightning.image.folder import FileFinder
from htr_lightning.image.paths import PathPairs
from htr_lightning.image.scan import SCAN_SUFFIXES, Scan, find_scan_files, relate_files
from htr_lightning.reading.folder_work import FolderWork
from htr_lightning.reading.page_checks import build_conflict, check_files
from htr_lightning.reading.page_jobs import PageJob, UnreadableFile, find_layout, report_layouts
from htr_lightning.reading.records.journal import ERROR_SUFFIX, Journal
from htr_lightning.reading.records.settings import JOURNAL_FOLDER, SETTINGS_FILE, check_settings
from htr_lightning.reading.storage.inventory import Inventory, is_document_file
from htr_lightning.reading.storage.places import Url
from htr_lightning.reading.storage.stage import Stage, run_in_threads

_CHUNK = 1000  # files that are checked at once
_PAGE_OF_SCAN = re.compile(r", page (\d+)$")


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file with pages to read.

    Attributes:
        file: its address or path.
        relative: its path in the folder that was searched.
        downloads: addresses of what is needed to read it, each with its modification time in ns; 0 if unknown.
        records: of its pages.
    """

    file: str
    relative: str
    downloads: tuple[tuple[str, int], ...] = ()
    records: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> str:
        """Return it as one line of text."""
        return format_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "StagedFile":
        """Return what `to_json` wrote."""
        values = json.loads(text)
        downloads = tuple((url, time) for url, time in values["downloads"])
        return cls(values["file"], values["relative"], downloads, tuple(values["records"]))


class Survey:
    """Lists the files of a run.

    Args:
        work: what the run works on.
        stage: where remote files get.

    Raises:
        InputError: a folder holds no scan, cannot be listed, or has results of other settings.
    """

    def __init__(self, work: FolderWork, stage: Stage) -> None:
        self.work, self.stage, self.inventory = work, stage, Inventory(stage)
        self.plan = stage.localize_plan(work)
        files = self._find_files()
        self.files = files if work.shard is None else work.shard.take(files)
        out = work.places.out
        if isinstance(work.places.layouts, Url):
            self.inventory.add_folder(work.places.layouts)
        if isinstance(out, Url):
            with _allow_missing():
                self.inventory.add_folder(out)
            fetch_journal(stage, out)
        check_settings(self.plan.out, work.settings, overwrite=work.overwrite)
        self.journal = Journal(
            self.plan.out, work.settings, states=self.inventory, needs_records=isinstance(out, Url), rename=stage.rename
        )
        self._finder = FileFinder()
        self._numbers = _find_numbers(self.journal)

    def find_items(self) -> tuple[list[StagedFile], int]:
        """Return the files with pages that are to be read, and the number of pages of the others.

        Raises:
            DataError: no page has a layout, although their folder was given.
            OutputError: see `htr_lightning.reading.page_checks.check_files`.
        """
        items, num_done = [], 0
        names: set[int] = set()  # hashes of the names of results: a million names would take much memory
        for start in range(0, len(self.files), _CHUNK):
            chunk = [(*pair, *self.list_jobs(*pair)) for pair in self.files[start : start + _CHUNK]]
            jobs = [job for _, _, found, _ in chunk for job in found]
            check_files(jobs, self.plan.out, inputs=self.work.inputs, overwrite=self.work.overwrite)
            for job in jobs:
                name = hash((job.folder, job.stem))
                if name in names:
                    raise build_conflict(job.scan.name, "another scan", job.files[0])
                names.add(name)
            for file, relative, found, unreadable in chunk:
                if not self.work.overwrite and not unreadable and all(self.journal.judge(j) == "done" for j in found):
                    num_done += len(found)
                else:
                    items.append(self._build_item(file, relative, found))
        if self.plan.layouts is not None and not any(self._may_have_layout(*pair) for pair in self.files):
            report_layouts(0, len(self.files), self.plan.layouts, self.work.report)
        return items, num_done

    def list_jobs(self, file: Path, relative: Path) -> tuple[list[PageJob], dict[Path, UnreadableFile]]:
        """Return the pages of a file; those of a document in remote storage as far as they are recorded."""
        if self.stage.find_url(file) is None:
            return self.plan.make_jobs(PathPairs([(file, relative)]))
        name = (relative.parent / relative.stem).as_posix()
        numbers = sorted(self._numbers.get(name, ())) if is_document_file(file) else []
        folder = self.plan.out / relative.parent
        return [self.plan.make_job(Scan(file, number or None), folder) for number in numbers or [0]], {}

    def _find_files(self) -> list[tuple[Path, Path]]:
        """Return pairs of a local path and the path in the folder that was searched, in the order of the run."""
        found: list[tuple[Path, Path] | None] = []
        alone: dict[str, list[tuple[int, Path]]] = {}  # scheme -> places of files in the list
        for place in self.work.places.scans:
            if isinstance(place, Url) and Path(place).suffix.lower() not in SCAN_SUFFIXES:
                found += self.inventory.find_scans(place, self.work.report)
            elif isinstance(place, Path) and place.is_dir():
                found += find_scan_files([place], self.work.report)
            else:
                scheme = place.scheme if isinstance(place, Url) else ""
                alone.setdefault(scheme, []).append((len(found), self.stage.localize(place)))
                found.append(None)
        for entries in alone.values():
            relatives = relate_files([path for _, path in entries], self.work.places.keep_folders)
            for (number, path), relative in zip(entries, relatives, strict=True):
                found[number] = (path, relative)
        self._list_parents([place for place in self.work.places.scans if isinstance(place, Url)])
        return [pair for pair in found if pair is not None]

    def _list_parents(self, urls: Sequence[Url]) -> None:
        """List the folders of single files, which tell their size, and may hold their layouts."""
        parents = {url.parent for url in urls if Path(url).suffix.lower() in SCAN_SUFFIXES}
        for parent in sorted(parents):
            if not self.stage.get_store(parent).has_lists:
                continue
            for folder in (parent, Url(f"{parent}/alto"), Url(f"{parent}/page")):
                with _allow_missing():
                    self.inventory.add_folder(folder, recursive=False)

    def _find_layouts(self, file: Path, relative: Path) -> list[str]:
        if self.plan.ignore_layouts:
            return []
        return self.inventory.find_layouts(file if self.plan.layouts is None else self.plan.layouts / relative)

    def _may_have_layout(self, file: Path, relative: Path) -> bool:
        """Return whether there may be a layout for a file in the folder of layouts."""
        if self._find_layouts(file, relative):
            return True
        folder = self.plan.layouts
        if folder is None or self.stage.find_url(folder) is not None:
            return False
        return is_document_file(file) or find_layout(folder / relative, self._finder) is not None

    def _build_item(self, file: Path, relative: Path, jobs: Sequence[PageJob]) -> StagedFile:
        needed = [str(file)] if self.stage.find_url(file) is not None else []
        needed += self._find_layouts(file, relative)
        needed += self._find_results(file, relative, jobs)
        downloads = [(self.stage.find_url(Path(path)), self.inventory.files.get(path, (0, 0))[1]) for path in needed]
        names = {self.journal.name(job.folder, part.stem) for job in jobs for part in (job, *(job.halves or ()))}
        records = [asdict(self.journal.records[name]) for name in sorted(names) if name in self.journal.records]
        return StagedFile(
            self.stage.find_url(file) or str(file),
            relative.as_posix(),
            tuple((url, time) for url, time in downloads if url is not None),
            tuple(records),
        )

    def _find_results(self, file: Path, relative: Path, jobs: Sequence[PageJob]) -> Iterator[str]:
        """Yield the results of a file that are in remote storage, as far as they matter."""
        folder = self.plan.out / relative.parent
        paths = {str(folder / f"{relative.stem}{ERROR_SUFFIX}"): None}
        for job in jobs:
            parts = (job, *(job.halves or ()))
            paths |= {str(path): None for part in parts for path in part.files}
            paths |= {str(folder / f"{part.stem}{ERROR_SUFFIX}"): None for part in parts}
            paths |= {} if job.document is None else {str(job.document): None}
        if is_document_file(file):
            paths |= dict.fromkeys(self.inventory.find_pages(folder, file.stem))
        for path in paths:
            is_replaced = self.work.overwrite and not path.endswith(ERROR_SUFFIX) and ".pdf-pages" not in path
            if path in self.inventory.files and not is_replaced:
                yield path


def fetch_journal(stage: Stage, out: Url) -> None:
    """Download the records and the settings of a folder of results, if it has any.

    Raises:
        DataError: they cannot be read.
    """
    folder = Url(f"{out}/{JOURNAL_FOLDER}")
    store = stage.get_store(out)
    try:
        names = store.list_folder(folder, recursive=False)
    except DataError as error:
        if error.kind == "missing":
            return
        raise
    wanted = [name for name in names if name == SETTINGS_FILE or name.endswith(".jsonl")]
    for _ in run_in_threads(
        lambda name: store.download(Url(f"{folder}/{name}"), stage.localize(folder) / name), wanted
    ):
        pass


@contextlib.contextmanager
def _allow_missing() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        if error.kind != "missing":
            raise


def _find_numbers(journal: Journal) -> dict[str, set[int]]:
    """Return the numbers of the pages of each document that are recorded, and 0 if some are not."""
    numbers: dict[str, set[int]] = {}
    totals: dict[str, int] = {}
    for record in journal.records.values():
        if match := _PAGE_OF_SCAN.search(record.scan):
            number = int(match[1])
            name = re.sub(rf"_{number:04d}(_left|_right)?$", "", record.page)
            numbers.setdefault(name, set()).add(number)
            totals[name] = record.document_pages
    return {name: known if len(known) == totals[name] else known | {0} for name, known in numbers.items()}
