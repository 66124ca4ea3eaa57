"""Finding the image of a page: by the name in its layout file, beside it, or by its stem."""

import functools
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from htr_lightning.image.files import IMAGE_SUFFIXES, DataError


class PageImages:
    """The images in a folder and its subfolders.

    Args:
        root: the folder; nothing outside it is ever named. Links in it are followed, as people link large scans.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, layout: Path, name: str) -> Path:
        """Find the image of a page.

        The first of these that there is: the file that the layout names, seen from the layout's folder and
        from the root; a file of that name, beside the layout or else anywhere under the root; a file with the
        layout's own stem, likewise.

        Args:
            layout: the layout file.
            name: what it calls its image, with or without folders, as written on whatever system; may be empty.

        Raises:
            DataError: there is none, or several that fit equally well; names the layout.
        """
        written = PurePosixPath(PureWindowsPath(name).as_posix() if "\\" in name else name)
        if name:
            for folder in (layout.parent, self.root):
                path = Path(os.path.normpath(folder / written))
                if self._contains(path) and is_file(path):
                    return path
        for key in (written.name, written.stem, layout.stem):
            found = self._index.get(_folded(key), []) if key else []
            if found:
                return self._nearest(found, layout)
        place = f"named {name[:100]!r}" if name else f"with its name ({layout.stem})"
        outside = " (the name leads out of it, where nothing is read)" if self._leads_out(layout, name) else ""
        raise DataError(
            f"{layout}: there is no image {place} under {self.root}{outside}; put it there (dataset=alto and "
            "page_xml take another folder as dataset.images)"
        )

    @functools.cached_property
    def _index(self) -> dict[str, list[Path]]:
        """Images by their names and by their stems, in lower case."""
        index: dict[str, list[Path]] = {}
        for path in files_under(self.root, IMAGE_SUFFIXES):
            index.setdefault(_folded(path.name), []).append(path)
            index.setdefault(_folded(path.stem), []).append(path)
        return index

    def _nearest(self, paths: list[Path], layout: Path) -> Path:
        """Return the one that shares most folders with the layout, and lies least deep below them."""

        def distance(path: Path) -> int:
            try:
                common = len(Path(os.path.commonpath([path.absolute(), layout.absolute()])).parts)
            except ValueError:  # on different drives
                common = 0
            return len(path.absolute().parts) + len(layout.absolute().parts) - 2 * common

        first, *others = sorted(paths, key=lambda path: (distance(path), path.as_posix()))
        if others and distance(others[0]) == distance(first):
            raise DataError(
                f"{layout}: both {first} and {others[0]} could be its image; set dataset.images to the folder of the "
                "right ones"
            )
        return first

    def _contains(self, path: Path) -> bool:
        return path.absolute().is_relative_to(os.path.normpath(self.root.absolute()))

    def _leads_out(self, layout: Path, name: str) -> bool:
        return bool(name) and not self._contains(Path(os.path.normpath(layout.parent / name)))


def files_under(root: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Yield the files with one of the suffixes (lower case) in a folder, folder by folder, by name.

    What is hidden is passed over. Links to folders are followed, each folder once.

    Raises:
        DataError: a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error

    seen: set[Path] = set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        if Path(folder).resolve() in seen:
            subfolders.clear()
            continue
        seen.add(Path(folder).resolve())
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                check_name(name, folder)
                yield Path(folder, name)


def check_name(name: str, folder: str) -> None:
    """Refuse the name of a file that is not text; old archives from Windows have such.

    Raises:
        DataError: names the folder and the file.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{folder!a}: the name of a file, {name!a}, is not UTF-8; rename it") from None


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have (too long, a NUL in it) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _folded(name: str) -> str:
    """What two names of one file have in common: macOS writes them decomposed, Windows in either case."""
    return unicodedata.normalize("NFC", name).lower()


def check_root(root: Path, what: str) -> None:
    """Check that the root is a folder.

    Args:
        root: of the data set.
        what: whose folder it should be, for the message: ``of your lines``.

    Raises:
        DataError: it is not.
    """
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "there is no such folder"
        raise DataError(f"{root}: {problem}; set dataset.root to the folder {what}")
