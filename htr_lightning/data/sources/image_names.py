"""Names of images in tables and layouts: rewriting them, and answering those that are not found."""

import difflib
import functools
import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from htr_lightning.data.sources.markup import compile_replacement
from htr_lightning.image.files import IMAGE_SUFFIXES
from htr_lightning.image.folder import normalize_name, search_folder
from htr_lightning.text import format_count

log = logging.getLogger(__name__)
IMAGE_KINDS = ("", ".nrm", ".bin", ".dew")
"""What OCRopus and Calamari write between stem and suffix of an image: nothing, gray, binary, straightened."""
_MAX_COMPARED = 5  # missing names that are compared with all others, which is slow
_MAX_SENTENCES = 4


class ImageNames:
    r"""The setting ``dataset.image_names``.

    Args:
        pairs: of a regular expression and its replacement, applied one after the other to the name of each image as
            the data has it: ``[['\.tif$', '.jpg']]`` for scans that were converted, ``[['^', 'scans/']]`` for images
            in a folder.

    Raises:
        DataError: an expression is invalid.
    """

    def __init__(self, pairs: Sequence[Sequence[str]] = ()) -> None:
        self._pairs = [compile_replacement(pair, "image_names") for pair in pairs]

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def apply(self, name: str) -> str:
        """Return the name to search for."""
        for pattern, replacement in self._pairs:
            name = pattern.sub(replacement, name)
        return name


class MissingImages:
    """Images that were not found; reports them by kind, each with the nearest name that exists.

    Args:
        root: the folder that is searched for names.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """Remember a name that was not found."""
        self._names[name] = None

    def report(self, split: str) -> None:
        """Log one sentence for each kind of difference between the missing names and the nearest ones; forget them."""
        kinds: dict[str, list[tuple[str, str]]] = {}
        num_compared, difference = 0, ""
        for name in self._names:
            found = self._find_by_name(name)
            if not found and num_compared >= _MAX_COMPARED:  # taken to be of the same kind as the last one
                kinds[difference].append((name, found))
                continue
            if not found:
                num_compared += 1
                found = self._find_similar(name)
                difference = _describe_difference(name, found)
            kinds.setdefault(_describe_difference(name, found), []).append((name, found))
        for remedy, pairs in list(kinds.items())[:_MAX_SENTENCES]:
            name, found = pairs[0]
            answer = f"did you mean {found}? {remedy}" if found else remedy
            number = format_count(len(pairs), "image")
            log.warning("%s: %s of %s not found, such as %s; %s", self.root, number, split, name[:200], answer)
        self._names = {}

    @functools.cached_property
    def _index(self) -> dict[str, list[str]]:
        """The images by their normalized name, and by their stem."""
        index: dict[str, list[str]] = {}
        for path in search_folder(self.root, IMAGE_SUFFIXES).files if self.root.is_dir() else ():
            name = path.relative_to(self.root).as_posix()
            for key in dict.fromkeys((normalize_name(path.name), normalize_name(path.stem))):
                index.setdefault(key, []).append(name)
        return index

    def _find_by_name(self, name: str) -> str:
        """Return an image of that name or stem in any folder, the one with the most folders in common."""
        path = PurePosixPath(name.replace("\\", "/"))
        for key in (path.name, path.stem, path.stem.split(".")[0]):
            found = self._index.get(normalize_name(key), [])
            if found:
                return max(found, key=lambda other: len(set(PurePosixPath(other).parts) & set(path.parts)))
        return ""

    def _find_similar(self, name: str) -> str:
        key = normalize_name(PurePosixPath(name.replace("\\", "/")).stem)
        keys = difflib.get_close_matches(key, list(self._index)[:20_000], 1, 0.75)
        return self._index[keys[0]][0] if keys else ""


def _describe_difference(name: str, found: str) -> str:
    """Return what differs, and how to settle it for all names; the same for all names that differ in the same way."""
    if not found:
        return "no image has a similar name; check dataset.root and the names"
    wanted, there = PurePosixPath(name.replace("\\", "/")), PurePosixPath(found)
    if wanted.stem == there.stem and wanted.parent == there.parent:
        pair = f"\\{wanted.suffix}$" if wanted.suffix else "$", there.suffix
        return f"Set dataset.image_names=[['{pair[0]}', '{pair[1]}']]"
    if wanted.name == there.name:
        old = "" if str(wanted.parent) == "." else f"{re.escape(str(wanted.parent))}/"
        new = "" if str(there.parent) == "." else f"{there.parent}/"
        return f"Set dataset.image_names=[['^{old}', '{new}']]"
    return "Correct the names, or set dataset.image_names, pairs of a regular expression and its replacement"


def warn_passed_over(sentences: Iterable[str]) -> None:
    """Log what a search passed over."""
    for sentence in sentences:
        log.warning("%s", sentence)
