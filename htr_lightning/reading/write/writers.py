"""The writers of page formats, by name.

A module of one's own adds a format when it is imported::

    # my_tei.py, used by: python -m htr_lightning predict MODEL scans --format tei --out read --trust my_tei
    from htr_lightning.reading.write.writers import PageWriter, register_page_writer


    def write_tei(page, created):  # PredictedPage, datetime -> bytes
        lines = "".join(f"<l>{line.text}</l>" for line in page.lines)
        return f"<text>{lines}</text>".encode()


    register_page_writer("tei", PageWriter("TEI", ".tei.xml", write_tei))
"""

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from htr_lightning.errors import InputError

if TYPE_CHECKING:
    from htr_lightning.reading.page import PredictedPage


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
    write: "Callable[[PredictedPage, datetime], bytes]"


def write_txt(page: "PredictedPage") -> bytes:
    """Return the text of a page as UTF-8: one row per line, an empty row between regions."""
    from htr_lightning.reading.write.tokens import sanitize

    return sanitize(f"{page.text}\n" if page.text else "").encode()


def _write_json(page: "PredictedPage", created: datetime) -> bytes:
    from htr_lightning.reading.write.page_json import write_json

    return write_json(page)


def _write_alto(page: "PredictedPage", created: datetime) -> bytes:
    from htr_lightning.reading.write.alto import write_alto

    return write_alto(page, created)


def _write_page_xml(page: "PredictedPage", created: datetime) -> bytes:
    from htr_lightning.reading.write.page_xml import write_page_xml

    return write_page_xml(page, created)


def _write_csv(page: "PredictedPage", created: datetime) -> bytes:
    from htr_lightning.reading.write.page_csv import write_csv

    return write_csv(page)


def _write_hocr(page: "PredictedPage", created: datetime) -> bytes:
    from htr_lightning.reading.write.hocr import write_hocr

    return write_hocr(page)


def _write_pdf(page: "PredictedPage", created: datetime) -> bytes:
    from htr_lightning.reading.write.pdf import write_pdf

    return write_pdf([page], created)


PAGE_WRITERS = {
    "txt": PageWriter("plain text", ".txt", lambda page, _: write_txt(page)),
    "json": PageWriter("JSON", ".json", _write_json),
    "alto": PageWriter("ALTO", ".xml", _write_alto),
    "page": PageWriter("PAGE", ".page.xml", _write_page_xml),
    "hocr": PageWriter("hOCR", ".hocr", _write_hocr),
    "csv": PageWriter("CSV", ".csv", _write_csv),
    "pdf": PageWriter("PDF", ".pdf", _write_pdf),
}
"""Each imports what it needs when it writes, so that help, which lists them, does without."""


def register_page_writer(name: str, writer: PageWriter) -> None:
    """Add a format, so that ``predict --format NAME`` and ``read_folder(formats=[NAME])`` write it.

    Args:
        name: of the format.
        writer: of its files.

    Raises:
        InputError: there is a format of this name or suffix, or the writer fails on an empty page.
    """
    from htr_lightning.reading.page import PredictedPage

    others = {known: other for known, other in PAGE_WRITERS.items() if other != writer}
    if name in others or "," in name or not name:
        raise InputError("there is a format of this name", key="--format", value=name, remedy="choose another name")
    same = [known for known, other in others.items() if other.suffix == writer.suffix]
    if same or not writer.suffix.startswith("."):
        problem = f"its files would have the suffix {writer.suffix!r}" + (f" of {same[0]}" if same else "")
        raise InputError(problem, key="--format", value=name, remedy="choose another suffix, such as '.tei.xml'")
    remedy = "give PageWriter a function from PredictedPage and datetime to bytes"
    try:
        content = writer.write(PredictedPage("trial.png", 8, 8, ()), datetime.now(UTC))
    except Exception as error:  # whatever it raises
        problem = f"its writer fails on an empty page ({type(error).__name__}: {error})"
        raise InputError(problem, key="--format", value=name, remedy=remedy) from None
    if not isinstance(content, bytes):
        problem = f"its writer returns {type(content).__name__}, not bytes"
        raise InputError(problem, key="--format", value=name, remedy=remedy)
    PAGE_WRITERS[name] = writer


def load_page_writers(names: Collection[str], trusted: Collection[str]) -> None:
    """Import the trusted modules if a format is not known, so that they can register it.

    Args:
        names: of formats.
        trusted: import paths of modules, or of classes and functions in them, that the user vouches for.

    Raises:
        InputError: a module cannot be imported.
    """
    if all(name in PAGE_WRITERS for name in names):
        return
    for path in trusted:
        try:
            _import_module_of(path)
        except InputError:
            raise
        except Exception as error:  # whatever the module raises
            problem = f"cannot be imported ({type(error).__name__}: {error})"
            remedy = "start in the folder of the module, or add that folder to PYTHONPATH"
            raise InputError(problem, key="--trust", value=path, remedy=remedy) from None


def _import_module_of(path: str) -> None:
    """Import a module, or the module of a class or function."""
    try:
        importlib.import_module(path)
    except ModuleNotFoundError as error:
        parent = path.rpartition(".")[0]
        if not parent or error.name not in (path, parent):
            raise
        importlib.import_module(parent)
