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

    def append(self, path: str | Path) -> None:
        """Add a path at the end."""
        self._strings.append(str(path))

    def sort(self) -> None:
        """Put them into the order of `Path`: by folders first, so that ``a/b`` comes before ``a.png``."""
        self._strings.sort(key=lambda path: os.path.normcase(path).replace(os.sep, "\0"))


class PathPairs(Sequence[tuple[Path, Path]]):
    """Pairs of paths, stored as `Paths`."""

    __slots__ = ("_first", "_second")

    def __init__(self, pairs: Iterable[tuple[Path, Path]] = ()) -> None:
        self._first, self._second = Paths(), Paths()
        self.extend(pairs)

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

    def append(self, pair: tuple[Path, Path]) -> None:
        """Add a pair at the end."""
        self._first.append(pair[0])
        self._second.append(pair[1])

    def extend(self, pairs: Iterable[tuple[Path, Path]]) -> None:
        """Add pairs at the end."""
        for pair in pairs:
            self.append(pair)
