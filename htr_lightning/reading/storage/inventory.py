"""What is in remote folders, by the local paths that the files get when they are downloaded."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from htr_lightning.image.folder import FolderContent, normalize_name
from htr_lightning.image.paths import PathPairs
from htr_lightning.image.scan import DOCUMENT_SUFFIXES, SCAN_SUFFIXES, take_scans
from htr_lightning.reading.page_jobs import LAYOUT_FOLDERS
from htr_lightning.reading.records.file_states import FileState, FileStates, Fingerprint
from htr_lightning.reading.storage.places import Url
from htr_lightning.reading.storage.stage import Stage, is_safe

_LAYOUT = re.compile(r"(.+?)(\.alto|\.page)?\.xml", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"_\d{1,4}$")
_RESULT = re.compile(r"(.+)_\d{4,}(?:_left|_right)?\.", re.DOTALL)
_PARTS = re.compile(r"\.(.+)\.pdf-pages", re.DOTALL)


class Inventory(FileStates):
    """The files of remote folders. Files outside the stage are looked up on the disk.

    Args:
        stage: where the files get.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.files: dict[str, FileState] = {}
        self._layouts: dict[tuple[str, str, bool], list[str]] | None = None
        self._documents: dict[tuple[str, str], list[str]] | None = None

    def add_folder(self, url: Url, *, recursive: bool = True) -> tuple[list[Path], list[Path]]:
        """List a folder, and return its files, and those whose names no local file can have.

        Raises:
            DataError: it cannot be listed.
        """
        root = self.stage.localize(url)
        added: list[Path] = []
        passed_over: list[Path] = []
        for name, state in self.stage.get_store(url).list_folder(url, recursive=recursive).items():
            parts = name.split("/")
            if is_safe(parts):
                added.append(root.joinpath(*parts))
                self.files[str(added[-1])] = state
            else:
                passed_over.append(root / re.sub(r"[/\0]+", "_", name))
        self._layouts = self._documents = None
        return added, passed_over

    def find_scans(self, url: Url, report: Callable[[str], None]) -> PathPairs:
        """Search a folder for scans; see `htr_lightning.image.scan.find_scan_files`.

        Raises:
            DataError: it holds no scan, or cannot be listed.
        """
        root = self.stage.localize(url)
        content = FolderContent()
        paths, unnamed = self.add_folder(url)
        for path in unnamed:
            content.pass_over("no local file can have these names", path)
        for path in sorted(paths):
            if not any(part.startswith(".") for part in path.relative_to(root).parts):
                content.add(path, SCAN_SUFFIXES)
        scans = take_scans(content, root)
        for sentence in content.describe_passed_over(root):
            report(sentence)
        return scans

    def find_layouts(self, image: Path) -> list[str]:
        """Return files that may be the layout of an image, or those of the pages of a document."""
        if self._layouts is None:
            self._layouts = _sort_layouts(self.files)
        folder, stem, is_document = str(image.parent), normalize_name(image.stem), is_document_file(image)
        numbered = self._layouts.get((folder, stem, True), []) if is_document else []
        return [*self._layouts.get((folder, stem, False), []), *numbered]

    def find_pages(self, folder: Path, stem: str) -> list[str]:
        """Return the results of the pages of a document, by its folder of results and its name."""
        if self._documents is None:
            self._documents = _sort_results(self.files)
        return self._documents.get((str(folder), stem), [])

    def exists(self, path: Path) -> bool:
        """Return whether there is a file, here or in remote storage."""
        return str(path) in self.files or (self.stage.find_url(path) is None and super().exists(path))

    def is_same(self, path: Path, known: Fingerprint) -> bool:
        """Return whether a file has the size and time of a record, without downloading it."""
        state = self.files.get(str(path))
        if state is None:
            return super().is_same(path, known)
        return state[:1] == known[:1] and (not state[1] or state == known[:2])

    def is_unedited(self, path: Path, known: Fingerprint) -> bool:
        """Return whether a result has the size of a record; its time in storage is not that of its making."""
        state = self.files.get(str(path))
        return super().is_unedited(path, known) if state is None else state[:1] == known[:1]


def is_document_file(path: Path) -> bool:
    """Return whether a file may have several pages, by its name."""
    return path.suffix.lower() in DOCUMENT_SUFFIXES


def _sort_layouts(files: dict[str, FileState]) -> dict[tuple[str, str, bool], list[str]]:
    """Return XML files by the folder and the name of their images, and whether they are of one page of a document."""
    layouts: dict[tuple[str, str, bool], list[str]] = {}
    for path in files:
        folder, _, name = path.rpartition(os.sep)
        if (match := _LAYOUT.fullmatch(name)) is None:
            continue
        parent, _, last = folder.rpartition(os.sep)
        folders = [folder, parent] if normalize_name(last) in LAYOUT_FOLDERS else [folder]
        stems = {normalize_name(stem) for stem in (match[1], f"{match[1]}{match[2] or ''}")}
        keys = [(stem, False) for stem in stems] + [
            (stem[: number.start()], True) for stem in stems if (number := _NUMBER.search(stem))
        ]
        for place in folders:
            for stem, is_numbered in keys:
                layouts.setdefault((place, stem, is_numbered), []).append(path)
    return layouts


def _sort_results(files: dict[str, FileState]) -> dict[tuple[str, str], list[str]]:
    """Return files by the folder and the name of the document whose pages they may be results of."""
    results: dict[tuple[str, str], list[str]] = {}
    for path in files:
        folder, _, name = path.rpartition(os.sep)
        parent, _, last = folder.rpartition(os.sep)
        if match := _PARTS.fullmatch(last):
            results.setdefault((parent, match[1]), []).append(path)
        elif match := _RESULT.match(name):
            results.setdefault((folder, match[1]), []).append(path)
    return results
