"""Several packed files as one sequence of lines."""

import bisect
import hashlib
import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import SPLITS
from htr_lightning.data.packed_columns import ChainedColumn
from htr_lightning.data.packed_lines import PackedLine, PackedLines, SetPart, SkippedLine

FILE_NAME = re.compile(r"(train|val|test)-(\d{5,})-of-(\d{5,})\.lines")
"""Name of a file: split, number from 1, and number of files of the split."""


def name_file(split: str, number: int, count: int) -> str:
    """Return the name of a file of a set: ``train-00001-of-00010.lines``."""
    return f"{split}-{number:05d}-of-{count:05d}.lines"


class PackedSet(Sequence[PackedLine]):
    """The lines of several packed files of one split, one file after the other, or some of these lines.

    Pickling stores only paths and rows, so workers open the files themselves.

    Attributes:
        files: in their order; all have lines of one height.
        widths: width of every line in pixels, ``(len,)`` int64.
        height_px: height of every line.
        skipped: lines that were left out when the files were written.
        fingerprint: fingerprint of everything that went into the files, and of the rows.
        draws: how often each line is drawn in an epoch, ``(len,)``; None for once.

    Args:
        files: at least one.
        rows: the rows to take, in ascending order; None for all.
    """

    def __init__(self, files: Sequence[PackedLines], rows: NDArray[np.int64] | None = None) -> None:
        self.files, self._rows = list(files), rows
        self._begins = list(itertools.accumulate(map(len, self.files), initial=0))
        self.height_px = self.files[0].height_px
        self.skipped: list[SkippedLine] = [line for file in self.files for line in file.skipped]
        self.widths: NDArray[np.int64] = self._take([file.widths for file in self.files])
        draws = [file.draws for file in self.files if file.draws is not None]
        self.draws: NDArray[np.float64] | None = self._take(draws) if draws else None
        digest = hashlib.sha256("\0".join(file.fingerprint for file in self.files).encode())
        digest.update(b"" if rows is None else rows.tobytes())
        self.fingerprint = digest.hexdigest()

    def _take(self, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        joined = np.concatenate(values)
        return joined if self._rows is None else joined[self._rows]

    def select(self, rows: NDArray[np.int64]) -> "PackedSet":
        """Return the set of some of its lines.

        Args:
            rows: in ascending order.
        """
        return PackedSet(self.files, rows if self._rows is None else self._rows[rows])

    def close(self) -> None:
        """Close the files; their lines cannot be read afterwards."""
        for file in self.files:
            file.close()

    def __getstate__(self) -> tuple[list[PackedLines], NDArray[np.int64] | None]:
        return self.files, self._rows

    def __setstate__(self, state: tuple[list[PackedLines], NDArray[np.int64] | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.widths)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        file, row = self.find_file(index)
        return file[row]

    def find_file(self, index: int) -> tuple[PackedLines, int]:
        """Return the file of a line, and its row there."""
        row = index if self._rows is None else int(self._rows[index])
        file = bisect.bisect_right(self._begins, row) - 1
        return self.files[file], row - self._begins[file]

    def column(self, name: str) -> Sequence[str]:
        """Return a column of the table, read when needed; see `htr_lightning.data.packed_lines.PackedSequence`."""
        return ChainedColumn([file.column(name) for file in self.files], self._rows)


def find_conflict(one: SetPart, other: SetPart) -> str:
    """Return why two files do not belong to one set, as a phrase; empty if they do."""
    if one.dataset != other.dataset:
        return "other lines"
    if one.preprocess != other.preprocess:
        keys = sorted({*one.preprocess, *other.preprocess})
        differing = [key for key in keys if one.preprocess.get(key) != other.preprocess.get(key)]
        return ", ".join(
            f"preprocess.{key}={format_value(one.preprocess.get(key))} and {format_value(other.preprocess.get(key))}"
            for key in differing
        )
    if one.files != other.files:
        split = next(split for split in SPLITS if one.files.get(split) != other.files.get(split))
        return f"{one.files.get(split)} and {other.files.get(split)} files of {split}"
    return ""


def format_value(value: object) -> str:
    """Return a setting as a configuration writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
