"""What reading a folder consists of: its pages, and for each the layout to use and the files to write."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from htr_lightning.device import Shard
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError
from htr_lightning.image.folder import FileFinder
from htr_lightning.image.paths import PathPairs, get_folder
from htr_lightning.image.scan import OVERLAY_SUFFIX, Scan, find_scan_files, list_scans, read_image_size
from htr_lightning.layout.formats import is_layout_file
from htr_lightning.reading.line_formats import FORMATS
from htr_lightning.reading.write.writers import PAGE_WRITERS
from htr_lightning.text import format_count

log = logging.getLogger(__name__)
_SIDES = ("left", "right")
_JPEG_SUFFIXES = (".jpg", ".jpeg")
LAYOUT_FOLDERS = ("alto", "page")
_LAYOUT_FILES = ("{}.xml", "{}.alto.xml", "{}.page.xml", *(f"{name}/{{}}.xml" for name in LAYOUT_FOLDERS))
_MIN_PAGE_HEIGHT_PX, _MAX_PAGE_ASPECT = 600, 3.0  # of an image that counts as a page; aspect is width / height


@dataclass(frozen=True, slots=True)
class PageJob:
    """A page to read.

    Attributes:
        scan: the page.
        outputs: format -> file. For a page of a document, the file for ``pdf`` is one part of ``document``.
        document: the PDF of the whole document, joined from the parts of its pages.
        overlay: the file of the picture with the predictions; None if none is wanted.
        layout: the ALTO or PAGE file with the lines; None to segment the page.
        image: the file that the image of the page is written to; None if it is not wanted.
        halves: left and right half, in case that it is a double page; None if double pages are not split.
        folder: that the files are written to.
        extra: further files, whose contents the result of the page holds.
        side: ``left`` or ``right`` for a half of a double page; empty for a page.
        document_pages: number of pages of its document; 0 for an image of one page.
    """

    scan: Scan
    outputs: dict[str, Path]
    document: Path | None = None
    overlay: Path | None = None
    layout: Path | None = None
    image: Path | None = None
    halves: tuple["PageJob", "PageJob"] | None = None
    folder: Path = Path()
    extra: tuple[Path, ...] = ()
    side: str = ""
    document_pages: int = 0

    @property
    def stem(self) -> str:
        """Name of the result files, without suffix."""
        return f"{self.scan.stem}_{self.side}" if self.side else self.scan.stem

    @property
    def files(self) -> list[Path]:
        """The files to write, those of its halves not included."""
        return [*self.outputs.values(), *filter(None, [self.overlay, self.image]), *self.extra]

    def is_done(self, exists: Callable[[Path], bool] = Path.is_file) -> bool:
        """Return whether all files exist, or all of both halves.

        Args:
            exists: tells whether a file does.
        """
        if self.halves is not None and all(half.is_done(exists) for half in self.halves):
            return True
        has_document = self.document is not None and exists(self.document)
        part = self.outputs.get("pdf") if has_document else None
        return all(exists(path) for path in self.files if path != part)

    def split(self) -> "PageJob":
        """Return the same job with images of all pages, and with jobs for the halves of double pages."""
        suffix = self.scan.path.suffix.lower()
        is_copied = self.scan.number is None and not self.scan.frame and suffix in IMAGE_SUFFIXES
        folder, stem = next(iter(self.outputs.values())).parent, self.scan.stem
        halves = []
        for side in _SIDES:
            outputs = {form: folder / f"{stem}_{side}{path.name[len(stem) :]}" for form, path in self.outputs.items()}
            overlay = folder / f"{stem}_{side}{OVERLAY_SUFFIX}" if self.overlay else None
            image = folder / f"{stem}_{side}{'.jpg' if suffix in _JPEG_SUFFIXES else '.png'}"
            half = PageJob(self.scan, outputs, overlay=overlay, image=image, folder=self.folder, side=side)
            halves.append(replace(half, document_pages=self.document_pages))
        image = folder / (self.scan.path.name if is_copied else f"{stem}.png")
        return replace(self, image=image, halves=(halves[0], halves[1]))


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A scan that cannot be opened.

    Attributes:
        error: the reason.
        folder: that its results would be written to.
    """

    error: DataError
    folder: Path


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Which files the results of pages go to, and where their lines come from.

    Attributes:
        out: folder to write into; keeps the structure of the searched folders.
        formats: names of `PAGE_WRITERS`.
        overlay: also write a picture of each page.
        ignore_layouts: segment also the pages that have an ALTO or PAGE file.
        layouts: folder with the ALTO or PAGE files, structured as the searched folders; None to look beside the scans.
        split_pages: write each half of a double page as an image of its own.
    """

    out: Path
    formats: Sequence[str]
    overlay: bool = False
    ignore_layouts: bool = False
    layouts: Path | None = None
    split_pages: bool = False

    def make_jobs(
        self, files: PathPairs, finder: FileFinder | None = None
    ) -> tuple[list[PageJob], dict[Path, UnreadableFile]]:
        """Return the pages of files, and the files that cannot be opened.

        Args:
            files: pairs of a file and its path relative to the folder that was searched.
            finder: to list each folder once for many calls.
        """
        jobs: list[PageJob] = []
        unreadable: dict[Path, UnreadableFile] = {}
        finder = finder or FileFinder()
        last: tuple[str, str] | None = None
        for file, relative in zip(*files.strings, strict=True):
            folders = get_folder(file), get_folder(relative)
            if folders != last:  # files follow each other by folders
                last, folder = folders, self.out / folders[1]
                layouts = Path(folders[0]) if self.layouts is None else self.layouts / folders[1]
                has_layouts = not self.ignore_layouts and finder.has_suffix(layouts, ".xml", LAYOUT_FOLDERS)
            path = Path(file)
            try:
                pages = list_scans(path)
            except DataError as error:
                unreadable[path] = UnreadableFile(error, folder)
                continue
            for page in pages:
                layout = find_layout(layouts / path.name, finder, page.number) if has_layouts else None
                jobs.append(self.make_job(page, folder, layout, len(pages) if page.number is not None else 0))
        return jobs, unreadable

    def make_job(self, scan: Scan, folder: Path, layout: Path | None = None, document_pages: int = 0) -> PageJob:
        """Return what is to be done for a page.

        Args:
            scan: the page.
            folder: to write into.
            layout: ALTO or PAGE file with its lines; None to segment it.
            document_pages: see `PageJob`.
        """
        outputs = {form: folder / f"{scan.stem}{PAGE_WRITERS[form].suffix}" for form in self.formats}
        document = None
        if "pdf" in self.formats and scan.number is not None:
            document = folder / f"{scan.path.stem}.pdf"
            outputs["pdf"] = folder / f".{scan.path.stem}.pdf-pages" / outputs["pdf"].name
        overlay = folder / f"{scan.stem}{OVERLAY_SUFFIX}" if self.overlay else None
        job = PageJob(scan, outputs, document, overlay, layout, folder=folder, document_pages=document_pages)
        return job.split() if self.split_pages else job


def find_jobs(
    scans: Sequence[Path],
    plan: PagePlan,
    *,
    shard: Shard | None = None,
    keep_folders: bool = False,
    report: Callable[[str], None] = log.warning,
) -> tuple[list[PageJob], dict[Path, UnreadableFile]]:
    """Find the pages in files and folders, and decide which files their predictions go to.

    Args:
        scans: images, documents, or folders to search.
        plan: where the results go, and where the lines come from.
        shard: the part of the files to take; the pages of a document stay together. None for all.
        keep_folders: see `find_scan_files`.
        report: called with a sentence for each kind of pictures that were passed over, and with how many pages have
            an ALTO or PAGE file.

    Returns:
        The pages in order, and the files that cannot be opened.

    Raises:
        DataError: a folder holds no scan, or the folder of layouts no layout of any page.
    """
    files = find_scan_files(scans, report, keep_folders=keep_folders)
    if shard is not None:
        files = PathPairs(shard.take(files))
    jobs, unreadable = plan.make_jobs(files)
    report_layouts(sum(job.layout is not None for job in jobs), len(jobs), plan.layouts, report)
    return jobs, unreadable


def report_layouts(number: int, num_pages: int, layouts: Path | None, report: Callable[[str], None]) -> None:
    """Report how many pages have a layout.

    Args:
        number: of the pages that have one.
        num_pages: of all.
        layouts: folder in which they were looked for; None for beside the scans.
        report: called with the sentence.

    Raises:
        DataError: none has, although their folder was given.
    """
    counted = format_count(number, "page")
    if layouts is not None:
        if not number:
            problem = "there is no ALTO or PAGE file of any of the pages in this folder"
            remedy = "name the folder that the command segment wrote; its files have the names of the scans"
            raise DataError(problem, file=layouts, remedy=remedy, kind="missing")
        report(f"{counted}: lines are taken from {layouts}; those of {num_pages - number} others are detected")
    elif number:
        where = "the ALTO or PAGE file beside it" if number == 1 else "the ALTO or PAGE files beside them"
        report(f"{counted}: lines are taken from {where}; --ignore-layouts detects them in the image instead")


def find_layout(image: Path, finder: FileFinder | None = None, number: int | None = None) -> Path | None:
    """Return the ALTO or PAGE file of an image: beside it, or in a folder ``alto`` or ``page``; None without any.

    That of a page of a document has its number: ``book_0002.xml`` or ``book_2.xml`` for ``book.tif``.

    Args:
        image: the file.
        finder: to list each folder once for many images.
        number: of the page in a document of several pages, from 1; None for an image of one page.
    """
    finder = finder or FileFinder()
    if not finder.has_suffix(image.parent, ".xml", LAYOUT_FOLDERS):
        return None
    stems = [image.stem] if number is None else [f"{image.stem}_{number:0{digits}}" for digits in (4, 1, 3, 2)]
    for pattern in _LAYOUT_FILES:
        for stem in dict.fromkeys(stems):
            path = finder.find(image.parent, pattern.format(stem))
            if path is not None and path.is_file() and is_layout_file(path):
                return path
    return None


def are_pages(paths: Sequence[Path], formats: Sequence[str]) -> bool:
    """Guess whether images show pages or single lines: by the formats to write, else by the shape of the images.

    Raises:
        DataError: some images have the shape of pages, and some that of lines.
    """
    if len(formats) > 1 or set(formats) & (PAGE_WRITERS.keys() - set(FORMATS)):
        return True
    if "tsv" in formats:
        return False
    try:
        files = [file for file, _ in find_scan_files(paths)]
    except DataError:
        return False
    if any(file.suffix.lower() == ".pdf" for file in files):
        return True
    sizes = [size for size in map(read_image_size, files) if size is not None]
    pages = sum(height >= _MIN_PAGE_HEIGHT_PX and width < _MAX_PAGE_ASPECT * height for width, height in sizes)
    if 0 < pages < len(sizes):
        problem = f"{pages} images have the shape of pages and {len(sizes) - pages} that of lines"
        raise DataError(problem, remedy="choose --pages or --lines", kind="mixed")
    return pages > 0
