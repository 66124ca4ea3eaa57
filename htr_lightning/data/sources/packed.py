"""A set of packed files, as the command ``pack`` writes it."""

import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, overload

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import SPLITS, LeftOut, Line, Split
from htr_lightning.data.packed_lines import PACK_AGAIN, PackedLines, SetPart, read_part
from htr_lightning.data.packed_set import FILE_NAME, PackedSet, find_conflict, format_value, name_file
from htr_lightning.data.sources.data_files import check_root
from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.image.files import MAX_PIXELS, DataError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.text import format_count

log = logging.getLogger(__name__)
_MAX_NAMED = 5  # files in a message
_UNUSABLE = "that could not be used when they were packed"


@dataclass(frozen=True, slots=True)
class PackedImage:
    """The preprocessed image of a packed line.

    Attributes:
        path: of the packed file.
        row: of the line.
        fingerprint: digest of the pixels.
        preprocess: what was applied to it.
    """

    path: Path
    row: int
    fingerprint: str
    preprocess: Preprocess

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels ``(H, W)``.

        Raises:
            DataError: they are damaged.
        """
        pixels: NDArray[np.uint8] = _open_file(self.path)[self.row].pixels
        return pixels.copy()


@functools.lru_cache(maxsize=64)
def _open_file(path: Path) -> PackedLines:
    return PackedLines(path)


class _Lines(Sequence[Line]):
    """The lines of packed files, each made when it is needed."""

    def __init__(self, packed: PackedSet, preprocess: Preprocess) -> None:
        self._packed, self._preprocess = packed, preprocess
        self._columns = [packed.column(name) for name in ("id", "text", "group", "direction", "digest")]

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        values = [column[index] for column in self._columns]
        row = index if index >= 0 else len(self) + index
        return self._make_line(*self._packed.find_file(row), *values)

    def __iter__(self) -> Iterator[Line]:
        places = ((file, row) for file in self._packed.files for row in range(len(file)))
        for (file, row), values in zip(places, zip(*self._columns, strict=True), strict=True):
            yield self._make_line(file, row, *values)

    def _make_line(self, file: PackedLines, row: int, *values: str) -> Line:
        line_id, text, group, stated, digest = values
        image = PackedImage(file.path, row, digest, self._preprocess)
        return Line(line_id, image, text, group, cast(StatedDirection, stated))


class Packed:
    """The files of a folder that ``python -m htr_lightning pack`` wrote: ``train-00001-of-00010.lines`` and so on.

    Training opens the files as they are: nothing is listed, read or packed again. The preprocessing is that of the
    files; a run with another one is refused.

    Args:
        root: folder of the files.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self._sets: dict[Split, PackedSet] = {}

    @property
    def source_name(self) -> str:
        """Name of the class that read the dataset before it was packed.

        Raises:
            DataError: the files are not a complete set.
        """
        return self._part.source

    @functools.cached_property
    def _part(self) -> SetPart:
        """What all files of the set have in common.

        Raises:
            DataError: the files are not a complete set.
        """
        return check_set(self.root)

    @functools.cached_property
    def _preprocess(self) -> Preprocess:
        return Preprocess.from_dict(self._part.preprocess)

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of a split; they are read from the files when they are needed.

        Raises:
            DataError: the files are not a complete set, or one is damaged.
        """
        return _Lines(self._open(split), self._preprocess)

    def left_out(self, split: Split) -> LeftOut:
        """Return the lines that could not be used when they were packed; see `SelectiveSource`."""
        skipped = [line.id for line in self._open(split).skipped]
        return {_UNUSABLE: skipped} if skipped else {}

    def draws_per_epoch(self, ids: Iterable[str]) -> NDArray[np.float64]:
        """Return how often training lines are drawn in an epoch, as the dataset decided it when it was packed."""
        packed = self._open("train")
        if packed.draws is None:
            return np.ones(len(list(ids)))
        draws = dict(zip(packed.column("id"), packed.draws.tolist(), strict=True))
        return np.array([draws[line_id] for line_id in ids], np.float64)

    def open_packed(self, split: Split, preprocess: Preprocess) -> PackedSet:
        """Return the packed lines of a split; files that were changed or copied are verified once.

        Raises:
            DataError: the files are not a complete set, one is damaged, or their lines were preprocessed in another
                way.
        """
        self._refuse_other_preprocess(preprocess)
        packed = self._open(split)
        changed = [file for file in packed.files if file.is_changed]
        if changed:
            log.info("%s: verifying %s that changed or were copied", self.root, format_count(len(changed), "file"))
        for file in changed:
            file.verify()
        return packed

    def _open(self, split: Split) -> PackedSet:
        if split not in self._sets:
            count = self._part.files[split]
            names = [name_file(split, number, count) for number in range(1, count + 1)]
            self._sets[split] = PackedSet([PackedLines(self.root / name) for name in names])
        return self._sets[split]

    def _refuse_other_preprocess(self, preprocess: Preprocess) -> None:
        differing = self._preprocess.find_differences(preprocess)
        if differing:
            listed, remedy = [], []
            for name in differing:
                packed, now = (format_value(getattr(item, name)) for item in (self._preprocess, preprocess))
                listed.append(f"preprocess.{name}={packed}, not {now}")
                remedy.append(f"++preprocess.{name}={packed}")
            raise DataError(
                f"its lines were packed with {', '.join(listed)}",
                key="dataset.root",
                value=self.root,
                remedy=f"set {' '.join(remedy)}, or pack them again",
                kind="preprocess",
            )


def check_set(root: Path) -> SetPart:
    """Check that a folder has all files of one set, and return what they have in common: the part of the first file.

    Raises:
        DataError: there is no such folder, it has no packed file or lacks some, or it has those of several sets.
    """
    check_root(root, "packed files")
    paths = sorted(path for path in root.iterdir() if FILE_NAME.fullmatch(path.name))
    if not paths:
        remedy = "write some: python -m htr_lightning pack dataset=... --out FOLDER"
        raise DataError("there is no packed file", key="dataset.root", value=root, remedy=remedy, kind="empty")
    parts = {path: _read_part(path) for path in paths}
    first, *others = paths
    for path in others:
        if problem := find_conflict(parts[first], parts[path]):
            raise DataError(
                f"{first.name} and {path.name} are of different sets ({problem})",
                key="dataset.root",
                value=root,
                remedy="keep each set in a folder of its own",
                kind="several_sets",
            )
    part = parts[first]
    names = [name_file(split, number, part.files[split]) for split in SPLITS for number in _numbers(part, split)]
    missing = [name for name in names if root / name not in parts]
    if missing:
        more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
        raise DataError(
            f"{len(missing)} of {len(names)} files are missing: {', '.join(missing[:_MAX_NAMED])}{more}",
            key="dataset.root",
            value=root,
            remedy="run the pack command of the missing shards, or copy their files",
            kind="missing",
        )
    return part


def _numbers(part: SetPart, split: Split) -> range:
    return range(1, part.files[split] + 1)


def _read_part(path: Path) -> SetPart:
    part = read_part(path)
    if part is None:
        raise DataError("no file of a packed set, in spite of its name", file=path, remedy=PACK_AGAIN, kind="damaged")
    return part
