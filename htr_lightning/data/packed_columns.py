"""The texts of a packed file, read from the file when they are needed.

A column of a million strings takes about 100 MB as Python objects, and tens of MB as an Arrow table. Here only the
offsets of the strings are kept: four bytes for each.
"""

import bisect
import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ROWS_PER_READ = 8192

ReadAt = Callable[[int, int], bytes]
"""Reads a number of bytes from an offset in the file."""


class TextColumn(Sequence[str]):
    """Strings that are read when they are needed."""

    @abstractmethod
    def _get(self, row: int) -> str:
        """Return the string of a row from 0."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = index if index >= 0 else len(self) + index
        if not 0 <= row < len(self):
            raise IndexError(index)
        return self._get(row)


class StringColumn(TextColumn):
    """A column of strings in a file.

    Args:
        read_at: reads from the file.
        begin: offset in the file of the first string.
        offsets: ``(number of strings + 1,)`` int32, from the first string.
    """

    def __init__(self, read_at: ReadAt, begin: int, offsets: NDArray[np.int32]) -> None:
        self._read_at, self._begin, self._offsets = read_at, begin, offsets

    @classmethod
    def find(cls, column: pa.ChunkedArray, table: pa.Buffer, begin: int, read_at: ReadAt) -> "StringColumn":
        """Return a column of an Arrow table that was read without a copy.

        Args:
            column: of strings.
            table: the bytes of the Arrow stream.
            begin: offset of these bytes in the file.
            read_at: reads from the file.

        Raises:
            ValueError: strings are missing, or the table has several parts.
        """
        if column.null_count or column.num_chunks > 1:
            raise ValueError("its table is not as this version writes it")
        if not len(column):
            return cls(read_at, begin, np.zeros(1, np.int32))
        array = column.chunk(0)
        _, offsets, strings = array.buffers()
        numbers = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].copy()
        place = strings.address - table.address if strings is not None and strings.size else 0
        assert 0 <= place <= table.size, "Arrow copied the strings"
        return cls(read_at, begin + place, numbers)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def _get(self, row: int) -> str:
        begin, end = int(self._offsets[row]), int(self._offsets[row + 1])
        return str(self._read_at(end - begin, self._begin + begin), "utf-8")

    def __iter__(self) -> Iterator[str]:
        for row in range(0, len(self), ROWS_PER_READ):
            offsets = self._offsets[row : row + ROWS_PER_READ + 1].tolist()
            first = offsets[0]
            content = self._read_at(offsets[-1] - first, self._begin + first)
            if content.isascii():  # faster: one character is one byte
                text = content.decode()
                yield from (text[begin - first : end - first] for begin, end in itertools.pairwise(offsets))
            else:
                yield from (content[begin - first : end - first].decode() for begin, end in itertools.pairwise(offsets))


class ChainedColumn(TextColumn):
    """The columns of several files, one after the other, or some of their rows.

    Args:
        columns: of the files.
        rows: the rows to take, in ascending order; None for all.
    """

    def __init__(self, columns: Iterable[Sequence[str]], rows: NDArray[np.int64] | None = None) -> None:
        self._columns, self._rows = list(columns), rows
        self._begins = list(itertools.accumulate(map(len, self._columns), initial=0))

    def __len__(self) -> int:
        return self._begins[-1] if self._rows is None else len(self._rows)

    def _get(self, row: int) -> str:
        row = row if self._rows is None else int(self._rows[row])
        file = bisect.bisect_right(self._begins, row) - 1
        return self._columns[file][row - self._begins[file]]

    def __iter__(self) -> Iterator[str]:
        if self._rows is None:
            for column in self._columns:
                yield from column
            return
        for file, column in enumerate(self._columns):
            begin, end = self._begins[file : file + 2]
            is_taken = np.zeros(len(column), bool)
            is_taken[self._rows[slice(*np.searchsorted(self._rows, (begin, end)))] - begin] = True
            yield from itertools.compress(column, is_taken)
