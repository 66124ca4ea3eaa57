"""The pages of each split: from lists, from folders, or by ratios."""

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.data_files import check_root, find_files, read_text_file
from htr_lightning.data.sources.splits import assign_splits, parse_split
from htr_lightning.image.files import DataError, UnusableImage

PageEntry = Path | Line
"""A layout file, or an unusable line for a listed page that has no layout file."""


class PageSplits:
    """The layout files of each split.

    Args:
        root: folder of the pages.
        lists: for each split, a folder or a text file with names of pages, relative to the root. If empty, the splits
            are the folders in the root that are named after them, or else made by ratios.
        ratios: fractions of train, val and test.
        seed: of the split by ratios.
        get_group: returns the group of a page; groups are never divided between splits.
        has_format: whether a layout file has the format that is read; called only where it matters.
    """

    def __init__(
        self,
        root: Path,
        lists: Mapping[Split, str],
        ratios: Sequence[float],
        seed: int,
        get_group: Callable[[Path], str],
        has_format: Callable[[Path], bool],
    ) -> None:
        self.root, self.lists, self.ratios, self.seed = root, dict(lists), tuple(ratios), seed
        self._get_group, self._has_format = get_group, has_format

    def find_pages(self, split: Split) -> list[PageEntry]:
        """Return the layout files of a split, in the order of their paths or of the list.

        Raises:
            DataError: the root or a list is missing, there are no XML files, a page is in two lists, its name is
                ambiguous, or pages are outside the folders that define the splits.
        """
        check_root(self.root, "your pages")
        if self.lists:
            return self._listed_pages.get(split, [])
        if not self._layouts:
            remedy = "set it to the folder of your pages"
            raise DataError(
                "there are no XML files in this folder",
                key="dataset.root",
                value=self.root,
                remedy=remedy,
                kind="empty",
            )
        by_folder = self._split_by_folder
        if by_folder:
            return [path for path, page_split in by_folder.items() if page_split == split]
        split_of = assign_splits((self._get_group(path) for path in self._layouts), self.ratios, self.seed)
        return [path for path in self._layouts if split_of[self._get_group(path)] == split]

    @functools.cached_property
    def _layouts(self) -> list[Path]:
        return list(find_files(self.root, (".xml",)))

    @functools.cached_property
    def _split_by_folder(self) -> dict[Path, Split]:
        """The split of each page by its topmost folder; empty if no folder is named after a split."""
        parts_of = {path: path.relative_to(self.root).parts for path in self._layouts}
        folder_split = {path: parse_split(parts[0]) if len(parts) > 1 else None for path, parts in parts_of.items()}
        if not any(folder_split.values()):
            return {}
        outside = [path for path, split in folder_split.items() if split is None and self._has_format(path)]
        if outside:
            raise DataError(
                f"{len(outside)} of the pages, such as {outside[0]}, are outside the folders train, val and test, "
                "which contain the others",
                file=self.root,
                remedy="move or remove them, or set dataset.train, dataset.val and dataset.test",
            )
        return {path: split for path, split in folder_split.items() if split is not None}

    @functools.cached_property
    def _listed_pages(self) -> dict[Split, list[PageEntry]]:
        """The pages of every list.

        Raises:
            DataError: a page is in two lists.
        """
        pages = {split: self._read_list(self.root / name, split) for split, name in self.lists.items()}
        split_of: dict[Path, Split] = {}
        for split, entries in pages.items():
            for path in (entry for entry in entries if isinstance(entry, Path)):
                other = split_of.setdefault(path, split)
                if other != split:
                    problem = f"the page is in both dataset.{other} and dataset.{split}"
                    raise DataError(problem, file=path, remedy="remove it from one of them")
        return pages

    def _read_list(self, path: Path, split: Split) -> list[PageEntry]:
        if path.is_dir():
            return list(find_files(path, (".xml",)))
        remedy = "set it to a folder, or to a text file with names of pages"
        rows = read_text_file(path, key=f"dataset.{split}", remedy=remedy).splitlines()
        return [self._find_page(name, path) for name in dict.fromkeys(_normalize_name(row) for row in rows) if name]

    def _find_page(self, name: str, list_file: Path) -> PageEntry:
        """Find the layout file of a page in a list."""
        path_in_list = PurePosixPath(name)
        path_in_list = path_in_list.with_suffix("") if path_in_list.name not in ("", "..") else path_in_list
        for key in (name, path_in_list.as_posix()):
            paths = self._layouts_by_name.get(key, [])
            readable = [path for path in paths if self._has_format(path)] if len(paths) > 1 else paths
            if len(readable) > 1:
                problem = f"the page {name} could be {readable[0]} or {readable[1]}"
                raise DataError(problem, file=list_file, remedy="write it with its folders", kind="ambiguous")
            if readable:
                return readable[0]
        problem, remedy = f"the page {name} has no XML file in {self.root}", "add it, or remove it from the list"
        return Line(name, UnusableImage(str(DataError(problem, file=list_file, remedy=remedy))), "")

    @functools.cached_property
    def _layouts_by_name(self) -> dict[str, list[Path]]:
        """Layout files by their path without suffix, and by their stem."""
        index: dict[str, list[Path]] = {}
        for path in self._layouts:
            path_name = _normalize_name(path.relative_to(self.root).with_suffix("").as_posix())
            for key in dict.fromkeys((path_name, _normalize_name(path.stem))):
                index.setdefault(key, []).append(path)
        return index


def _normalize_name(name: str) -> str:
    """Return the form in which lists and file systems agree on a name."""
    return unicodedata.normalize("NFC", name.strip())
