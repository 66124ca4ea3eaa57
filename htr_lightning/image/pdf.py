"""Pages of PDF documents, rendered by pdfium, which only one thread may use at a time."""

import contextlib
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.files import DataError

PDF_DPI = 300
"""Resolution at which PDF pages are rendered."""
_MIN_PAGE_BYTES = 10  # of a page in a file, even in a compressed one
_lock = threading.RLock()


@contextlib.contextmanager
def use_pdfium() -> Iterator[Any]:
    """Yield the module ``pypdfium2`` while no other thread uses it.

    pdfium is not safe for threads, even with a document for each: the process may crash. Everything that it returns
    must be closed before the block ends.
    """
    with _lock:
        import pypdfium2

        yield pypdfium2


def count_pdf_pages(path: Path) -> int:
    """Return the number of pages of a document, at least 1.

    Raises:
        DataError: it is missing, damaged, locked or empty, or states more pages than it can have.
    """
    with _open_pdf(path) as document:
        num_pages, size = len(document), path.stat().st_size
    if num_pages * _MIN_PAGE_BYTES > size:
        raise DataError(
            f"the document states {num_pages:,} pages, but has only {size:,} bytes",
            file=path,
            remedy="copy or export it again",
            kind="damaged",
        )
    return num_pages


def render_pdf_page(path: Path, index: int, max_pixels: int) -> NDArray[np.uint8]:
    """Render a page at `PDF_DPI`, or a lower resolution if it would have more than ``max_pixels``.

    Args:
        path: of the document.
        index: of the page, from 0.
        max_pixels: limit of width times height.

    Returns:
        ``(H, W, 3)`` RGB, ``uint8``.

    Raises:
        DataError: the document cannot be opened, or the page is missing, damaged, or too long to be rendered.
    """
    with _open_pdf(path) as document:
        if index >= len(document):
            raise DataError(
                f"the document has {len(document)} pages, not {index + 1}",
                file=path,
                remedy="check whether it has changed since the start",
                kind="missing",
            )
        with use_pdfium() as pdfium:
            try:
                return _render(document[index], f"{path}, page {index + 1}", max_pixels)
            except pdfium.PdfiumError as error:
                raise DataError(
                    f"the page cannot be rendered ({error})",
                    file=f"{path}, page {index + 1}",
                    remedy="export it again",
                    kind="damaged",
                ) from None


def _render(page: Any, name: str, max_pixels: int) -> NDArray[np.uint8]:
    width, height = page.get_size()  # points, 1/72 inch
    scale = min(PDF_DPI / 72, math.sqrt(max_pixels / max(width * height, 1.0)) * 0.999)
    if not math.ceil(width * scale) * math.ceil(height * scale) <= max_pixels:
        raise DataError(
            f"the page of {width:g} x {height:g} points is too long to be rendered",
            file=name,
            remedy="export it again with another page size",
            kind="too_large",
        )
    bitmap = page.render(scale=scale, rev_byteorder=True)
    try:
        pixels = bitmap.to_numpy()
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        return np.array(np.broadcast_to(pixels[:, :, :3], (*pixels.shape[:2], 3)), np.uint8, order="C")
    finally:
        bitmap.close()
        page.close()


@contextlib.contextmanager
def _open_pdf(path: Path) -> Iterator[Any]:
    """Open a document, which no other thread may do meanwhile.

    Raises:
        DataError: it is missing, damaged, locked or empty.
    """
    if not path.is_file():
        raise DataError("there is no such file", file=path, remedy="check the path", kind="missing")
    with use_pdfium() as pdfium:
        try:
            document = pdfium.PdfDocument(path)
        except pdfium.PdfiumError as error:
            if error.err_code == pdfium.raw.FPDF_ERR_PASSWORD:
                raise DataError(
                    "the document is locked by a password", file=path, remedy="save a copy without one", kind="locked"
                ) from None
            raise DataError(
                f"the document is damaged or not a PDF ({error})",
                file=path,
                remedy="copy or export it again",
                kind="damaged",
            ) from None
        try:
            if not len(document):
                raise DataError("the document has no pages", file=path, remedy="export it again", kind="empty")
            yield document
        finally:
            document.close()
