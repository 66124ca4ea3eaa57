"""Exports: all pages in one format, the confirmed lines as a dataset, or the model."""

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.layout_files import LayoutFiles, build_page, get_original
from htr_lightning.correction.line_images import render_dataset
from htr_lightning.correction.page import ProjectPage
from htr_lightning.correction.recognition import read_pixels
from htr_lightning.correction.workspace import Workspace
from htr_lightning.files import atomic_write, report_write_errors
from htr_lightning.image.files import DataError

if TYPE_CHECKING:
    from htr_lightning.reading.page import PredictedPage

FORMATS = {
    "alto": "ALTO files, one for each page (eScriptorium, kraken, libraries)",
    "page": "PAGE files, one for each page (Transkribus)",
    "txt": "Plain text, one file for each page",
    "hocr": "hOCR files, one for each page",
    "pdf": "One PDF of all pages, with the text behind the pictures",
    "lines": "The confirmed lines as images with a table, for training (dataset=lines)",
    "model": "The present model",
}
"""What can be exported, with a description for the page."""


def export(workspace: Workspace, form: str) -> Path:
    """Write an export into the folder of cached files.

    Args:
        workspace: with the project.
        form: one of `FORMATS`.

    Raises:
        ProjectError: there is no such format, or nothing to export.
        OutputError: the file cannot be written.
    """
    if form not in FORMATS:
        raise ProjectError(
            "not a format of exports", key="format", value=form, remedy=f"choose from {', '.join(FORMATS)}"
        )
    if form == "model":
        return _find_model_file(workspace)
    name = workspace.project.folder.absolute().name
    path = workspace.project.state / "cache" / (f"{name}.pdf" if form == "pdf" else f"{name} {form}.zip")
    pages = [page for page in workspace.project.pages.values() if page.shapes]
    if not pages or (form == "lines" and not workspace.project.confirmed_lines()):
        problem = "no line is confirmed yet" if form == "lines" else "no page was read yet"
        raise ProjectError(problem, key="format", value=form, kind="nothing")
    with report_write_errors(path, is_file=True):
        if form == "pdf":
            _write_pdf(path, pages)
        elif form == "lines":
            _write_zip(path, render_dataset(workspace.project.confirmed_lines()))
        else:
            _write_zip(path, _render_pages(workspace, pages, form))
    return path


def _find_model_file(workspace: Workspace) -> Path:
    from htr_lightning.model.info import check_exists, find_model

    path = find_model(workspace.get_model_source(workspace.project.model))
    check_exists(path)
    return path


def _render_pages(workspace: Workspace, pages: list[ProjectPage], form: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the file of each page; names keep the folders of the images."""
    from htr_lightning.reading.write.writers import PAGE_WRITERS

    for page in pages:
        folder = page.scan.path.parent.relative_to(workspace.project.folder)
        with workspace.project.lock:
            content = _render_page(workspace.layout_files, page, form)
        yield (folder / f"{page.scan.stem}{PAGE_WRITERS[form].suffix}").as_posix(), content


def _render_page(files: LayoutFiles, page: ProjectPage, form: str) -> bytes:
    from htr_lightning.correction.layout_files import render_layout
    from htr_lightning.reading.write.writers import PAGE_WRITERS

    if form in ("alto", "page") and page.layout is not None and files.get_form(page) == form:
        return render_layout(page, get_original(page.layout), form)
    return PAGE_WRITERS[form].write(build_page(page), datetime.now(UTC))


def _write_zip(path: Path, contents: Iterator[tuple[str, bytes]]) -> None:
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents:
            archive.writestr(name, content)


def _write_pdf(path: Path, pages: list[ProjectPage]) -> None:
    from htr_lightning.reading.write.pdf import write_pdf

    with atomic_write(path) as file:
        file.write(write_pdf(_open_pages(pages), datetime.now(UTC)))


def _open_pages(pages: list[ProjectPage]) -> "Iterator[PredictedPage]":
    for page in pages:
        try:
            pixels = read_pixels(page)
        except DataError:
            continue  # the list of pages tells it
        yield build_page(page, pixels=pixels)
