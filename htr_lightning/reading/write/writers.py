"""The writers of page formats, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.write.alto import write_alto
from htr_lightning.reading.write.hocr import write_hocr
from htr_lightning.reading.write.page_json import write_json
from htr_lightning.reading.write.page_xml import write_page_xml
from htr_lightning.reading.write.pdf import write_pdf
from htr_lightning.reading.write.tokens import sanitize


@dataclass(frozen=True, slots=True)
class PageWriter:
    """Writes pages in one format.

    Attributes:
        title: name of the format for users.
        suffix: of its files; unique, so that files of all formats fit into one folder.
        write: from a page and the time of its recognition to the content of its file.
    """

    title: str
    suffix: str
    write: Callable[[PredictedPage, datetime], bytes]


def write_txt(page: PredictedPage) -> bytes:
    """Return the text of a page as UTF-8: one row per line, an empty row between regions."""
    return sanitize(f"{page.text}\n" if page.text else "").encode()


PAGE_WRITERS = {
    "alto": PageWriter("ALTO", ".xml", write_alto),
    "page": PageWriter("PAGE", ".page.xml", write_page_xml),
    "hocr": PageWriter("hOCR", ".hocr", lambda page, _: write_hocr(page)),
    "json": PageWriter("JSON", ".json", lambda page, _: write_json(page)),
    "txt": PageWriter("plain text", ".txt", lambda page, _: write_txt(page)),
    "pdf": PageWriter("PDF", ".pdf", lambda page, created: write_pdf([page], created)),
}
