"""The file format of preprocessed lines.

A file holds the pixels of all lines, then a table (an Arrow stream) of everything else, and last the checksum and the
offset of the table. Only the table is kept in memory; pixels are read when a batch needs them, so memory use does not
grow with the size of the images.

Checksums are verified when something is read. The time of the last change is stored as well: if a file has another one
(it was changed or copied), all of it is verified when it is opened for a run (see `PackedLines.verify`).
"""

import contextlib
import hashlib
import io
import itertools
import json
import os
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from htr_lightning.data.line import Line
from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.image.files import DataError

# Increment it when the layout of the file changes, or when `Preprocess` gives other pixels for the same settings.
FORMAT = 3
END = struct.Struct("<16sQ8s")  # checksum of the table, its offset, and the mark of a complete file
MARK = b"htrlines"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("group", pa.string()),
        ("digest", pa.string()),
        ("width_px", pa.int32()),
        ("direction", pa.string()),
    ]
)

PreparedLine = tuple[Line, NDArray[np.uint8] | str]
"""A line with its preprocessed pixels, or with the reason why it is unusable."""


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line that cannot be used, and the reason."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PackedLine:
    """One preprocessed line. ``pixels`` is ``(H, W)`` uint8, paper 255, read-only."""

    id: str
    text: str
    group: str
    pixels: NDArray[np.uint8]
    direction: StatedDirection = ""


class PackedLines(Sequence[PackedLine]):
    """The lines of one packed file. Pickling stores only the path, so workers open the file themselves.

    Attributes:
        height_px: height of every line.
        widths: width of every line in pixels, ``(len,)`` int64.
        skipped: lines that were left out when the file was written.
        fingerprint: fingerprint of everything that went into the file.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path`` and read its table.

        Raises:
            DataError: not a complete file of the current format, or its table is damaged.
        """
        self.path = path
        self._open()

    def _open(self) -> None:
        try:
            self._file = pa.OSFile(str(self.path))
            begin, table = self._read_table()
            metadata = json.loads(table.schema.metadata[b"htr_lightning"])
            self._columns = {name: table.column(name).combine_chunks() for name in SCHEMA.names}
            self.height_px: int = metadata["height_px"]
            self.fingerprint: str = metadata["fingerprint"]
            self._written_s: int = metadata["written_s"]
            self.skipped = [SkippedLine(*item) for item in metadata["skipped"]]
            self.widths: NDArray[np.int64] = self._columns["width_px"].to_numpy().astype(np.int64)
            self._begins = np.cumsum(np.r_[0, self.widths]) * self.height_px
            if (self.widths < 1).any() or self._begins[-1] != begin:
                raise ValueError("it has not the pixels that its table lists")
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, struct.error) as error:
            self.close()
            raise self._damaged(f"not a complete file of packed lines ({error})") from None

    def _read_table(self) -> tuple[int, Any]:
        """Return the offset of the table, and the table; raises ``ValueError`` if they are damaged."""
        size = self._file.size()
        checksum, begin, mark = END.unpack(self._file.read_at(END.size, max(0, size - END.size)))
        if mark != MARK or not 0 <= begin <= size - END.size:
            raise ValueError("its last bytes are not the end mark")
        content = self._file.read_at(size - END.size - begin, begin)
        if _digest(content, len(checksum)) != checksum:
            raise ValueError("the checksum of its table is wrong")
        table = pa.ipc.open_stream(content).read_all()
        if "direction" not in table.column_names:  # written before there were directions
            table = table.append_column(SCHEMA.field("direction"), [pa.array([""] * table.num_rows, pa.string())])
        if not table.schema.equals(SCHEMA):
            raise ValueError("its table has other columns")
        return begin, table

    def _damaged(self, problem: str) -> DataError:
        return DataError(problem, remedy="start the run again", file=self.path, kind="damaged")

    def verify(self) -> None:
        """Verify all lines, if the file was changed or copied since it was written or last verified.

        Raises:
            DataError: the pixels of a line are damaged.
        """
        with contextlib.suppress(OSError):
            if int(self.path.stat().st_mtime) == self._written_s:
                return
        for index in range(len(self)):
            self[index]
        set_written(self.path, self._written_s)

    def close(self) -> None:
        """Close the file; its lines cannot be read afterwards."""
        if hasattr(self, "_file"):
            self._file.close()

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.path = path
        self._open()

    def __len__(self) -> int:
        return len(self.widths)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self.widths):
            raise IndexError(index)
        begin, end = int(self._begins[index]), int(self._begins[index + 1])
        content = self._file.read_at(end - begin, begin)
        line_id, text, group, digest, stated = (
            self._columns[name][index].as_py() for name in ("id", "text", "group", "digest", "direction")
        )
        if _digest(content).hex() != digest:
            set_written(self.path, 0)  # so that the next run verifies the file, and packs the lines again
            raise self._damaged(f"the pixels of the packed line {line_id} are damaged")
        return PackedLine(line_id, text, group, np.frombuffer(content, np.uint8).reshape(self.height_px, -1), stated)

    def column(self, name: str) -> Iterator[str]:
        """Yield a column of the table: ``id``, ``text``, ``group``, ``digest`` (hash of the pixels), ``direction``."""
        yield from self._columns[name].to_pylist()


def set_written(path: Path, written_s: int) -> None:
    """Set the time of the last change of a file, if the disk allows it, to the seconds that the file states."""
    with contextlib.suppress(OSError):
        os.utime(path, (written_s, written_s))


def _digest(content: Any, size: int = 12) -> bytes:
    return hashlib.blake2b(content, digest_size=size).digest()


def write_packed_lines(file: IO[bytes], prepared: Iterable[list[PreparedLine]], height_px: int, key: str) -> int:
    """Write a packed file.

    The pixels of the usable lines are written as they come, then the table; its metadata lists the skipped lines.

    Args:
        file: empty, open for writing.
        prepared: lists of lines, each with its pixels or with the reason why it is unusable.
        height_px: height of every line.
        key: fingerprint of everything that goes into the file.

    Returns:
        The time to set with `set_written` when the file is closed.
    """
    rows: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    skipped: list[tuple[str, str]] = []
    for line, result in itertools.chain.from_iterable(prepared):
        if isinstance(result, str):
            skipped.append((line.id, result))
            continue
        pixels = result.tobytes()
        file.write(pixels)
        digest = _digest(pixels).hex()
        for name, value in zip(
            rows, (line.id, line.text, line.group, digest, result.shape[1], line.direction), strict=True
        ):
            rows[name].append(value)
    # A minute ago, which no later change can give the file; and some disks store times in steps of two seconds.
    written_s = int(time.time() - 60) // 2 * 2
    metadata = {
        "format": FORMAT,
        "height_px": height_px,
        "fingerprint": key,
        "skipped": skipped,
        "written_s": written_s,
    }
    schema = SCHEMA.with_metadata({"htr_lightning": json.dumps(metadata)})
    begin, table = file.tell(), io.BytesIO()
    with pa.ipc.new_stream(table, schema) as out:
        out.write_table(pa.table(rows, schema))
    file.write(table.getbuffer())
    file.write(END.pack(_digest(table.getbuffer(), 16), begin, MARK))
    return written_s
