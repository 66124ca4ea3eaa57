"""Lines of several archives, one Parquet file each, balanced by archive and by writer."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.data_files import check_root
from htr_lightning.data.sources.parquet import ParquetColumns, read_parquet_rows
from htr_lightning.data.sources.splits import parse_split
from htr_lightning.image.files import DataError


@dataclass(frozen=True, slots=True)
class _Origin:
    archive: str
    writer: str
    is_short: bool


class Archives:
    """The Parquet files of a folder, each with the lines of one archive; the name of the file is that of the archive.

    Training lines are drawn in proportion to the weight of their archive. A writer with many lines does not dominate
    an archive (``max_lines_per_writer``), and neither do short cells such as dates and numbers
    (``max_short_fraction``); both lower how often a line is drawn on average, so that all lines are seen over some
    epochs.

    Args:
        root: folder of the files, with the columns ``image``, ``text`` and those named below.
        weights: how often each line of an archive is drawn in an epoch, before the limits below, by archive; 1 for
            archives that are not named, 0 leaves an archive out of training.
        max_lines_per_writer: maximum number of lines of a writer in an epoch, before weights; None for no limit.
        max_short_fraction: maximum fraction of short lines in an archive; 1 for no limit.
        short_length: lines with fewer characters are short.
        writer_column: column with the writer; lines without one count as of one writer.
        group_column: column with the page.
        split_column: column with train, val or test.

    Raises:
        DataError: a number is out of its range.
    """

    def __init__(
        self,
        root: str,
        *,
        weights: Mapping[str, float] | None = None,
        max_lines_per_writer: int | None = None,
        max_short_fraction: float = 1.0,
        short_length: int = 8,
        writer_column: str = "writer",
        group_column: str = "page",
        split_column: str = "split",
    ) -> None:
        self.root, self.weights = Path(root), dict(weights or {})
        self.max_lines_per_writer, self.max_short_fraction = max_lines_per_writer, max_short_fraction
        self.short_length = short_length
        self.writer_column, self.group_column, self.split_column = writer_column, group_column, split_column
        self._origins: dict[str, _Origin] = {}
        for name, weight in self.weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                remedy = "give a number of 0 or more"
                raise DataError("this is not a weight", key=f"dataset.weights.{name}", value=weight, remedy=remedy)
        if max_lines_per_writer is not None and max_lines_per_writer < 1:
            key = "dataset.max_lines_per_writer"
            raise DataError("the number is too small", key=key, value=max_lines_per_writer, remedy="give 1 or more")
        if not 0 < max_short_fraction <= 1:
            key, remedy = "dataset.max_short_fraction", "give a number above 0 and at most 1"
            raise DataError("this is not a fraction", key=key, value=max_short_fraction, remedy=remedy)

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split, one archive after the other; images are not read yet.

        Raises:
            DataError: the folder has no Parquet file or lacks an archive that has a weight; a file is damaged or lacks
                a column.
        """
        return [
            line
            for path in self._find_files()
            if split != "train" or self.weights.get(path.stem, 1)
            for line in self._read_archive(path, split)
        ]

    def _find_files(self) -> list[Path]:
        check_root(self.root, "Parquet files")
        files = sorted(self.root.glob("*.parquet"))
        names = [path.stem for path in files]
        if not files:
            remedy = "set it to a folder with one *.parquet file for each archive"
            raise DataError("there is no Parquet file", key="dataset.root", value=self.root, remedy=remedy)
        for name in self.weights:
            if name not in names:
                remedy = f"choose from {', '.join(names)}"
                problem = f"there is no archive {name!r} in {self.root}"
                raise DataError(problem, key="dataset.weights", remedy=remedy, kind="unknown")
        return files

    def _read_archive(self, path: Path, split: Split) -> list[Line]:
        columns = ParquetColumns(group=self.group_column, split=self.split_column)
        rows = read_parquet_rows(path, self.root, columns)
        lines = [line for line, value in rows if parse_split(value or "") == split]
        writers = self._read_writers(path)
        for line in lines:
            is_short = len(line.text) < self.short_length
            self._origins[line.id] = _Origin(path.stem, writers[line.id], is_short)
        return lines

    def get_archive_and_writer(self, id: str) -> tuple[str, str]:
        """Return where a line comes from that `lines` returned; the writer is empty if unknown."""
        return self._origins[id].archive, self._origins[id].writer

    def _read_writers(self, path: Path) -> dict[str, str]:
        """Return the writer of each line by its id."""
        try:
            rows = read_parquet_rows(path, self.root, ParquetColumns(group=self.writer_column))
            return {line.id: line.group for line, _ in rows}
        except DataError as error:
            if error.key != "dataset.group_column":
                raise
            raise error.with_fields(key="dataset.writer_column", value=self.writer_column) from None

    def draws_per_epoch(self, ids: Iterable[str]) -> NDArray[np.float64]:
        """Return how often each of the usable training lines is drawn in an epoch, on average: ``(number of ids,)``."""
        origins = [self._origins[id] for id in ids]
        draws = np.ones(len(origins))
        archives = np.array([origin.archive for origin in origins])
        short = np.array([origin.is_short for origin in origins], bool)
        for archive in np.unique(archives):
            inside = archives == archive
            num_short, num_long = int((inside & short).sum()), int((inside & ~short).sum())
            limit = num_long * self.max_short_fraction / max(1 - self.max_short_fraction, 1e-9)
            if num_short > limit > 0:
                draws[inside & short] = limit / num_short
        if self.max_lines_per_writer is not None:
            totals: defaultdict[tuple[str, str], float] = defaultdict(float)
            for origin, number in zip(origins, draws.tolist(), strict=True):
                totals[origin.archive, origin.writer] += number
            factors = {key: min(1.0, self.max_lines_per_writer / total) for key, total in totals.items()}
            draws *= np.array([factors[origin.archive, origin.writer] for origin in origins])
        weights = np.array([self.weights.get(origin.archive, 1.0) for origin in origins])
        return np.asarray(draws * weights, np.float64)
