"""Lists of very many paths."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload


class Paths(Sequence[Path]):
    """Paths that are stored as strings: a million of them take 0.1 GB of memory, a million `Path` objects 0.4 GB.

    Args:
        paths: the first ones.
    """

    __slots__ = ("_strings",)

    def __init__(self, paths: Iterable[str | Path] = ()) -> None:
        self._strings = list(map(str, paths))

    def __len__(self) -> int:
        """Return their number."""
        return len(self._strings)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> "Paths": ...

    def __getitem__(self, index: int | slice) -> "Path | Paths":
        """Return a path, or several."""
        return Paths(self._strings[index]) if isinstance(index, slice) else Path(self._strings[index])

    @property
    def strings(self) -> Sequence[str]:
        """The same as strings, which cost no time to make."""
        return self._strings

    def append(self, path: str | Path) -> None:
        """Add a path at the end, in the spelling of `Path` if it is a string."""
        self._strings.append(str(path))

    def extend(self, paths: "Paths") -> None:
        """Add paths at the end."""
        self._strings += paths._strings

    def sort(self) -> None:
        """Put them into the order of `Path`: by folders first, so that ``a/b`` comes before ``a.png``."""
        self._strings.sort(key=lambda path: os.path.normcase(path).replace(os.sep, "\0"))


class PathPairs(Sequence[tuple[Path, Path]]):
    """Pairs of paths, stored as `Paths`."""

    __slots__ = ("_first", "_second")

    def __init__(self, pairs: Iterable[tuple[str | Path, str | Path]] = ()) -> None:
        self._first, self._second = Paths(), Paths()
        self.extend(pairs)

    @property
    def strings(self) -> tuple[Sequence[str], Sequence[str]]:
        """The first of all pairs, and the second, as strings, which cost no time to make."""
        return self._first.strings, self._second.strings

    def __len__(self) -> int:
        """Return their number."""
        return len(self._first)

    @overload
    def __getitem__(self, index: int) -> tuple[Path, Path]: ...

    @overload
    def __getitem__(self, index: slice) -> "PathPairs": ...

    def __getitem__(self, index: int | slice) -> "tuple[Path, Path] | PathPairs":
        """Return a pair, or several."""
        if isinstance(index, slice):
            pairs = PathPairs()
            pairs._first, pairs._second = self._first[index], self._second[index]
            return pairs
        return self._first[index], self._second[index]

    def append(self, pair: tuple[str | Path, str | Path]) -> None:
        """Add a pair at the end, in the spelling of `Path` if it is of strings."""
        self._first.append(pair[0])
        self._second.append(pair[1])

    def extend(self, pairs: Iterable[tuple[str | Path, str | Path]]) -> None:
        """Add pairs at the end."""
        if isinstance(pairs, PathPairs):
            self._first.extend(pairs._first)
            self._second.extend(pairs._second)
            return
        for pair in pairs:
            self.append(pair)


def get_suffix(path: str | Path) -> str:
    """Return the suffix of a path in lower case, such as ``.png``; empty if it has none."""
    stem, dot, suffix = get_name(path).rpartition(".")
    return (dot + suffix).lower() if stem and suffix else ""


def get_name(path: str | Path) -> str:
    """Return the last part of a path."""
    return str(path).rpartition(os.sep)[2]


def get_folder(path: str | Path) -> str:
    """Return the folder of a path; empty if it has none."""
    folder, separator, _ = str(path).rpartition(os.sep)
    return folder or separator


def get_prefix(folder: Path) -> str:
    """Return what the paths of all files in a folder begin with, in the spelling of `Path`: empty for ``.``."""
    return str(folder / "x")[:-1]
