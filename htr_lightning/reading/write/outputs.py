"""The formats that a page can be written in, by name."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.write.alto import write_alto
from htr_lightning.reading.write.hocr import write_hocr
from htr_lightning.reading.write.page_json import write_json
from htr_lightning.reading.write.page_xml import write_page_xml
from htr_lightning.reading.write.pdf import write_pdf
from htr_lightning.reading.write.pieces import legal


@dataclass(frozen=True, slots=True)
class Output:
    """A format.

    Attributes:
        title: what people call it.
        suffix: of its files; all formats can stand in one folder under the same name.
        write: from a page, and when it was read, to the content of its file.
    """

    title: str
    suffix: str
    write: Callable[[PredictedPage, datetime], bytes]


def write_txt(page: PredictedPage) -> bytes:
    """Write the text as UTF-8: a row for each line, an empty row between regions."""
    return legal(f"{page.text}\n" if page.text else "").encode()


OUTPUTS = {
    "alto": Output("ALTO", ".xml", write_alto),
    "page": Output("PAGE", ".page.xml", write_page_xml),
    "hocr": Output("hOCR", ".hocr", lambda page, _: write_hocr(page)),
    "json": Output("JSON", ".json", lambda page, _: write_json(page)),
    "txt": Output("plain text", ".txt", lambda page, _: write_txt(page)),
    "pdf": Output("PDF", ".pdf", lambda page, created: write_pdf([page], created)),
}


def join_pdfs(documents: Sequence[Path], file: IO[bytes]) -> None:
    """Write one PDF with the pages of several files, without their titles.

    Raises:
        OSError: one of them is damaged, or the file cannot be written.
    """
    import pypdfium2

    try:
        with contextlib.ExitStack() as stack:
            whole = stack.enter_context(contextlib.closing(pypdfium2.PdfDocument.new()))
            for path in documents:
                whole.import_pages(stack.enter_context(contextlib.closing(pypdfium2.PdfDocument(path))))
            whole.save(file)
    except pypdfium2.PdfiumError as error:
        raise OSError(None, f"pages cannot be joined: {error}") from None
