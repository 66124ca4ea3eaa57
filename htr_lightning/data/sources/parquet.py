"""Parquet files with an image and a text in each row, as data sets on the Hugging Face hub have them."""

import os
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from htr_lightning.data.line import Line
from htr_lightning.data.sources.manifest import GROUP_COLUMNS
from htr_lightning.data.sources.page_images import is_file
from htr_lightning.image.files import MAX_PIXELS, DataError, ImageFile, LineImage, UnusableImage, decode_image
from htr_lightning.text import clean_text

_LFS_POINTER = b"version https://git-lfs"
_BUFFER_BYTES = 1 << 20  # read from disk at a time: a column of images may be larger than memory
_IMAGES_PER_STEP = 32
_TEXTS_PER_STEP = 4096


@dataclass(frozen=True, slots=True)
class ParquetColumns:
    """Which columns are read.

    Attributes:
        image: of the images: encoded (``{bytes, path}`` or bytes alone), or paths of image files. None takes
            ``image``, or else the only one that holds encoded images.
        text: of the texts.
        group: of what must not be shared between splits; None takes the first of `GROUP_COLUMNS` that there is,
            the empty string none.
        split: of the splits' names; None for none.
    """

    image: str | None = None
    text: str = "text"
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """A line whose encoded image is in a row of a Parquet file.

    Attributes:
        path: the file.
        column: of the images.
        row: from 0, counted through the whole file.
    """

    path: Path
    column: str
    row: int

    @property
    def fingerprint(self) -> str:
        """The file by path, size and time of change, and where the image is in it."""
        return f"{ImageFile(self.path).fingerprint}:{self.column}:{self.row}"

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Decode the image (see `htr_lightning.image.files.decode_image`); quickest in the order of the rows.

        Raises:
            DataError: the file is gone or damaged, the row has no image, or it cannot be decoded.
        """
        name = f"{self.path}:{self.row}"
        try:
            status = self.path.stat()
        except OSError as error:
            raise DataError(f"{name}: cannot be read any more ({error.strerror}); start again") from None
        content = _images(self.path, self.column, status.st_size, status.st_mtime_ns)(self.row)
        if content is None:
            raise DataError(f"{name}: the row has no image in its column {self.column!r}; complete it or take it out")
        return decode_image(content, name, max_pixels=max_pixels)


def read_rows(path: Path, root: Path, columns: ParquetColumns) -> Iterator[tuple[Line, str | None]]:
    """Yield the line of each row, and the name of its split; of images, only where they are is read.

    The id of a line is the file's path in the root, a colon and the row, from 0, as the hub counts them. A row that
    has no text, or the path of an image that is not there, becomes an unusable line.

    Args:
        path: the file.
        root: the folder of the data set; image files outside of it are not read.
        columns: which columns to read.

    Raises:
        DataError: the file is missing, damaged or not Parquet; a column is missing or holds something else.
    """
    with _open(path) as file:
        schema = file.schema_arrow
        image = columns.image or _only_images(schema)
        _check(schema, image, "image", path, _image_kind)
        _check(schema, columns.text, "text", path, _is_text)
        group = columns.group
        if group is None:
            group = next((name for name in GROUP_COLUMNS if name in schema.names and name != columns.text), "")
        for key, name in (("group", group), ("split", columns.split)):
            if name:
                _check(schema, name, key, path, lambda type: not pa.types.is_nested(type))
        names = [columns.text, group, columns.split]
        row = 0
        try:
            for index in range(file.num_row_groups):
                beside = _path_column(file, index, image)
                wanted = list(dict.fromkeys(name for name in (*names, beside) if name))
                for batch in file.iter_batches(_TEXTS_PER_STEP, [index], wanted, use_threads=False):
                    yield from _entries(batch, names, beside, ParquetImage(path, image, row), root)
                    row += len(batch)
        except UnicodeDecodeError:
            raise DataError(f"{path}: has text that is not UTF-8 after row {row}; write the file again") from None
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from None


def _entries(
    batch: Any, names: list[str | None], beside: str, first: ParquetImage, root: Path
) -> Iterator[tuple[Line, str | None]]:
    """Yield the rows of a batch, of which ``first`` is the first."""
    nothing = [None] * len(batch)
    texts, groups, splits = (batch.column(name).to_pylist() if name else nothing for name in names)
    paths = _values(batch, beside) if beside else nothing
    file_id = first.path.relative_to(root).as_posix()
    for row, (text, group, split, image_path) in enumerate(zip(texts, groups, splits, paths, strict=True), first.row):
        image: LineImage = ParquetImage(first.path, first.column, row)
        if text is None:
            image = UnusableImage(f"{first.path}:{row}: the row has no text; complete it or take it out")
        elif beside:
            image = _beside(image_path, first.path, row, root)
        group_name = "" if group is None else str(group)
        line = Line(f"{file_id}:{row}", image, clean_text(text or ""), sys.intern(group_name))
        yield line, None if split is None else str(split)


def _beside(name: str | None, parquet: Path, row: int, root: Path) -> ImageFile | UnusableImage:
    """Find the image file that a row names, beside the Parquet file or from the root."""
    where = f"{parquet}:{row}"
    if not name:
        return UnusableImage(f"{where}: the row has neither an image nor the path of one; complete it or take it out")
    if "://" in name:
        return UnusableImage(
            f"{where}: the row has only the address {name}; download the images and store them in the rows"
        )
    places = [Path(os.path.normpath(folder.absolute() / name)) for folder in (parquet.parent, root)]
    inside = [place for place in places if place.is_relative_to(os.path.normpath(root.absolute()))]
    if not inside:
        return UnusableImage(f"{where}: the row names the image {name}, which lies outside of {root}; move it inside")
    found = next((place for place in inside if is_file(place)), None)
    return ImageFile(found) if found else UnusableImage(f"{where}: there is no image {inside[0]}, which the row names")


def _values(batch: Any, column: str) -> list[str | None]:
    """Return strings of a column, or of the field ``path`` of one."""
    values = batch.column(column.removesuffix(".path") if column not in batch.schema.names else column).to_pylist()
    return [value.get("path") if isinstance(value, dict) else value for value in values]


def _open(path: Path) -> Any:
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the path") from None
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DataError:
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    except OSError as reason:
        return DataError(f"{path}: cannot be read ({reason.strerror}); check permissions and disk")
    if start == _LFS_POINTER:
        return DataError(
            f"{path}: is only a pointer to the data, as Git LFS leaves it; run 'git lfs pull' in its folder"
        )
    reason_line = str(error).strip().partition("\n")[0].rstrip(".")
    return DataError(f"{path}: is damaged or not a Parquet file ({reason_line}); get it again")


def _check(schema: Any, name: str, key: str, path: Path, fits: Callable[[Any], object]) -> None:
    """Refuse a column that is not there, or does not hold what it should."""
    if name not in schema.names:
        raise DataError(f"{path}: has no column {name!r}; set dataset.{key}_column to one of {', '.join(schema.names)}")
    type = schema.field(name).type
    if not fits(type):
        raise DataError(
            f"{path}: its column {name!r} holds {type}, not what dataset.{key}_column={name} needs; the columns are "
            f"{', '.join(schema.names)}"
        )


def _is_text(type: Any) -> bool:
    types = pa.types
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(test(_plain(type)) for test in tests)


def _is_bytes(type: Any) -> bool:
    types = pa.types
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(test(_plain(type)) for test in tests)


def _plain(type: Any) -> Any:
    return type.value_type if pa.types.is_dictionary(type) else type


def _image_kind(type: Any) -> str | None:
    """Return how a column holds images: in a ``struct`` with bytes and path, as ``bytes``, by ``path``; or None."""
    if pa.types.is_struct(type):
        fields = {field.name: field.type for field in type}
        return "struct" if _is_bytes(fields.get("bytes", pa.null())) or "path" in fields else None
    return "bytes" if _is_bytes(type) else "path" if _is_text(type) else None


def _only_images(schema: Any) -> str:
    """Return ``image``, or else the only column of encoded images."""
    found: list[str] = [field.name for field in schema if _image_kind(field.type) in ("struct", "bytes")]
    return found[0] if "image" not in schema.names and len(found) == 1 else "image"


def _path_column(file: Any, row_group: int, image: str) -> str:
    """Return the column that names the image files of a row group; empty if the images are in the rows."""
    kind = _image_kind(file.schema_arrow.field(image).type)
    if kind != "struct":
        return image if kind == "path" else ""
    leaves = {file.schema.column(i).path: i for i in range(len(file.schema))}
    if f"{image}.bytes" not in leaves:
        return f"{image}.path"
    chunk = file.metadata.row_group(row_group).column(leaves[f"{image}.bytes"])
    empty = chunk.is_stats_set and chunk.statistics.has_null_count and chunk.statistics.null_count == chunk.num_values
    return f"{image}.path" if empty and f"{image}.path" in leaves else ""


class _Images:
    """The encoded images of a file, read forwards: one step of rows is in memory, not a whole row group."""

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column
        self._file = _open(path)
        if column not in self._file.schema_arrow.names:
            raise DataError(f"{path}: has no column {column!r} any more; it has changed, so start again")
        nested = _image_kind(self._file.schema_arrow.field(column).type) == "struct"
        self._leaf = f"{column}.bytes" if nested else column
        groups = range(self._file.num_row_groups)
        self._starts = [0, *accumulate(self._file.metadata.row_group(i).num_rows for i in groups)]
        self._batch: Any = ()
        self._first, self._group = 0, -1  # of the batch
        self._steps: Iterator[Any] = iter(())
        self._failures: dict[int, tuple[int, str]] = {}
        self._lock = threading.Lock()  # the position is shared by all threads of a process

    def __call__(self, row: int) -> bytes | None:
        """Return the image of a row; None if it has none.

        Raises:
            DataError: the row group is damaged here or further ahead.
        """
        if row >= self._starts[-1]:
            raise DataError(f"{self._path}:{row}: the file has no such row any more; it has changed, so start again")
        with self._lock:
            self._go_to(row)
            value = self._batch[row - self._first].as_py()
        content: bytes | None = value["bytes"] if isinstance(value, dict) else value
        return content

    def _go_to(self, row: int) -> None:
        group = bisect_right(self._starts, row) - 1
        failed = self._failures.get(group)
        if failed and row >= failed[0]:  # what comes after damage is not looked for again by every row
            raise DataError(failed[1])
        if group != self._group or row < self._first:
            self._steps = self._file.iter_batches(_IMAGES_PER_STEP, [group], [self._leaf], use_threads=False)
            self._batch, self._first, self._group = (), self._starts[group], group
        try:
            while row >= self._first + len(self._batch):
                self._first += len(self._batch)
                self._batch = ()
                self._batch = next(self._steps).column(0)
        except (pa.ArrowException, OSError, StopIteration) as error:
            reason = str(_damaged(self._path, error))
            self._failures[group] = (self._first, reason)
            self._group = -1
            raise DataError(reason) from None


@lru_cache(maxsize=1)
def _images(path: Path, column: str, size: int, changed_ns: int) -> _Images:
    """Open a file, the last one in each process only, as it may hold much; anew when it has changed."""
    return _Images(path, column)
