"""Which pages belong to which split: by lists, by folders, or by chance."""

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.lines import divide, split_named
from htr_lightning.data.sources.page_images import check_root, files_under
from htr_lightning.image.files import DataError, UnusableImage

Entry = Path | Line
"""A layout file, or an unusable line for a page that a list names in vain."""


class PageSplits:
    """The layout files of each split.

    Args:
        root: folder of the pages.
        lists: folders, or text files with names of pages, by split; relative to the root. Empty: folders in the root
            that are called as splits, or else a division by ratios.
        ratios: the shares of train, val and test.
        seed: another number divides differently.
        group_of: what a page must not be divided from.
        is_ours: whether a file is a layout of the format that is read; asked only where it matters.
    """

    def __init__(
        self,
        root: Path,
        lists: Mapping[Split, str],
        ratios: Sequence[float],
        seed: int,
        group_of: Callable[[Path], str],
        is_ours: Callable[[Path], bool],
    ) -> None:
        self.root, self.lists, self.ratios, self.seed = root, dict(lists), tuple(ratios), seed
        self.group_of, self.is_ours = group_of, is_ours

    def of(self, split: Split) -> list[Entry]:
        """Return the layout files of a split in the order of their paths, or of the list.

        Raises:
            DataError: the root or a list is missing; a name fits several pages; a page is in two splits, or in none
                where folders divide.
        """
        check_root(self.root, "of your pages")
        if self.lists:
            return self._listed.get(split, [])
        if not self._every:
            raise DataError(f"{self.root}: has no XML files; set dataset.root to the folder of your pages")
        by_folder = self._by_folder
        if by_folder:
            return [path for path, of in by_folder.items() if of == split]
        split_of = divide((self.group_of(path) for path in self._every), self.ratios, self.seed)
        return [path for path in self._every if split_of[self.group_of(path)] == split]

    @functools.cached_property
    def _every(self) -> list[Path]:
        return list(files_under(self.root, (".xml",)))

    @functools.cached_property
    def _by_folder(self) -> dict[Path, Split]:
        """The split of each page by its topmost folder; nothing if no folder is called like a split."""
        tops = {path: path.relative_to(self.root).parts for path in self._every}
        named = {path: split_named(parts[0]) if len(parts) > 1 else None for path, parts in tops.items()}
        if not any(named.values()):
            return {}
        outside = [path for path, split in named.items() if split is None and self.is_ours(path)]
        if outside:
            raise DataError(
                f"{self.root}: {len(outside)} of the pages, such as {outside[0]}, lie in none of the folders train, "
                "val, test, which hold the others; move or remove them, or set dataset.train, dataset.val, dataset.test"
            )
        return {path: split for path, split in named.items() if split is not None}

    @functools.cached_property
    def _listed(self) -> dict[Split, list[Entry]]:
        """The pages of every list.

        Raises:
            DataError: a page is in two lists.
        """
        found = {split: self._of_list(self.root / name, split) for split, name in self.lists.items()}
        split_of: dict[Path, Split] = {}
        for split, entries in found.items():
            for path in (entry for entry in entries if isinstance(entry, Path)):
                other = split_of.setdefault(path, split)
                if other != split:
                    raise DataError(
                        f"{path}: is a page of dataset.{other} and of dataset.{split}; take it out of one of them"
                    )
        return found

    def _of_list(self, place: Path, split: Split) -> list[Entry]:
        if place.is_dir():
            return list(files_under(place, (".xml",)))
        try:
            rows = place.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise DataError(
                f"{place}: cannot be read ({reason}); set dataset.{split} to a folder, or to a list of pages"
            ) from None
        return [self._named(name, place) for name in dict.fromkeys(_plain(row) for row in rows) if name]

    def _named(self, name: str, place: Path) -> Entry:
        """Find the page that a list names."""
        bare = PurePosixPath(name)
        bare = bare.with_suffix("") if bare.name not in ("", "..") else bare
        for key in (name, bare.as_posix()):
            paths = self._by_name.get(key, [])
            ours = [path for path in paths if self.is_ours(path)] if len(paths) > 1 else paths
            if len(ours) > 1:
                raise DataError(f"{place}: {name} could be {ours[0]} or {ours[1]}; write it with its folders")
            if ours:
                return ours[0]
        return Line(name, UnusableImage(f"{place}: names the page {name}, of which {self.root} has no XML file"), "")

    @functools.cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Layout files by their path without suffix, and by their stem."""
        index: dict[str, list[Path]] = {}
        for path in self._every:
            whole = _plain(path.relative_to(self.root).with_suffix("").as_posix())
            for key in dict.fromkeys((whole, _plain(path.stem))):
                index.setdefault(key, []).append(path)
        return index


def _plain(name: str) -> str:
    """Bring a name to the form in which lists and file systems agree."""
    return unicodedata.normalize("NFC", name.strip())
