"""The files of a page that was read: its formats, its picture, and the PDF of its document."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from htr_lightning.files import OutputError, atomic_write
from htr_lightning.image.files import DataError
from htr_lightning.layout.formats import detect_format
from htr_lightning.reading.page import PredictedPage, draw_overlay
from htr_lightning.reading.page_jobs import PageJob
from htr_lightning.reading.write.pdf import join_pdfs
from htr_lightning.reading.write.rewrite import rewrite_layout
from htr_lightning.reading.write.writers import PAGE_WRITERS

_JPEG_QUALITY = 95


def render_files(job: PageJob, page: PredictedPage, *, overwrite: bool) -> dict[Path, bytes]:
    """Return the contents of the files of a page. Files that exist stay, unless ``overwrite``.

    Raises:
        DataError: the layout changed meanwhile, or a format cannot represent the page.
    """
    layout_format = None if job.layout is None else {"alto": "alto", "page_xml": "page"}[detect_format(job.layout)]
    contents = {}
    for form, path in job.outputs.items():
        has_document = form == "pdf" and job.document is not None and job.document.is_file()
        if not overwrite and (has_document or path.is_file()):
            continue
        if job.layout is not None and form == layout_format:
            lines = {line.id: line for line in page.lines}
            contents[path] = rewrite_layout(job.layout, lines, (page.width_px, page.height_px))
            continue
        try:
            contents[path] = PAGE_WRITERS[form].write(page, datetime.now(UTC))
        except (OSError, ValueError) as error:  # an encoder of images that cannot
            raise DataError(f"{job.scan.name}: cannot be written as {PAGE_WRITERS[form].title} ({error})") from None
    if job.overlay is not None and (overwrite or not job.overlay.is_file()):
        picture = io.BytesIO()
        draw_overlay(page, texts=page.is_recognized).save(picture, "JPEG", quality=88)
        contents[job.overlay] = picture.getvalue()
    if job.image is not None and (overwrite or not job.image.is_file()):
        contents[job.image] = _encode_image(job, page)
    return contents


def _encode_image(job: PageJob, page: PredictedPage) -> bytes:
    """Return the image of a page: a copy of its file if that shows the page alone, else its pixels."""
    assert job.image is not None and page.pixels is not None
    if job.halves is not None and job.image.name == job.scan.path.name:
        return job.scan.path.read_bytes()
    content = io.BytesIO()
    options = {"quality": _JPEG_QUALITY} if job.image.suffix == ".jpg" else {}
    Image.fromarray(page.pixels).save(content, "JPEG" if options else "PNG", **options)
    return content.getvalue()


def write_files(contents: dict[Path, bytes]) -> None:
    """Write files, each completely or not at all.

    Raises:
        OutputError: one cannot be written.
    """
    for path, content in contents.items():
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                file.write(content)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "all pages before this one are complete, and the same command resumes here"
        problem = f"cannot be written ({error.strerror or error})"
        raise OutputError(problem, file=path, remedy=remedy, kind="unwritable") from None


def join_documents(jobs: Sequence[PageJob]) -> Iterator[str]:
    """Join the pages of each document into one PDF, if all of them exist; yield a sentence for each that lacks some."""
    parts: dict[Path, list[PageJob]] = {}
    for job in jobs:
        if job.document is not None:
            parts.setdefault(job.document, []).append(job)
    for document, pages in parts.items():
        paths = [page.outputs["pdf"] for page in pages]
        missing = [str(page.scan.number) for page, path in zip(pages, paths, strict=True) if not path.is_file()]
        if missing and (len(missing) < len(pages) or not document.is_file()):
            yield (
                f"{document}: not written because page {', '.join(missing)} could not be read; the other pages are "
                f"kept in {paths[0].parent} for the next run"
            )
        if missing:
            continue
        with _writing(document):
            try:
                with atomic_write(document) as file:
                    join_pdfs(paths, file)
            except FileNotFoundError:
                if document.is_file():  # another process has joined the same pages meanwhile
                    continue
                raise
            for path in paths:
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another process writes the same pages
                paths[0].parent.rmdir()
