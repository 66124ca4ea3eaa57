"""The journal of a folder of results: a record of each page that was read, or that could not be read.

Each process appends to a file of its own, so that several machines may write into one folder. A record that is cut off,
because the process was killed, counts as missing.
"""

import functools
import hashlib
import json
import logging
import os
import platform
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from htr_lightning.files import format_json, read_json, report_write_errors, write_json
from htr_lightning.reading.page_jobs import PageJob
from htr_lightning.reading.records.settings import JOURNAL_FOLDER, SETTINGS_FILE, Settings, compute_digest

log = logging.getLogger(__name__)
ERROR_SUFFIX = ".error.json"
"""Suffix of the file that says why a page could not be read."""
State = Literal["done", "missing", "changed", "edited"]
_CHUNK_BYTES = 1 << 20


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
        files: size in bytes and modification time in ns of each file that was written, by its name.
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
    image: tuple[int, int, str] | tuple[()] = ()
    files: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class Journal:
    """The records of a folder of results.

    Args:
        out: the folder, which need not exist yet.
        settings: that pages are read with, noted in the folder with the first record.
        is_read: read the records of earlier runs.
    """

    def __init__(self, out: Path, settings: Settings | None = None, *, is_read: bool = True) -> None:
        self.out, self.settings, self.digest = out, dict(settings or {}), compute_digest(settings or {})
        self.folder = out / JOURNAL_FOLDER
        self.records = {record.page: record for record in read_records(self.folder)} if is_read else {}
        self._path = self.folder / f"{platform.node() or 'machine'}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"

    def name(self, folder: Path, stem: str) -> str:
        """Return the name of a page in the journal."""
        return (folder.relative_to(self.out) / stem).as_posix()

    def judge(self, job: PageJob) -> State:
        """Return whether a page needs to be read.

        Returns:
            ``missing`` if a file does not exist; ``changed`` if the scan or the settings are others than those of its
            record; ``edited`` if they are, but its files have been edited since; ``done`` otherwise.
        """
        if not job.is_done:
            return "missing"
        records = list(self.find_records(job))
        if all(self._has_settings(r) and is_same_image(job.scan.path, r.image) for r in records):
            return "done"
        known = {job.folder / name: state for record in records for name, state in record.files.items()}
        return "changed" if all(_get_state(path) == state for path, state in known.items()) else "edited"

    def _has_settings(self, record: PageRecord) -> bool:
        """Return whether a page was read with the settings of this run, as far as both are known."""
        return not (self.digest and record.settings) or record.settings == self.digest

    def find_records(self, job: PageJob) -> Iterator[PageRecord]:
        """Yield the records of a page that was read, or those of its halves."""
        for part in (job, *(job.halves or ())):
            record = self.records.get(self.name(job.folder, part.stem))
            if record is not None and record.status == "read":
                yield record

    def add(self, record: PageRecord) -> None:
        """Append a record, and replace the file that says why the page failed.

        Raises:
            OutputError: it cannot be written.
        """
        self.records[record.page] = record
        with report_write_errors(self.out):
            if not self._path.exists():
                self._begin()
            with self._path.open("a", encoding="utf-8") as file:
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
    known = {f.name for f in fields(PageRecord)}
    for row in rows:
        values = {key: value for key, value in row.items() if key in known}
        values["image"] = tuple(values.get("image", ()))
        values["files"] = {name: tuple(state) for name, state in values.get("files", {}).items()}
        yield PageRecord(**values)


def _parse(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:  # cut off
        return None
    return row if isinstance(row, dict) and {"page", "scan", "status"} <= row.keys() else None


def describe_image(path: Path) -> tuple[int, int, str] | tuple[()]:
    """Return size, modification time in ns and SHA-256 of a file; nothing if it cannot be read."""
    try:
        state = path.stat()
        return state.st_size, state.st_mtime_ns, _hash_file(path, state.st_mtime_ns)
    except OSError:
        return ()


def is_same_image(path: Path, known: tuple[int, int, str] | tuple[()]) -> bool:
    """Return whether a file still has the content of a record; its content is read only if its time has changed."""
    state = _get_state(path)
    if not known or state is None or state == known[:2]:
        return True
    return state[0] == known[0] and _hash_file(path, state[1]) == known[2]


def _get_state(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def describe_files(paths: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Return size and modification time in ns of the files that exist, by their names."""
    states = {path.name: _get_state(path) for path in paths}
    return {name: state for name, state in states.items() if state is not None}


@functools.lru_cache(maxsize=8)  # the pages of a document have one file
def _hash_file(path: Path, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
