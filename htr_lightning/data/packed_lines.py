"""Files of preprocessed lines.

A file holds the pixels of all lines, then a table (an Arrow stream) of everything else, and last the checksum and the
offset of the table. Pixels and texts are read when a batch needs them, so that the memory in use hardly grows with the
number of lines: about 28 bytes for each.

Checksums are verified when something is read. The time of the last change is stored as well: if a file has another one
(it was changed or copied), all of it is verified when it is opened for a run (see `PackedLines.verify`).
"""

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from htr_lightning.data.packed_columns import StringColumn
from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.image.files import DataError

# Increment it when the layout of the file changes, or when `Preprocess` gives other pixels for the same settings.
FORMAT = 3
END = struct.Struct("<16sQ8s")  # checksum of the table, its offset, and the mark of a complete file
MARK = b"htrlines"
PACK_AGAIN = "pack its lines again: python -m htr_lightning pack"
_TEXTS = ("id", "text", "group", "digest")
_DIRECTION = pa.field("direction", pa.string())
_WITHOUT_DIRECTION = pa.schema([*((name, pa.string()) for name in _TEXTS), ("width_px", pa.int32())])
SCHEMA = _WITHOUT_DIRECTION.append(_DIRECTION)
DRAWS = pa.field("draws", pa.float64())  # how often a line is drawn in an epoch; only where the dataset decides it


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


@dataclass(frozen=True, slots=True)
class SetPart:
    """The place of a file in a packed set of several files, as the command ``pack`` writes it.

    Attributes:
        dataset: fingerprint of the ids, texts and groups of all lines of the dataset, and of their draws.
        source: name of the class that read the dataset.
        split: of the lines.
        number: of the file within the split, from 1.
        files: number of files of each split.
        preprocess: `Preprocess.to_dict` of what was applied to the lines.
    """

    dataset: str
    source: str
    split: str
    number: int
    files: Mapping[str, int]
    preprocess: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; the constructor takes them as arguments."""
        return asdict(self)


class PackedSequence(Protocol):
    """Packed lines of a split, in one file or several."""

    @property
    def height_px(self) -> int:
        """Height of every line."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of everything that went into the files."""
        ...

    @property
    def skipped(self) -> Sequence[SkippedLine]:
        """Lines that were left out when they were packed."""
        ...

    @property
    def widths(self) -> NDArray[np.int64]:
        """Width of every line in pixels, ``(number of lines,)``."""
        ...

    @property
    def draws(self) -> NDArray[np.float64] | None:
        """How often each line is drawn in an epoch, ``(number of lines,)``; None for once."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...

    def column(self, name: str) -> Sequence[str]:
        """Return a column of the table, read when needed: ``id``, ``text``, ``group``, ``digest``, ``direction``.

        ``digest`` is the hash of the pixels, ``direction`` the base direction that the file of a line states.
        """
        ...


class PackedLines(Sequence[PackedLine]):
    """The lines of one packed file. Pickling stores only the path, so workers open the file themselves.

    Attributes:
        height_px: height of every line.
        skipped: lines that were left out when the file was written.
        fingerprint: fingerprint of everything that went into the file.
        part: place of the file in a set; None for a file of the cache.
        draws: how often each line is drawn in an epoch, ``(len,)``; None for once.
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
            begin, content = self._read_table()
            table = pa.ipc.open_stream(content).read_all()
            metadata = json.loads(table.schema.metadata[b"htr_lightning"])
            self._check_format(metadata["format"])
            if not any(map(table.schema.equals, (SCHEMA, SCHEMA.append(DRAWS), _WITHOUT_DIRECTION))):
                raise ValueError("its table has other columns")
            self._read_metadata(metadata)
            self._texts = {
                name: StringColumn.find(table.column(name), content, begin, self._file.read_at)
                for name in (*_TEXTS, _DIRECTION.name)
                if name in table.schema.names
            }
            self.draws = np.array(table.column(DRAWS.name)) if DRAWS.name in table.schema.names else None
            widths = table.column("width_px").to_numpy().astype(np.int64)
            self._begins = np.cumsum(np.r_[0, widths]) * self.height_px
            if (widths < 1).any() or self._begins[-1] != begin:
                raise ValueError("it has not the pixels that its table lists")
        except DataError:
            self.close()
            raise
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, struct.error) as error:
            self.close()
            raise self._damaged(f"not a complete file of packed lines ({error})") from None

    def _read_metadata(self, metadata: Mapping[str, Any]) -> None:
        self.height_px: int = metadata["height_px"]
        self.fingerprint: str = metadata["fingerprint"]
        self._written_s: int = metadata["written_s"]
        self.skipped = [SkippedLine(*item) for item in metadata["skipped"]]
        self.part = SetPart(**metadata["set"]) if metadata.get("set") else None

    def _read_table(self) -> tuple[int, Any]:
        """Return the offset of the table, and its bytes; raises ``ValueError`` if they are damaged."""
        size = self._file.size()
        checksum, begin, mark = END.unpack(self._file.read_at(END.size, max(0, size - END.size)))
        if mark != MARK or not 0 <= begin <= size - END.size:
            raise ValueError("its last bytes are not the end mark")
        content = self._file.read_at(size - END.size - begin, begin)
        if digest(content, len(checksum)) != checksum:
            raise ValueError("the checksum of its table is wrong")
        return begin, pa.py_buffer(content)

    def _check_format(self, number: int) -> None:
        if number != FORMAT:
            age = "an older" if number < FORMAT else "a newer"
            problem = f"packed by {age} version of htr_lightning (format {number}, this version reads {FORMAT})"
            raise DataError(problem, remedy=PACK_AGAIN, file=self.path, kind="format")

    def _damaged(self, problem: str) -> DataError:
        remedy = "start the run again" if getattr(self, "part", None) is None else PACK_AGAIN
        return DataError(problem, remedy=remedy, file=self.path, kind="damaged")

    @property
    def is_changed(self) -> bool:
        """Whether the file was changed or copied since it was written or last verified."""
        with contextlib.suppress(OSError):
            return int(self.path.stat().st_mtime) != self._written_s
        return True

    def verify(self) -> None:
        """Verify all lines, if the file was changed or copied.

        Raises:
            DataError: the pixels of a line are damaged.
        """
        if not self.is_changed:
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

    @property
    def widths(self) -> NDArray[np.int64]:
        """Width of every line in pixels, ``(len,)``."""
        return np.asarray(np.diff(self._begins) // self.height_px, np.int64)

    def __len__(self) -> int:
        return len(self._begins) - 1

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        begin, end = int(self._begins[index]), int(self._begins[index + 1])
        content = self._file.read_at(end - begin, begin)
        line_id, text, group, stored, stated = (self.column(name)[index] for name in (*_TEXTS, _DIRECTION.name))
        if digest(content).hex() != stored:
            set_written(self.path, 0)  # so that the next run verifies the file, and packs the lines again
            raise self._damaged(f"the pixels of the packed line {line_id} are damaged")
        pixels = np.frombuffer(content, np.uint8).reshape(self.height_px, -1)
        return PackedLine(line_id, text, group, pixels, cast(StatedDirection, stated))

    def column(self, name: str) -> Sequence[str]:
        """Return a column of the table, read when needed; see `PackedSequence`."""
        if name == _DIRECTION.name and name not in self._texts:  # written before there were directions
            return StringColumn(self._file.read_at, 0, np.zeros(len(self) + 1, np.int32))
        return self._texts[name]


def read_part(path: Path) -> SetPart | None:
    """Return the place of a packed file in a set, without reading its table; None if it belongs to none.

    Raises:
        DataError: not a packed file.
    """
    try:
        with pa.OSFile(str(path)) as file:
            size = file.size()
            _, begin, mark = END.unpack(file.read_at(END.size, max(0, size - END.size)))
            if mark != MARK or not 0 <= begin <= size - END.size:
                raise ValueError("its last bytes are not the end mark")
            file.seek(begin)
            metadata = json.loads(pa.ipc.open_stream(file).schema.metadata[b"htr_lightning"])
            return SetPart(**metadata["set"]) if metadata.get("set") else None
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, struct.error) as error:
        raise DataError(
            f"not a complete file of packed lines ({error})", remedy=PACK_AGAIN, file=path, kind="damaged"
        ) from None


def set_written(path: Path, written_s: int) -> None:
    """Set the time of the last change of a file, if the disk allows it, to the seconds that the file states."""
    with contextlib.suppress(OSError):
        os.utime(path, (written_s, written_s))


def digest(content: Any, size: int = 12) -> bytes:
    """Return the checksum of pixels, or of a table."""
    return hashlib.blake2b(content, digest_size=size).digest()
