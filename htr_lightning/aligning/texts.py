"""The texts of pages: a file for each, or one file of all pages with page breaks."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from htr_lightning.data.sources.data_files import read_text_file
from htr_lightning.image.files import DataError
from htr_lightning.image.folder import FileFinder, search_folder
from htr_lightning.image.scan import Scan
from htr_lightning.text import format_count

MARKER = re.compile(r"^[ \t]*===[ \t]*(?:(\S.*?)[ \t]*===[ \t]*)?$", re.MULTILINE)
"""A line that begins a page: ``===`` or ``=== NAME ===``."""
SUFFIXES = (".txt", ".gt.txt")
_REMEDY = "name the text file of a page, or the folder of them"
_MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page.

    Attributes:
        name: the file, with the page in it.
        read: returns the text; raises a `DataError` if the file cannot be read.
    """

    name: str
    read: Callable[[], str]


def find_page_texts(
    path: Path, scans: Sequence[Scan], folders: Sequence[Path], report: Callable[[str], None]
) -> list[PageText | None]:
    """Find the text of each page.

    Args:
        path: a folder of text files with the names of the pages (``NAME.txt``, or ``NAME.gt.txt``; ``book_0002.txt``
            for page 2 of ``book.pdf``), structured as the scans or not; or one file with the texts of all pages.
        scans: the pages.
        folders: the folder of each scan, relative to the searched folder.
        report: called with a sentence about pages without text, and one about texts without page.

    Returns:
        A text, or None, for each page.

    Raises:
        DataError: there is no text of any page, or the file has another number of pages.
    """
    if path.is_dir():
        texts, unused = _find_files(path, scans, folders)
    else:
        texts, unused = _split_file(path, scans)
    missing = [scan.name for scan, text in zip(scans, texts, strict=True) if text is None]
    if len(missing) == len(texts):
        problem = f"none of the texts has the name of a page, such as {scans[0].stem}.txt"
        raise DataError(problem, file=path, remedy="rename them as the scans", kind="missing")
    if missing:
        report(f"{format_count(len(missing), 'page')} without text in {path}: {_list_names(missing)}")
    if unused:
        report(f"{format_count(len(unused), 'text')} without page: {_list_names(unused)}")
    return texts


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _find_files(root: Path, scans: Sequence[Scan], folders: Sequence[Path]) -> tuple[list[PageText | None], list[str]]:
    """Return the file of each page, and the names of the other text files."""
    finder, texts, used = FileFinder(), [], set()
    for scan, folder in zip(scans, folders, strict=True):
        path = _find_file(root, scan, folder, finder)
        texts.append(None if path is None else PageText(str(path), _read_later(path)))
        if path is not None:
            used.add(path.resolve())
    files = search_folder(root, (".txt",)).files
    return texts, [str(path) for path in files if path.resolve() not in used]


def _find_file(root: Path, scan: Scan, folder: Path, finder: FileFinder) -> Path | None:
    stems = [scan.path.stem]
    if scan.number is not None:
        stems = [f"{scan.path.stem}_{scan.number:0{digits}}" for digits in (4, 1, 3, 2)]
    for place in dict.fromkeys((root / folder, root)):
        for stem in stems:
            for suffix in SUFFIXES:
                path = finder.find(place, stem + suffix)
                if path is not None and path.is_file():
                    return path
    return None


def _read_later(path: Path) -> Callable[[], str]:
    return lambda: read_text_file(path, remedy=_REMEDY)


def _split_file(path: Path, scans: Sequence[Scan]) -> tuple[list[PageText | None], list[str]]:
    """Return the part of each page, and the names of the pages of the file that are not there.

    Raises:
        DataError: the file cannot be read, or has another number of pages.
    """
    names, parts = split_pages(read_text_file(path, remedy=_REMEDY))
    if any(names):
        by_name = dict(zip(names, parts, strict=True))
        chosen = [next((n for n in (scan.stem, scan.path.name) if n in by_name), None) for scan in scans]
        texts = [None if n is None else _give_part(path, f"page {n}", by_name[n]) for n in chosen]
        return texts, [f"{path}, page {name or '(without name)'}" for name in names if name not in chosen]
    if len(parts) != len(scans):
        count, pages = format_count(len(parts), "text"), format_count(len(scans), "page")
        raise DataError(
            f"the file has {count}, divided by page breaks, but there are {pages}",
            file=path,
            remedy="put a form feed, or a line === NAME === with the name of its scan, before the text of each page",
            kind="page_breaks",
        )
    return [_give_part(path, f"text {number}", part) for number, part in enumerate(parts, 1)], []


def _give_part(path: Path, name: str, part: str) -> PageText:
    return PageText(f"{path}, {name}", lambda: part)


def split_pages(text: str) -> tuple[list[str], list[str]]:
    """Split the text of a document into its pages, at form feeds and at lines ``===`` or ``=== NAME ===``.

    Returns:
        The name of each page, empty without one, and its text. What precedes the first line ``===`` is a page only if
        it is not empty.
    """
    names, parts = [], []
    for number, chunk in enumerate(text.split("\f")):
        pieces = MARKER.split(chunk)
        if pieces[0].strip() or (len(pieces) == 1 and (number or "\f" in text)) or not MARKER.search(text):
            names.append("")
            parts.append(pieces[0])
        names += [name or "" for name in pieces[1::2]]
        parts += pieces[2::2]
    if len(parts) > 1 and not parts[-1].strip() and not names[-1]:  # some programs write a page break after each page
        del names[-1], parts[-1]
    return names, parts
