"""``python -m htr_lightning predict`` on whole pages: find their lines, read them, write what archives use."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htr_lightning.data.line import DataError
from htr_lightning.files import replacing
from htr_lightning.page.scan import Scan, scan_files, scans_of, size_of
from htr_lightning.page.write.outputs import OUTPUTS, join_pdfs

if TYPE_CHECKING:
    from htr_lightning.page.layout import Page
    from htr_lightning.page.reader import CutPage, PageReader
    from htr_lightning.page.reading import ReadPage
    from htr_lightning.page.segment import Segmenter

OVERLAY = ".overlay.jpg"
_LEAST_HEIGHT_PX, _MOST_WIDE = 600, 3.0  # an image is taken for a page if it is so high, and not so much wider
_BESIDE = ("{}.xml", "{}.alto.xml", "{}.page.xml", "alto/{}.xml", "page/{}.xml")  # where layouts are looked for


@dataclass(frozen=True, slots=True)
class Job:
    """A page to read.

    Attributes:
        scan: the page.
        outputs: the file of each format. The PDF of a page in a document is only a part of what is wanted.
        document: the PDF of the whole document, made of such parts.
        overlay: the file of the picture; None where none is wanted.
        layout: the file with its lines; None where they are to be found.
    """

    scan: Scan
    outputs: dict[str, Path]
    document: Path | None = None
    overlay: Path | None = None
    layout: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether everything is written already."""
        whole = self.document is not None and self.document.is_file()
        files = [path for form, path in self.outputs.items() if not (form == "pdf" and whole)]
        return all(path.is_file() for path in [*files, *filter(None, [self.overlay])])


def are_pages(paths: Sequence[Path], formats: Sequence[str]) -> bool:
    """Guess whether images are pages or lines: by what is to be written, and else by the form of the first."""
    if len(formats) > 1 or set(formats) & {"alto", "page", "hocr", "pdf"}:
        return True
    if "tsv" in formats:
        return False
    try:
        files = [file for file, _ in scan_files(paths)]
    except DataError:
        return False
    if any(file.suffix.lower() == ".pdf" for file in files):
        return True
    sizes = (size_of(file) for file in files)
    width, height = next((size for size in sizes if size is not None), (0, 0))
    return height >= _LEAST_HEIGHT_PX and width < _MOST_WIDE * height


def read_pages(options: argparse.Namespace, formats: Sequence[str], reader: "PageReader") -> None:
    """Read pages and write what was asked for; pages that are done are passed over.

    Args:
        options: the command line.
        formats: what to write, of `OUTPUTS`.
        reader: of pages.

    Raises:
        SystemExit: 1 when a page could not be read (the others still are); or nothing can be written, or two pages
            would be written to one file.
    """
    from htr_lightning.progress import progress_bar

    jobs, problems = jobs_of(options, formats)
    waiting = [job for job in jobs if options.again or options.out is None or not job.is_done]
    if len(waiting) < len(jobs):
        print(f"{len(jobs) - len(waiting)} of {len(jobs)} pages are there already; --again reads them anew",
              file=sys.stderr)  # fmt: skip
    num_pages = num_lines = 0
    for ((job, cut),) in progress_bar(([step] for step in _cut_ahead(waiting, reader)), len(waiting), "Reading pages"):
        if isinstance(cut, DataError):
            problems.append(str(cut))
            print(cut, file=sys.stderr)
            continue
        page = reader.recognise(cut)
        for note in [*page.notes, *(f"line {line.id}: {line.problem}" for line in page.lines if line.problem)]:
            print(f"{job.scan.name}: {note}", file=sys.stderr)
        _write(job, page, cut.layout, options.out)
        num_pages, num_lines = num_pages + 1, num_lines + len(page.lines)
    if options.out is not None:
        _join_documents(jobs)
    if options.out is not None and waiting:
        print(f"{options.out}: {num_pages} pages with {num_lines} lines read", file=sys.stderr)
    if problems:
        raise SystemExit(1)


def jobs_of(options: argparse.Namespace, formats: Sequence[str]) -> tuple[list[Job], list[str]]:
    """Return what there is to do, and what is wrong with files that cannot be opened; each was printed.

    Raises:
        SystemExit: an output folder cannot be made, or a file would be written twice or over what is read.
    """
    jobs: list[Job] = []
    problems: list[str] = []
    try:
        files = scan_files(options.images)
    except DataError as error:
        raise SystemExit(str(error)) from None
    for file, relative in files:
        try:
            scans = scans_of(file)
        except DataError as error:
            problems.append(str(error))
            print(error, file=sys.stderr)
            continue
        folder = (options.out or Path()) / relative.parent
        layout = None if options.find_lines or scans[0].number is not None else layout_beside(file)
        jobs += [_job(scan, folder, formats, options.overlay, layout) for scan in scans]
    if options.out is not None:
        _check_targets(jobs, options.out)
    return jobs, problems


def layout_beside(image: Path) -> Path | None:
    """Return the ALTO or PAGE file of an image: beside it or in a folder ``alto`` or ``page``; None without any."""
    from htr_lightning.page.formats import matches

    for pattern in _BESIDE:
        path = image.parent / pattern.format(image.stem)
        if path.is_file() and matches(path):
            return path
    return None


def _job(scan: Scan, folder: Path, formats: Sequence[str], overlay: bool, layout: Path | None) -> Job:
    outputs = {form: folder / f"{scan.stem}{OUTPUTS[form].suffix}" for form in formats}
    document = None
    if "pdf" in formats and scan.number is not None:
        document = folder / f"{scan.path.stem}.pdf"
        outputs["pdf"] = folder / f".{scan.path.stem}.pdf-pages" / outputs["pdf"].name
    return Job(scan, outputs, document, folder / f"{scan.stem}{OVERLAY}" if overlay else None, layout)


def _check_targets(jobs: Sequence[Job], out: Path) -> None:
    """Make the folders, and refuse what would be lost.

    Raises:
        SystemExit: see `jobs_of`.
    """
    taken: dict[Path, str] = {}
    read = {path.resolve() for job in jobs for path in (job.scan.path, job.layout) if path is not None}
    for job in jobs:
        for path in [*job.outputs.values(), *filter(None, [job.overlay])]:
            if path in taken:
                raise SystemExit(f"{taken[path]} and {job.scan.name} would both be written to {path}; rename one")
            taken[path] = job.scan.name
        targets = {path.resolve() for path in [*job.outputs.values(), *filter(None, [job.document])]}
        if lost := targets & read:
            raise SystemExit(f"--out {out}: {lost.pop()} is read and would be written over; name another folder")
    for folder in {path.parent for path in taken} | {out}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(folder / "writable"):
                raise InterruptedError
        except InterruptedError:
            pass
        except OSError as error:
            raise SystemExit(f"--out {folder}: cannot be written ({error.strerror}); name another folder") from None


def _cut_ahead(jobs: Sequence[Job], reader: "PageReader") -> Iterator[tuple[Job, "CutPage | DataError"]]:
    """Yield pages with their lines cut out, the next page in another thread while one is read."""

    def cut(job: Job) -> "CutPage | DataError":
        from htr_lightning.page.formats import read_page

        try:
            return reader.cut(job.scan, None if job.layout is None else read_page(job.layout))
        except DataError as error:
            return error

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(cut, jobs[0]) if jobs else None
        for number, job in enumerate(jobs):
            assert ahead is not None
            page = ahead.result()
            ahead = pool.submit(cut, jobs[number + 1]) if number + 1 < len(jobs) else None
            yield job, page


def _write(job: Job, page: "ReadPage", layout: "Page | None", out: Path | None) -> None:
    """Write a page in every format, or print it.

    Raises:
        SystemExit: it cannot be written.
    """
    from htr_lightning.page.formats import format_of
    from htr_lightning.page.write.rewrite import rewrite

    given = None if layout is None else {"alto": "alto", "page_xml": "page"}[format_of(layout.path)]
    try:
        for form, path in job.outputs.items():
            if layout is not None and form == given:
                content = rewrite(layout.path, {line.id: line for line in page.lines}, (page.width_px, page.height_px))
            else:
                content = OUTPUTS[form].write(page, datetime.now(UTC))
            if out is None:
                sys.stdout.write(content.decode())
                continue
            with replacing(path) as file:
                file.write(content)
        if job.overlay is not None:
            from htr_lightning.page.overlay import overlay

            with replacing(job.overlay) as file:
                overlay(page).save(file, "JPEG", quality=88)
    except OSError as error:
        raise SystemExit(f"--out {out}: cannot be written ({error.strerror or error}); pages before this one are "
                         "whole, and the same command goes on from here") from None  # fmt: skip


def _join_documents(jobs: Sequence[Job]) -> None:
    """Make one PDF of the pages of each document, once all of them are there."""
    parts: dict[Path, list[Path]] = {}
    for job in jobs:
        if job.document is not None:
            parts.setdefault(job.document, []).append(job.outputs["pdf"])
    for document, pages in parts.items():
        if not all(page.is_file() for page in pages):
            continue
        with replacing(document) as file:
            file.write(join_pdfs([page.read_bytes() for page in pages]))
        for page in pages:
            page.unlink()
        with contextlib.suppress(OSError):
            pages[0].parent.rmdir()


def segmenter_of(settings: Sequence[str], parser: argparse.ArgumentParser) -> "Segmenter":
    """Make a segmenter of ``KEY=VALUE`` settings; what is wrong with one ends the program."""
    from htr_lightning.page.segment import Segmenter

    types: dict[str, Callable[[str], Any]] = {field.name: type(field.default) for field in fields(Segmenter)}
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in types:
            parser.error(f"--segment {setting}: give one of {', '.join(f'{name}=...' for name in types)}")
        try:
            values[key] = {"true": True, "false": False}[value.lower()] if types[key] is bool else types[key](value)
        except (KeyError, ValueError):
            parser.error(f"--segment {setting}: {value!r} cannot be a value of {key}")
    try:
        return Segmenter(**values)
    except ValueError as error:
        parser.error(str(error))
