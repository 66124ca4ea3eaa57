"""The journal of a folder of results: a record of each page that was read, or that could not be read.

Each process appends to a file of its own, so that several machines may write into one folder. A record that is cut off,
because the process was killed, counts as missing.
"""

import json
import logging
import os
import platform
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from htr_lightning.files import format_json, read_json, report_write_errors, write_json
from htr_lightning.reading.page_jobs import PageJob
from htr_lightning.reading.records.file_states import FileStates, Fingerprint
from htr_lightning.reading.records.settings import JOURNAL_FOLDER, SETTINGS_FILE, Settings, compute_digest

log = logging.getLogger(__name__)
ERROR_SUFFIX = ".error.json"
"""Suffix of the file that says why a page could not be read."""
State = Literal["done", "missing", "changed", "edited"]


@dataclass(frozen=True, slots=True)
class PageRecord:
    """What became of a page.

    Attributes:
        page: name of its files in the folder of results, without suffix, such as ``box 3/p0012``.
        scan: its file and page, as in messages.
        status: ``read`` or ``failed``.
        settings: digest of the settings that it was read with.
        lines: number of its lines.
        characters: number of their characters.
        confidence: mean of the characters; None without any.
        seconds: that it took.
        machine: that read it.
        process: number of the process on it.
        finished: UTC time in ISO format.
        problem: why it failed.
        kind: of the problem, a word.
        image: size in bytes, modification time in ns and SHA-256 of the scan; empty if it could not be opened.
        files: the same of each file that was written, by its name.
        document_pages: number of pages of its document; 0 for an image of one page.
    """

    page: str
    scan: str
    status: str
    settings: str = ""
    lines: int = 0
    characters: int = 0
    confidence: float | None = None
    seconds: float = 0.0
    machine: str = field(default_factory=platform.node)
    process: int = field(default_factory=os.getpid)
    finished: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    problem: str = ""
    kind: str = ""
    image: Fingerprint = ()
    files: Mapping[str, Fingerprint] = field(default_factory=dict)
    document_pages: int = 0


_FIELDS = frozenset(f.name for f in fields(PageRecord))


class Journal:
    """The records of a folder of results.

    Args:
        out: the folder, which need not exist yet.
        settings: that pages are read with, noted in the folder with the first record.
        is_read: read the records of earlier runs.
        states: tells which files exist, and which have changed.
        needs_records: files without a record do not count as results.
        rename: applied to names of scans and to problems, which then name what the user knows.
    """

    def __init__(
        self,
        out: Path,
        settings: Settings | None = None,
        *,
        is_read: bool = True,
        states: FileStates | None = None,
        needs_records: bool = False,
        rename: Callable[[str], str] = str,
    ) -> None:
        self.out, self.settings, self.digest = out, dict(settings or {}), compute_digest(settings or {})
        self.states, self.needs_records, self._rename = states or FileStates(), needs_records, rename
        self.folder = out / JOURNAL_FOLDER
        self.records = {record.page: record for record in read_records(self.folder)} if is_read else {}
        self.begin_file()

    def begin_file(self) -> None:
        """Write further records to a new file."""
        self.path = self.folder / f"{platform.node() or 'machine'}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"

    def name(self, folder: Path, stem: str) -> str:
        """Return the name of a page in the journal."""
        return (folder.relative_to(self.out) / stem).as_posix()

    def judge(self, job: PageJob) -> State:
        """Return whether a page needs to be read.

        Returns:
            ``missing`` if a file does not exist; ``changed`` if the scan or the settings are others than those of its
            record; ``edited`` if they are, but its files have been edited since; ``done`` otherwise.
        """
        if not job.is_done(self.states.exists):
            return "missing"
        records = list(self.find_records(job))
        if self.needs_records and not records:
            return "missing"
        if all(self._has_settings(record) and self._has_image(record, job.scan.path) for record in records):
            return "done"
        known = {job.folder / name: state for record in records for name, state in record.files.items()}
        return "changed" if all(self.states.is_unedited(path, state) for path, state in known.items()) else "edited"

    def _has_image(self, record: PageRecord, path: Path) -> bool:
        """Return whether the scan is that of a record, as far as it is known and still there."""
        return not record.image or not self.states.exists(path) or self.states.is_same(path, record.image)

    def _has_settings(self, record: PageRecord) -> bool:
        """Return whether a page was read with the settings of this run, as far as both are known."""
        return not (self.digest and record.settings) or record.settings == self.digest

    def find_records(self, job: PageJob) -> Iterator[PageRecord]:
        """Yield the records of a page that was read, or those of its halves."""
        if not self.records:
            return
        for part in (job, *(job.halves or ())):
            record = self.records.get(self.name(job.folder, part.stem))
            if record is not None and record.status == "read":
                yield record

    def add(self, record: PageRecord) -> None:
        """Append a record, and replace the file that says why the page failed.

        Raises:
            OutputError: it cannot be written.
        """
        record = replace(record, scan=self._rename(record.scan), problem=self._rename(record.problem))
        self.records[record.page] = record
        with report_write_errors(self.out):
            if not self.path.exists():
                self._begin()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(format_json(asdict(record)) + "\n")
            self._write_error(record)

    def _begin(self) -> None:
        """Create the folder, and note the settings in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / SETTINGS_FILE
        if self.settings and read_json(path) != self.settings:
            write_json(path, self.settings)

    def _write_error(self, record: PageRecord) -> None:
        path = self.out / f"{record.page}{ERROR_SUFFIX}"
        if record.status == "read":
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {key: getattr(record, key) for key in ("scan", "problem", "kind", "machine", "finished")})


def read_records(folder: Path) -> Iterator[PageRecord]:
    """Yield the records in the files of a journal, those of a page in the order of time."""
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            rows.extend(row for row in map(_parse, file) if row is not None)
    rows.sort(key=lambda row: str(row.get("finished", "")))
    yield from map(build_record, rows)


def build_record(row: Mapping[str, Any]) -> PageRecord:
    """Return the record of a row of a journal."""
    values = {key: value for key, value in row.items() if key in _FIELDS}
    values["image"] = tuple(values.get("image", ()))
    values["files"] = {name: tuple(state) for name, state in values.get("files", {}).items()}
    return PageRecord(**values)


def _parse(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:  # cut off
        return None
    return row if isinstance(row, dict) and {"page", "scan", "status"} <= row.keys() else None
