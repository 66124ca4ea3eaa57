"""Finding the image of a page: by the name in its layout file, next to the layout file, or by its stem."""

import functools
import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from htr_lightning.data.sources.data_files import find_files
from htr_lightning.data.sources.image_names import IMAGE_KINDS, ImageNames, MissingImages
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError
from htr_lightning.image.folder import is_file, normalize_name
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.scan import DOCUMENT_SUFFIXES, SCAN_SUFFIXES, Scan, choose_page
from htr_lightning.layout.page import Page


class PageImages:
    """The images in a folder and its subfolders.

    Args:
        root: the folder. `find` returns no path outside it; symbolic links inside it are followed, since large scans
            are often linked.
        names: rewrites the image names of layout files, or the stem of a layout file that names none.
    """

    def __init__(self, root: Path, names: ImageNames | None = None) -> None:
        self.root, self._names, self.missing = root, names or ImageNames(), MissingImages(root)

    def find(self, layout: Path, name: str) -> Path:
        """Find the image of a page.

        The first match of:

        1. the path in the layout file, relative to the layout's folder, then to the root;
        2. a file of that name, or else of that stem, in the folder nearest to the layout file;
        3. a file with the layout's own stem, likewise, or one that OCRopus or Calamari derived from it.

        Args:
            layout: the layout file.
            name: the image name in the layout file, with or without folders, in POSIX or Windows style; may be empty.

        Raises:
            DataError: there is no match, or several equally near; names the layout file.
        """
        if self._names:
            name = self._names.apply(name or layout.stem)
        path_in_layout = PurePosixPath(PureWindowsPath(name).as_posix() if "\\" in name else name)
        if name:
            for folder in (layout.parent, self.root):
                path = Path(os.path.normpath(folder / path_in_layout))
                if self._contains(path) and is_file(path):
                    return path
        own_stem = layout.stem.removesuffix(".alto").removesuffix(".page")
        kinds = [f"{stem}{kind}" for stem in (path_in_layout.stem, own_stem) if stem for kind in IMAGE_KINDS]
        stems = [path_in_layout.stem, layout.stem, own_stem]
        if path_in_layout.suffix.lower() in DOCUMENT_SUFFIXES:  # book_0002.png, drawn from book.pdf
            stems = [layout.stem, own_stem, path_in_layout.stem]
        for key in (path_in_layout.name, *stems, *kinds):
            candidates = self._index.get(normalize_name(key), []) if key else []
            if candidates:
                return self._choose_nearest(candidates, layout)
        self.missing.add(name or layout.stem)
        wanted = f"named {name[:100]!r}" if name else f"with the same name ({layout.stem})"
        outside = " (its path leads out of this folder)" if self._is_outside(layout, name) else ""
        raise DataError(
            f"there is no image {wanted} in {self.root}{outside}",
            file=layout,
            remedy="put it there, or set dataset.images (of alto, page_xml and rimes) to the folder of the page images",
            kind="missing",
        )

    def find_page(self, page: Page) -> ImageFile | Scan:
        """Find the image of a page, or its document and which of its pages it is.

        Raises:
            DataError: see `find` and `htr_lightning.image.scan.choose_page`.
        """
        return choose_page(self.find(page.path, page.image_name), page.number, page.path)

    @functools.cached_property
    def _index(self) -> dict[str, list[Path]]:
        """The images by name and by stem, both normalized."""
        index: dict[str, list[Path]] = {}
        for path in find_files(self.root, SCAN_SUFFIXES):
            index.setdefault(normalize_name(path.name), []).append(path)
            if path.suffix.lower() in IMAGE_SUFFIXES:
                index.setdefault(normalize_name(path.stem), []).append(path)
        return index

    def _choose_nearest(self, paths: list[Path], layout: Path) -> Path:
        """Return the image whose folder is the fewest steps away from that of the layout file."""

        def distance(path: Path) -> int:
            try:
                common = len(Path(os.path.commonpath([path.absolute(), layout.absolute()])).parts)
            except ValueError:  # on different drives
                common = 0
            return len(path.absolute().parts) + len(layout.absolute().parts) - 2 * common

        first, *others = sorted(paths, key=lambda path: (distance(path), path.as_posix()))
        if others and distance(others[0]) == distance(first):
            raise DataError(
                f"its image could be {first} or {others[0]}",
                file=layout,
                remedy="set dataset.images to the folder of the right images",
                kind="ambiguous",
            )
        return first

    def _contains(self, path: Path) -> bool:
        return path.absolute().is_relative_to(os.path.normpath(self.root.absolute()))

    def _is_outside(self, layout: Path, name: str) -> bool:
        return bool(name) and not self._contains(Path(os.path.normpath(layout.parent / name)))
