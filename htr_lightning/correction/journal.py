"""The journal of a project: every decision of a person, one JSON object per row, on the disk before it counts."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from htr_lightning.errors import InputError
from htr_lightning.files import OutputError, format_json

Event = dict[str, Any]


class JournalError(InputError):
    """A journal that cannot be read."""


class Journal:
    """An append-only file of events, each numbered from 1.

    A row is written with one call and flushed to the disk, so that a process that is killed loses nothing that was
    confirmed. A row that was cut off, by a crash of the machine or a full disk, is dropped when the journal is opened
    or at once.

    Args:
        path: of the file; created with the first event.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0

    def read(self) -> Iterator[Event]:
        """Yield all events, and remember the number of the last.

        Raises:
            JournalError: a row in the middle is no event.
        """
        content = self.path.read_bytes() if self.path.is_file() else b""
        complete = content[: content.rfind(b"\n") + 1]
        if len(complete) < len(content):
            self._truncate(len(complete))
        for row, text in enumerate(complete.splitlines(), 1):
            try:
                event = json.loads(text)
                self.number = int(event["n"])
            except (ValueError, KeyError, TypeError):
                remedy = "restore the file from a backup, or delete this row"
                raise JournalError(f"row {row} is damaged", file=self.path, remedy=remedy, kind="damaged") from None
            yield event

    def append(self, *events: Event) -> Sequence[Event]:
        """Add events, all or none of them, and wait until they are on the disk.

        Returns:
            The events with their number ``n`` and the ``time``.

        Raises:
            OutputError: they cannot be written, as on a full disk; the journal is as before.
        """
        time = datetime.now(UTC).isoformat(timespec="seconds")
        numbered = [{"n": self.number + i, "time": time} | event for i, event in enumerate(events, 1)]
        rows = "".join(format_json(event) + "\n" for event in numbered).encode("utf-8", "backslashreplace")
        size = self.path.stat().st_size if self.path.is_file() else 0
        try:
            with self.path.open("ab", buffering=0) as file:
                if file.write(rows) != len(rows):
                    raise OSError("the disk is full")
                os.fsync(file.fileno())
        except OSError as error:
            self._truncate(size)
            problem = f"cannot be written ({error.strerror or error})"
            remedy = "free some space on the disk; nothing that was saved before is lost"
            raise OutputError(problem, file=self.path, remedy=remedy, kind="unwritable") from None
        self.number += len(numbered)
        return numbered

    def _truncate(self, size: int) -> None:
        if self.path.is_file() and self.path.stat().st_size > size:
            os.truncate(self.path, size)
