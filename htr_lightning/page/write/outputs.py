"""The formats that a page can be written in, by name."""

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from htr_lightning.page.reading import ReadPage
from htr_lightning.page.write.alto import write_alto
from htr_lightning.page.write.hocr import write_hocr
from htr_lightning.page.write.json import write_json
from htr_lightning.page.write.page_xml import write_page_xml
from htr_lightning.page.write.pdf import write_pdf
from htr_lightning.page.write.pieces import legal


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
    write: Callable[[ReadPage, datetime], bytes]


def write_txt(page: ReadPage) -> bytes:
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


def join_pdfs(documents: Sequence[bytes]) -> bytes:
    """Return one PDF with the pages of several, without their titles."""
    import pypdfium2

    with contextlib.ExitStack() as stack:
        whole = stack.enter_context(contextlib.closing(pypdfium2.PdfDocument.new()))
        for content in documents:
            whole.import_pages(stack.enter_context(contextlib.closing(pypdfium2.PdfDocument(content))))
        file = io.BytesIO()
        whole.save(file)
    return file.getvalue()
