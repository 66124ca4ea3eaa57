"""The files of a folder: one search and one way to find a file by its name, for all commands and data sources."""

import difflib
import itertools
import os
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from htr_lightning.image.files import DataError
from htr_lightning.image.paths import Paths, get_prefix, get_suffix
from htr_lightning.text import escape_unprintable

_OTHER_PICTURES = frozenset(
    (
        *(".heic", ".heif", ".avif", ".jxl", ".jxr", ".wdp", ".djvu", ".djv", ".pdf", ".psd", ".xcf", ".svg", ".eps"),
        *(".ai", ".tga", ".pcx", ".ico", ".exr", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raw", ".orf", ".rw2"),
    )
)
"""Suffixes of pictures and documents; if they are not searched for, they are named as passed over."""
_MAX_NAMED = 3  # files in one sentence


@dataclass
class FolderContent:
    """What a search found.

    Attributes:
        files: with one of the suffixes, in the order of their paths.
        passed_over: pictures and folders that were not used, by the reason.
    """

    files: Paths = field(default_factory=Paths)
    passed_over: dict[str, list[Path]] = field(default_factory=dict)

    def describe_passed_over(self, root: Path) -> Iterator[str]:
        """Yield a sentence for each reason why files were passed over."""
        for reason, paths in self.passed_over.items():
            names = [escape_unprintable(path.relative_to(root).as_posix()) for path in paths[:_MAX_NAMED]]
            more = f" and {len(paths) - _MAX_NAMED} more" if len(paths) > _MAX_NAMED else ""
            yield f"{root}: passed over {', '.join(names)}{more}: {reason}"

    def add(self, path: str | Path, suffixes: Collection[str]) -> None:
        """Take a file with one of the suffixes (lower case), and pass over another picture."""
        suffix = get_suffix(path)
        if suffix in suffixes:
            self.files.append(path)
        elif suffix in _OTHER_PICTURES:
            remedy = "their pages can be read with --pages" if suffix == ".pdf" else "convert them to PNG or JPEG"
            self.pass_over(f"{suffix} is not read here; {remedy}", Path(path))

    def pass_over(self, reason: str, path: Path) -> None:
        """Note a file or folder that is not used."""
        self.passed_over.setdefault(reason, []).append(path)


def search_folder(root: Path, suffixes: Collection[str]) -> FolderContent:
    """Search a folder and its subfolders for files with one of the suffixes (lower case), in any letter case.

    Hidden files and folders are skipped. Links to folders are followed, each folder once.

    Args:
        root: the folder.
        suffixes: such as ``.png``.

    Raises:
        DataError: a folder cannot be listed.
    """
    content = FolderContent()
    top = os.path.realpath(root)
    visited: set[str] = set()
    for folder, subfolders, names in os.walk(root, onerror=raise_unreadable, followlinks=True):
        real = os.path.realpath(folder)
        is_inner_link = Path(folder) != root and Path(folder).is_symlink() and _contains(top, real)
        if real in visited or is_inner_link:
            content.pass_over("these folders are searched under another name", Path(folder))
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        prefix = get_prefix(Path(folder))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = prefix + name
            # What reads it names a broken link.
            if get_suffix(name) in suffixes and not is_file(path) and Path(path).exists():
                content.pass_over("these are not regular files", Path(path))
            else:
                content.add(path, suffixes)
    return content


def _contains(folder: str, path: str) -> bool:
    """Whether a folder contains a path, without hidden folders in between, or is it."""
    if os.path.splitdrive(folder)[0] != os.path.splitdrive(path)[0]:
        return False
    return not any(part.startswith(".") for part in Path(os.path.relpath(path, folder)).parts)


def raise_unreadable(error: OSError) -> None:
    """Raise for a folder that cannot be listed: the ``onerror`` of `os.walk`.

    Raises:
        DataError: always; names the folder and the reason.
    """
    raise build_unreadable_error(error.filename, error) from error


def build_unreadable_error(path: Path | str, error: OSError) -> DataError:
    """Build the error for a file or folder that the operating system refuses to read."""
    problem = f"cannot be read ({error.strerror})"
    return DataError(problem, file=path, remedy="check permissions and disk", kind="unreadable")


def normalize_name(name: str) -> str:
    """Return the form in which spellings of one name agree.

    macOS decomposes accents, Windows ignores case and separates folders by backslashes.
    """
    return unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()


class FileFinder:
    """Finds files by their paths, in any letter case and Unicode form.

    Each folder is listed once.
    """

    def __init__(self) -> None:
        self._listings: dict[Path, dict[str, list[str]]] = {}
        self._folders: dict[Path, Path | None] = {}
        self._suffixes: dict[tuple[Path, str], bool] = {}

    def find(self, root: Path, name: str) -> Path | None:
        """Return the file of a name, or of the only other spelling that exists; None if there is none.

        Args:
            root: the folder that the name is relative to, if it is a relative path.
            name: of the file, with its folders.
        """
        path = root / name
        return self._find_in(path.parent, path.name) if name else None

    def has_suffix(self, folder: Path, suffix: str, subfolders: Collection[str] = ()) -> bool:
        """Return whether a folder, or one of its subfolders, may have files with a suffix.

        Args:
            folder: that is listed, once; if it cannot be, it may have any file.
            suffix: in lower case, such as ``.xml``.
            subfolders: names of the subfolders.
        """
        if (folder, suffix) not in self._suffixes:
            self._suffixes[folder, suffix] = self._search_suffix(folder, suffix, {*map(normalize_name, subfolders)})
        return self._suffixes[folder, suffix]

    def _search_suffix(self, folder: Path, suffix: str, subfolders: Collection[str]) -> bool:
        """Search a folder without keeping its names: those of a million scans would take much memory."""
        try:
            with os.scandir(self._find_folder(folder) or folder) as entries:
                for entry in entries:
                    name = normalize_name(entry.name)
                    if name.endswith(suffix) or (
                        name in subfolders and self._search_suffix(folder / entry.name, suffix, ())
                    ):
                        return True
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL character
            return False
        except OSError:
            return True
        return False

    def list_names(self, folder: Path) -> list[str]:
        """Return the names in a folder; none if it does not exist.

        Raises:
            DataError: it cannot be listed.
        """
        return [name for names in self._list(folder).values() for name in names]

    def _find_in(self, parent: Path, name: str) -> Path | None:
        folder = self._find_folder(parent)
        if folder is None or not name:
            return None
        try:
            spellings = self._list(folder).get(normalize_name(name), [])
        except DataError:  # a folder that may be entered, but not listed
            return folder / name if is_file(folder / name) else None
        if name in spellings:
            return folder / name
        return folder / spellings[0] if len(spellings) == 1 else None

    def _find_folder(self, folder: Path) -> Path | None:
        if folder not in self._folders:
            exists = _is_dir(folder)
            self._folders[folder] = folder if exists or folder.parent == folder else None
            if not exists and folder.parent != folder:
                self._folders[folder] = self._find_in(folder.parent, folder.name)
        return self._folders[folder]

    def _list(self, folder: Path) -> dict[str, list[str]]:
        """Return the names in a folder by their normalized form."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            try:
                names = sorted(entry.name for entry in os.scandir(folder))
            except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL character
                names = []
            except OSError as error:
                raise build_unreadable_error(folder, error) from None
            for name in names:
                listing.setdefault(normalize_name(name), []).append(name)
            self._listings[folder] = listing
        return self._listings[folder]


def suggest(path: Path) -> str:
    """Return a question that names the file or folder most similar to one that does not exist; empty if none is."""
    try:
        names = {normalize_name(other.name): other.name for other in itertools.islice(path.parent.iterdir(), 20_000)}
    except (OSError, ValueError):
        return ""
    close = difflib.get_close_matches(normalize_name(path.name), list(names), 1, 0.75)
    return f"did you mean {escape_unprintable(str(path.with_name(names[close[0]])))}?" if close else ""


def is_file(path: str | Path) -> bool:
    """Whether a file exists; False for a path that no file can have (too long, or with a NUL character)."""
    return os.path.isfile(path)  # noqa: PTH113, for strings, in half of the time


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False
