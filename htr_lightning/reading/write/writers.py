"""The formats that a page can be written in, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.write.alto import write_alto
from htr_lightning.reading.write.hocr import write_hocr
from htr_lightning.reading.write.page_json import write_json
from htr_lightning.reading.write.page_xml import write_page_xml
from htr_lightning.reading.write.pdf import write_pdf
from htr_lightning.reading.write.pieces import legal


@dataclass(frozen=True, slots=True)
class PageWriter:
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


PAGE_WRITERS = {
    "alto": PageWriter("ALTO", ".xml", write_alto),
    "page": PageWriter("PAGE", ".page.xml", write_page_xml),
    "hocr": PageWriter("hOCR", ".hocr", lambda page, _: write_hocr(page)),
    "json": PageWriter("JSON", ".json", lambda page, _: write_json(page)),
    "txt": PageWriter("plain text", ".txt", lambda page, _: write_txt(page)),
    "pdf": PageWriter("PDF", ".pdf", lambda page, created: write_pdf([page], created)),
}
