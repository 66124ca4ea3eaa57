"""Images in the rows of Parquet files, read one batch at a time."""

import copy
import threading
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from htr_lightning.image.decode import decode_image
from htr_lightning.image.files import MAX_PIXELS, DataError
from htr_lightning.image.folder import build_unreadable_error
from htr_lightning.image.line_image import ImageFile

FIX_ROW = "complete the row or remove it"
_LFS_POINTER = b"version https://git-lfs"
_BUFFER_BYTES = 1 << 20  # read from disk at a time: a column of images may be larger than memory
_IMAGES_PER_BATCH = 32
_START_AGAIN = "start the run again"


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """An encoded line image in a row of a Parquet file.

    Attributes:
        path: the file.
        column: of the images.
        row: in the whole file, from 0.
    """

    path: Path
    column: str
    row: int

    @property
    def fingerprint(self) -> str:
        """Of the file (path, size, modification time), the column and the row."""
        return f"{ImageFile(self.path).fingerprint}:{self.column}:{self.row}"

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Decode the image (see `htr_lightning.image.decode.decode_image`); fastest in the order of the rows.

        Raises:
            DataError: the file is missing or damaged, the row has no image, or it cannot be decoded.
        """
        name = f"{self.path}:{self.row}"
        try:
            status = self.path.stat()
        except OSError as error:
            problem = f"the file cannot be read any more ({error.strerror})"
            raise DataError(problem, file=name, remedy=_START_AGAIN, kind="unreadable") from None
        content = _open_images(self.path, self.column, status.st_size, status.st_mtime_ns).read(self.row)
        if content is None:
            raise DataError(f"the row has no image in the column {self.column!r}", file=name, remedy=FIX_ROW)
        return decode_image(content, name, max_pixels=max_pixels)


def open_parquet(path: Path) -> Any:
    """Open a Parquet file with a small read buffer.

    Raises:
        DataError: the file is missing, damaged or not Parquet, or states more rows than it can have.
    """
    try:
        file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        num_rows, size = file.metadata.num_rows, path.stat().st_size
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="check the path", kind="missing") from None
    except (pa.ArrowException, OSError) as error:
        raise build_damage_error(path, error) from None
    if not 0 <= num_rows <= size:  # a line takes more than a byte
        file.close()
        problem = f"the file states {num_rows:,} rows, but has only {size:,} bytes"
        raise DataError(problem, file=path, remedy="download it again", kind="damaged")
    return file


def build_damage_error(path: Path, error: Exception) -> DataError:
    """Build the error for a file that pyarrow cannot read; recognizes Git LFS pointers."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    except OSError as reason:
        return build_unreadable_error(path, reason)
    if start == _LFS_POINTER:
        remedy = "run 'git lfs pull' in its folder"
        return DataError("this is only a Git LFS pointer, not the data", file=path, remedy=remedy, kind="lfs_pointer")
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    problem = f"the file is damaged or not Parquet ({first_line})"
    return DataError(problem, file=path, remedy="download it again", kind="damaged")


def is_text(type: Any) -> bool:
    """Whether an Arrow type contains strings, also in a dictionary."""
    types = pa.types
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(test(_get_value_type(type)) for test in tests)


def _is_bytes(type: Any) -> bool:
    types = pa.types
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(test(_get_value_type(type)) for test in tests)


def _get_value_type(type: Any) -> Any:
    return type.value_type if pa.types.is_dictionary(type) else type


def get_image_kind(type: Any) -> str | None:
    """Return how a column stores images: ``struct`` (with bytes and path), ``bytes`` or ``path``; None if it cannot."""
    if pa.types.is_struct(type):
        fields = {field.name: field.type for field in type}
        return "struct" if _is_bytes(fields.get("bytes", pa.null())) or "path" in fields else None
    return "bytes" if _is_bytes(type) else "path" if is_text(type) else None


class _ImageReader:
    """Reads the encoded images of a file in ascending order; one batch is in memory, not a whole row group."""

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column
        self._file = open_parquet(path)
        if column not in self._file.schema_arrow.names:
            problem = f"the file has changed and has no column {column!r} any more"
            raise DataError(problem, file=path, remedy=_START_AGAIN, kind="changed")
        is_struct = get_image_kind(self._file.schema_arrow.field(column).type) == "struct"
        self._leaf = f"{column}.bytes" if is_struct else column
        groups = range(self._file.num_row_groups)
        self._starts = [0, *accumulate(self._file.metadata.row_group(i).num_rows for i in groups)]
        self._batch: Any = ()
        self._first_row, self._group = 0, -1  # of the batch
        self._batches: Iterator[Any] = iter(())
        self._failures: dict[int, tuple[int, DataError]] = {}  # by row group: the first damaged row, the error
        self._lock = threading.Lock()  # all threads of a process share the position

    def read(self, row: int) -> bytes | None:
        """Return the image of a row; None if it has none.

        Raises:
            DataError: the file is shorter than before, or the row group is damaged at or before this row.
        """
        if row >= self._starts[-1]:
            problem = "the file has changed and has no such row any more"
            raise DataError(problem, file=f"{self._path}:{row}", remedy=_START_AGAIN, kind="changed")
        with self._lock:
            self._go_to(row)
            value = self._batch[row - self._first_row].as_py()
        content: bytes | None = value["bytes"] if isinstance(value, dict) else value
        return content

    def _go_to(self, row: int) -> None:
        """Read batches until one contains the row."""
        group = bisect_right(self._starts, row) - 1
        failure = self._failures.get(group)
        if failure and row >= failure[0]:  # do not read up to the damage again for every row behind it
            raise copy.copy(failure[1])  # a copy, since tracebacks are added to what is raised
        if group != self._group or row < self._first_row:
            self._batches = self._file.iter_batches(_IMAGES_PER_BATCH, [group], [self._leaf], use_threads=False)
            self._batch, self._first_row, self._group = (), self._starts[group], group
        try:
            while row >= self._first_row + len(self._batch):
                self._first_row += len(self._batch)
                self._batch = ()
                self._batch = next(self._batches).column(0)
        except (pa.ArrowException, OSError, StopIteration) as error:
            damage = build_damage_error(self._path, error)
            self._failures[group] = (self._first_row, damage)
            self._group = -1
            raise damage from None


@lru_cache(maxsize=1)
def _open_images(path: Path, column: str, size: int, changed_ns: int) -> _ImageReader:
    """Open a file, unless it is the last one opened in this process and has not changed; only one is kept open."""
    return _ImageReader(path, column)
