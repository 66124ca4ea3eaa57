"""The pages of each split: from lists, from folders, or by ratios."""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.data_files import check_file_names, check_root, find_files, read_text_file
from htr_lightning.data.sources.splits import assign_splits, parse_split
from htr_lightning.image.files import DataError
from htr_lightning.image.folder import normalize_name, search_folder
from htr_lightning.image.line_image import UnusableImage
from htr_lightning.layout.xml import read_root_name

log = logging.getLogger(__name__)

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
        root_names: of the layout files; XML files with another root element are put aside before anything is counted
            or divided.
        title: of the format of the layout files.
    """

    def __init__(
        self,
        root: Path,
        lists: Mapping[Split, str],
        ratios: Sequence[float],
        seed: int,
        get_group: Callable[[Path], str],
        root_names: Collection[str],
        title: str,
    ) -> None:
        self.root, self.lists, self.ratios, self.seed = root, dict(lists), tuple(ratios), seed
        self._get_group, self._root_names, self._title = get_group, root_names, title

    def find_pages(self, split: Split) -> list[PageEntry]:
        """Return the layout files of a split, in the order of their paths or of the list.

        Raises:
            DataError: the root or a list is missing, there are no XML files of the format, a page is in two lists, its
                name is ambiguous, or pages are outside the folders that define the splits.
        """
        check_root(self.root, "your pages")
        if self.lists:
            return self._listed_pages.get(split, [])
        by_folder = self._split_by_folder
        if by_folder:
            return [path for path, page_split in by_folder.items() if page_split == split]
        split_of = assign_splits((self._get_group(path) for path in self._layouts), self.ratios, self.seed)
        return [path for path in self._layouts if split_of[self._get_group(path)] == split]

    @functools.cached_property
    def _layouts(self) -> list[Path]:
        content = search_folder(self.root, (".xml",))
        if not content.files:
            problem, remedy = "there are no XML files in this folder", "set it to the folder of your pages"
            raise DataError(problem, key="dataset.root", value=self.root, remedy=remedy, kind="empty")
        return self._put_others_aside(list(check_file_names(content.files)), self.root)

    def _put_others_aside(self, paths: list[Path], folder: Path) -> list[Path]:
        """Return the XML files that have the format, or are damaged, which is reported later; name the others.

        Raises:
            DataError: there are others only.
        """
        kept, others = [], Counter[str]()
        for path in paths:
            name = read_root_name(path)
            if name in ("", *self._root_names):
                kept.append(path)
            else:
                others[name] += 1
        names = ", ".join(f"{name} ({count})" for name, count in others.items())
        if others and not kept:
            raise DataError(
                f"none of the {len(paths)} XML files is {self._title}; their root elements are {names}",
                file=folder,
                remedy="set dataset=alto if it is alto, or dataset=page_xml if it is PcGts",
                kind="format",
            )
        if set(others) - {"mets"}:  # which is part of every export
            log.warning("%s: ignored XML files that are not %s: %s", folder, self._title, names)
        return kept

    @functools.cached_property
    def _split_by_folder(self) -> dict[Path, Split]:
        """The split of each page by its topmost folder; empty if no folder is named after a split."""
        parts_of = {path: path.relative_to(self.root).parts for path in self._layouts}
        folder_split = {path: parse_split(parts[0]) if len(parts) > 1 else None for path, parts in parts_of.items()}
        if not any(folder_split.values()):
            return {}
        outside = [path for path, split in folder_split.items() if split is None]
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
            return [*self._put_others_aside(list(find_files(path, (".xml",))), path)]
        remedy = "set it to a folder, or to a text file with names of pages"
        rows = read_text_file(path, key=f"dataset.{split}", remedy=remedy).splitlines()
        names: dict[str, str] = {}
        for row in rows:
            names.setdefault(normalize_name(row.strip()), row.strip())
        return [self._find_page(name, path) for name in names.values() if name]

    def _find_page(self, name: str, list_file: Path) -> PageEntry:
        """Find the layout file of a page in a list."""
        path_in_list = PurePosixPath(name.replace("\\", "/"))
        path_in_list = path_in_list.with_suffix("") if path_in_list.name not in ("", "..") else path_in_list
        for key in (name, path_in_list.as_posix()):
            paths = self._layouts_by_name.get(normalize_name(key), [])
            if len(paths) > 1:
                problem = f"the page {name} could be {paths[0]} or {paths[1]}"
                raise DataError(problem, file=list_file, remedy="write it with its folders", kind="ambiguous")
            if paths:
                return paths[0]
        problem, remedy = f"the page {name} has no XML file in {self.root}", "add it, or remove it from the list"
        return Line(name, UnusableImage(str(DataError(problem, file=list_file, remedy=remedy))), "")

    @functools.cached_property
    def _layouts_by_name(self) -> dict[str, list[Path]]:
        """Layout files by their path without suffix, and by their stem."""
        index: dict[str, list[Path]] = {}
        for path in self._layouts:
            path_name = normalize_name(path.relative_to(self.root).with_suffix("").as_posix())
            for key in dict.fromkeys((path_name, normalize_name(path.stem))):
                index.setdefault(key, []).append(path)
        return index
