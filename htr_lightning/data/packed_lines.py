"""The file format of preprocessed lines.

A file holds the pixels of all lines, then a table (an Arrow stream) of everything else, and last the offset of the
table. Only the table is kept in memory; pixels are read when a batch needs them, so memory use does not grow with the
size of the images.
"""

import hashlib
import itertools
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from htr_lightning.data.line import Line
from htr_lightning.image.files import DataError

# Increment it when the layout of the file changes, or when `Preprocess` gives other pixels for the same settings.
FORMAT = 2
END = struct.Struct("<Q8s")  # offset of the table, and the mark of a complete file
MARK = b"htrlines"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("group", pa.string()),
        ("digest", pa.string()),
        ("width_px", pa.int32()),
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
            DataError: not a complete file of the current format.
        """
        self.path = path
        self._open()

    def _open(self) -> None:
        try:
            self._file = pa.OSFile(str(self.path))
            size = self._file.size()
            begin, mark = END.unpack(self._file.read_at(END.size, max(0, size - END.size)))
            if mark != MARK or not 0 <= begin <= size - END.size:
                raise ValueError("its last bytes are not the end mark")
            table = pa.ipc.open_stream(self._file.read_at(size - END.size - begin, begin)).read_all()
            metadata = json.loads(table.schema.metadata[b"htr_lightning"])
            self._columns = {name: table.column(name).combine_chunks() for name in table.column_names}
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError, struct.error) as error:
            raise DataError(
                f"not a complete file of packed lines ({error})",
                remedy="delete it and run again",
                file=self.path,
                kind="damaged",
            ) from None
        self.height_px: int = metadata["height_px"]
        self.fingerprint: str = metadata["fingerprint"]
        self.skipped = [SkippedLine(*item) for item in metadata["skipped"]]
        self.widths: NDArray[np.int64] = self._columns["width_px"].to_numpy().astype(np.int64)
        self._begins = np.cumsum(np.r_[0, self.widths]) * self.height_px

    def close(self) -> None:
        """Close the file; its lines cannot be read afterwards."""
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
        pixels = np.frombuffer(self._file.read_at(end - begin, begin), np.uint8)
        line_id, text, group = (self._columns[name][index].as_py() for name in ("id", "text", "group"))
        return PackedLine(line_id, text, group, pixels.reshape(self.height_px, -1))

    def column(self, name: str) -> Iterator[str]:
        """Yield one column of the table: ``id``, ``text``, ``group`` or ``digest`` (hash of the pixels), in order."""
        yield from self._columns[name].to_pylist()


def write_packed_lines(file: IO[bytes], prepared: Iterable[list[PreparedLine]], height_px: int, key: str) -> None:
    """Write a packed file.

    The pixels of the usable lines are written as they come, then the table; its metadata lists the skipped lines.

    Args:
        file: empty, open for writing.
        prepared: lists of lines, each with its pixels or with the reason why it is unusable.
        height_px: height of every line.
        key: fingerprint of everything that goes into the file.
    """
    rows: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    skipped: list[tuple[str, str]] = []
    for line, result in itertools.chain.from_iterable(prepared):
        if isinstance(result, str):
            skipped.append((line.id, result))
            continue
        pixels = result.tobytes()
        file.write(pixels)
        digest = hashlib.blake2b(pixels, digest_size=12).hexdigest()
        for name, value in zip(rows, (line.id, line.text, line.group, digest, result.shape[1]), strict=True):
            rows[name].append(value)
    metadata = {"format": FORMAT, "height_px": height_px, "fingerprint": key, "skipped": skipped}
    schema = SCHEMA.with_metadata({"htr_lightning": json.dumps(metadata)})
    begin = file.tell()
    with pa.ipc.new_stream(file, schema) as out:
        out.write_table(pa.table(rows, schema))
    file.write(END.pack(begin, MARK))
