"""``python -m htr_lightning predict`` on whole pages: find their lines, read them, write what archives use."""

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htr_lightning.cli.page_jobs import Job, jobs_of
from htr_lightning.files import replacing
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import find_scan_files, read_image_size
from htr_lightning.reading.write.pdf import join_pdfs
from htr_lightning.reading.write.writers import PAGE_WRITERS
from htr_lightning.text import format_count

if TYPE_CHECKING:
    from htr_lightning.layout.page import Page
    from htr_lightning.reading.page import PredictedPage
    from htr_lightning.reading.pages import PageReader, SegmentedPage
    from htr_lightning.segmentation.segmenter import Segmenter

_LEAST_HEIGHT_PX, _MOST_WIDE = 600, 3.0  # an image is taken for a page if it is so high, and not so much wider


def are_pages(paths: Sequence[Path], formats: Sequence[str]) -> bool:
    """Guess whether images are pages or lines: by what is to be written, and else by their form.

    Raises:
        ValueError: some have the form of pages, and some that of lines.
    """
    if len(formats) > 1 or set(formats) & {"alto", "page", "hocr", "pdf"}:
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
    pages = sum(height >= _LEAST_HEIGHT_PX and width < _MOST_WIDE * height for width, height in sizes)
    if 0 < pages < len(sizes):
        others = len(sizes) - pages
        raise ValueError(f"{pages} images have the form of pages and {others} that of lines; say --pages or --lines")
    return pages > 0


def read_pages(options: argparse.Namespace, formats: Sequence[str], reader: "PageReader") -> None:
    """Read pages and write what was asked for; pages that are done are passed over.

    Args:
        options: the command line.
        formats: what to write, of `PAGE_WRITERS`.
        reader: of pages.

    Raises:
        SystemExit: 1 when a page could not be read (the others still are); or nothing can be written, or two pages
            would be written to one file.
    """
    from htr_lightning.progress import show_progress

    jobs, problems = jobs_of(options, formats)
    waiting = [job for job in jobs if options.again or options.out is None or not job.is_done]
    if len(waiting) < len(jobs):
        print(f"{len(jobs) - len(waiting)} of {len(jobs)} pages are there already; --again reads them anew",
              file=sys.stderr)  # fmt: skip
    num_pages = num_lines = 0
    for ((job, cut),) in show_progress(
        ([step] for step in _cut_ahead(waiting, reader)), len(waiting), "Prediction pages"
    ):
        if isinstance(cut, DataError):
            problems.append(str(cut))
            print(cut, file=sys.stderr)
            continue
        try:
            page = reader.recognize(cut)
            contents = _contents(job, page, cut.layout, again=options.again)
        except DataError as error:
            problems.append(str(error))
            print(error, file=sys.stderr)
            continue
        except Exception as error:
            error.add_note(f"while reading {job.scan.name}")
            raise
        for note in [*page.notes, *(f"line {line.id}: {line.problem}" for line in page.lines if line.problem)]:
            print(f"{job.scan.name}: {note}", file=sys.stderr)
        if options.out is None:
            _print(contents, first=num_pages == 0)
        else:
            _write(contents, options.out)
        num_pages, num_lines = num_pages + 1, num_lines + len(page.lines)
    if options.out is not None:
        problems += _join_documents(jobs, options.out)
    if options.out is not None and waiting:
        failed = f"; {format_count(len(problems), 'problem')}, named above" if problems else ""
        print(f"{options.out}: {format_count(num_pages, 'page')} with {format_count(num_lines, 'line')} read{failed}",
              file=sys.stderr)  # fmt: skip
    if problems:
        raise SystemExit(1)


def _cut_ahead(jobs: Sequence[Job], reader: "PageReader") -> Iterator[tuple[Job, "SegmentedPage | DataError"]]:
    """Yield pages with their lines cut out, the next page in another thread while one is read."""

    def cut(job: Job) -> "SegmentedPage | DataError":
        from htr_lightning.layout.formats import read_layout

        try:
            layout = None if job.layout is None else read_layout(job.layout)
        except DataError as error:
            return DataError(f"{error}; --find-lines reads the page without it")
        try:
            return reader.segment(job.scan, layout)
        except DataError as error:
            return error
        except Exception as error:
            error.add_note(f"while finding the lines of {job.scan.name}")
            raise

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(cut, jobs[0]) if jobs else None
        for number, job in enumerate(jobs):
            assert ahead is not None
            page = ahead.result()
            ahead = pool.submit(cut, jobs[number + 1]) if number + 1 < len(jobs) else None
            yield job, page


def _contents(job: Job, page: "PredictedPage", layout: "Page | None", *, again: bool) -> dict[Path, bytes]:
    """Return what is to be written, by its file; the PDF of a document that is there already stays, unless ``again``.

    Raises:
        DataError: the layout was changed meanwhile, or the page is of a form that a format cannot take.
    """
    from htr_lightning.layout.formats import detect_format
    from htr_lightning.reading.write.rewrite import rewrite_layout

    given = None if layout is None else {"alto": "alto", "page_xml": "page"}[detect_format(layout.path)]
    contents = {}
    for form, path in job.outputs.items():
        if form == "pdf" and job.document is not None and job.document.is_file() and not again:
            continue
        if layout is not None and form == given:
            texts = {line.id: line for line in page.lines}
            contents[path] = rewrite_layout(layout.path, texts, (page.width_px, page.height_px))
            continue
        try:
            contents[path] = PAGE_WRITERS[form].write(page, datetime.now(UTC))
        except (OSError, ValueError) as error:  # an encoder of images that cannot
            raise DataError(f"{job.scan.name}: cannot be written as {PAGE_WRITERS[form].title} ({error})") from None
    if job.overlay is not None:
        from htr_lightning.reading.page import draw_overlay

        picture = io.BytesIO()
        draw_overlay(page).save(picture, "JPEG", quality=88)
        contents[job.overlay] = picture.getvalue()
    return contents


def _write(contents: dict[Path, bytes], out: Path) -> None:
    """Write files, each whole or not at all.

    Raises:
        SystemExit: one cannot be written.
    """
    for path, content in contents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                file.write(content)
        except OSError as error:
            raise SystemExit(f"--out {out}: {path} cannot be written ({error.strerror or error}); pages before this "
                             "one are whole, and the same command goes on from here") from None  # fmt: skip


def _print(contents: dict[Path, bytes], *, first: bool) -> None:
    """Print what is to be written; pages are parted by form feeds.

    Raises:
        SystemExit: nobody reads it any more, or it cannot be written.
    """
    try:
        sys.stdout.write("" if first else "\f")
        sys.stdout.write("".join(content.decode() for content in contents.values()))
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # or Python would complain of it once more at its end
        raise SystemExit(1) from None
    except OSError as error:
        raise SystemExit(f"The result cannot be printed: {error.strerror or error}") from None


def _join_documents(jobs: Sequence[Job], out: Path) -> list[str]:
    """Make one PDF of the pages of each document, once all of them are there; return what is missing, as printed."""
    parts: dict[Path, list[Job]] = {}
    for job in jobs:
        if job.document is not None:
            parts.setdefault(job.document, []).append(job)
    problems = []
    for document, pages in parts.items():
        paths = [page.outputs["pdf"] for page in pages]
        missing = [str(page.scan.number) for page, path in zip(pages, paths, strict=True) if not path.is_file()]
        if missing and (len(missing) < len(pages) or not document.is_file()):
            problems.append(f"{document}: is not written, as page {', '.join(missing)} could not be read; the others "
                            f"are kept in {paths[0].parent} for the next run")  # fmt: skip
            print(problems[-1], file=sys.stderr)
        if missing:
            continue
        try:
            with replacing(document) as file:
                join_pdfs(paths, file)
            for path in paths:
                path.unlink()
            paths[0].parent.rmdir()
        except OSError as error:
            raise SystemExit(f"--out {out}: {document} cannot be written ({error.strerror or error}); the same command "
                             "goes on from here") from None  # fmt: skip
    return problems


def segmenter_of(settings: Sequence[str], parser: argparse.ArgumentParser) -> "Segmenter":
    """Make a segmenter of ``KEY=VALUE`` settings; what is wrong with one ends the program."""
    from htr_lightning.segmentation.segmenter import Segmenter

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
