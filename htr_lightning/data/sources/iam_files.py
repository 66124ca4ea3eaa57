"""Where the parts of the IAM database lie, and what its tables say."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from htr_lightning.image.files import DataError
from htr_lightning.layout.xml import read_xml

SITE = "the IAM Handwriting Database site of its makers (University of Bern, FKI), after registration"
LWT = "largeWriterIndependentTextLineRecognitionTask"
LIST_SUFFIXES = (".uttlist", ".txt", ".lst", ".ln")
_LWT_FOLDERS = (LWT, ".", "splits", "split", "set_split", "task")
_FORM_FOLDERS = tuple(
    f"{top}{part}" for top in ("", "forms/") for part in ("forms", "formsA-D", "formsE-H", "formsI-Z")
)
_ID = re.compile(r"([a-z]\d\d-\d+[a-z]*)(-\d\d)?")
"""Of a form, with the number of a line or without."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ``lines.txt``.

    Attributes:
        id: of the line, or of what stands for one that cannot be used.
        is_ok: whether its division into words is marked as right.
        box: left, top, width and height of its ink in pixels of the scanned form.
        tokens: words and punctuation, with ``|`` between them.
        problem: why it cannot be used, with file and remedy; empty when it can.
    """

    id: str
    is_ok: bool = True
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    tokens: str = ""
    problem: str = ""

    @property
    def form(self) -> str:
        """Id of the form that the line is on; empty if there is none."""
        match = _ID.fullmatch(self.id)
        return sys.intern(match[1]) if match else ""


class IamFiles:
    """The parts of the database under one root, each looked for when it is first asked for.

    Args:
        root: the folder that the archives were unpacked in, each into a folder of its name or straight.

    Raises:
        DataError: (from whatever needs it) a part is missing; the message says which archive holds it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def lines_txt(self) -> Path:
        """Path of the table of lines."""
        return self._in_ascii("lines.txt")

    @cached_property
    def forms_txt(self) -> Path:
        """Path of the table of forms."""
        return self._in_ascii("forms.txt")

    def _in_ascii(self, name: str) -> Path:
        path = next((p for p in (self.root / "ascii" / name, self.root / name) if p.is_file()), None)
        if path is None:
            raise self._lacks(f"ascii/{name}", "ascii.tgz")
        return path

    @cached_property
    def rows(self) -> dict[str, Row]:
        """The rows of ``lines.txt`` by the id of their line, in order."""
        return self._table[0]

    @cached_property
    def strays(self) -> list[Row]:
        """The rows of ``lines.txt`` that do not say which line they are of."""
        return self._table[1]

    @cached_property
    def _table(self) -> tuple[dict[str, Row], list[Row]]:
        path = self.lines_txt
        rows: dict[str, Row] = {}
        strays: list[Row] = []
        for number, written in _rows_in(path):
            row = _parse(written, f"{path}: row {number}")
            if row is None:
                problem = f"{path}: row {number} begins with no id of a line ({written[:30]!r}); unpack ascii.tgz again"
                strays.append(Row(f"{path.name}-row-{number}", problem=problem))
            elif row.id in rows:
                problem = f"{path}: row {number} is a second one of {row.id}; remove one of them"
                rows[row.id] = Row(row.id, problem=problem)
            else:
                rows[row.id] = row
        return rows, strays

    @cached_property
    def forms(self) -> dict[str, list[Row]]:
        """The rows of each form, from top to bottom."""
        forms: dict[str, list[Row]] = {}
        for row in self.rows.values():
            forms.setdefault(row.form, []).append(row)
        return forms

    @cached_property
    def writers(self) -> dict[str, str]:
        """The writer of each form."""
        rows = (written.split() for _, written in _rows_in(self.forms_txt))
        return {fields[0]: sys.intern(fields[1]) for fields in rows if len(fields) > 1}

    @cached_property
    def lwt_folder(self) -> Path:
        """Folder of the lists of the makers' own protocol."""
        folders = (self.root / name for name in _LWT_FOLDERS)
        folder = next((folder for folder in folders if (folder / "trainset.txt").is_file()), None)
        if folder is None:
            otherwise = "dataset.split=aachen if you have the lists of that protocol"
            raise self._lacks(f"{LWT}/trainset.txt", f"{LWT}.zip", otherwise)
        return folder

    @cached_property
    def xml_folder(self) -> Path:
        """Folder of the XML files."""
        for folder in (self.root / "xml", self.root):
            if any(_ID.fullmatch(path.stem) for path in folder.glob("*.xml")):
                return folder
        raise self._lacks("xml/a01-000u.xml", "xml.tgz", "dataset.text=ascii")

    @cached_property
    def _line_folder(self) -> tuple[Path, bool]:
        """Folder of the line images, and whether they all lie in it side by side."""
        for folder in (self.root / "lines", self.root / "lines/lines", self.root):
            if any(path.is_dir() for path in folder.glob("[a-z][0-9][0-9]")):
                return folder, False
            if any(folder.glob("[a-z][0-9][0-9]-*-[0-9][0-9].png")):
                return folder, True
        raise self._lacks("lines/a01/a01-000u/a01-000u-00.png", "lines.tgz", "dataset.image=forms")

    def line_image(self, row: Row) -> Path:
        """Return the path of the makers' image of a line, whether it exists or not."""
        folder, is_flat = self._line_folder
        parts = () if is_flat else (row.id.partition("-")[0], row.form)
        return folder.joinpath(*parts, f"{row.id}.png")

    @cached_property
    def _form_images(self) -> dict[str, Path]:
        folders = (self.root / name for name in (*_FORM_FOLDERS, "."))
        images = (path for folder in folders for path in sorted(folder.glob("*.png")))
        forms = {path.stem: path for path in images if (match := _ID.fullmatch(path.stem)) and not match[2]}
        if not forms:
            archives = "formsA-D.tgz, formsE-H.tgz and formsI-Z.tgz"
            raise self._lacks("formsA-D/a01-000u.png", archives, "dataset.image=lines")
        return forms

    def form_image(self, form: str) -> Path:
        """Return the path of the scan of a form, whether it exists or not."""
        return self._form_images.get(form, self.root / "forms" / f"{form}.png")

    def _lacks(self, file: str, archive: str, otherwise: str = "") -> DataError:
        instead = f"; or set {otherwise}" if otherwise else ""
        return DataError(f"{self.root}: has no {file}: unpack {archive} there, from {SITE}{instead}")


def read_list(path: Path) -> Iterator[str]:
    """Yield the ids of lines or forms in a list: the first word of each row, without folder and ``.png``.

    Raises:
        DataError: the list cannot be read, or a row is no id.
    """
    for number, written in _rows_in(path):
        id = re.split(r"[/\\]", written.split()[0])[-1].removesuffix(".png")
        if not _ID.fullmatch(id):
            raise DataError(f"{path}: row {number} is {written[:30]!r}, which is no id of a form or line; correct it")
        yield id


def _parse(written: str, place: str) -> Row | None:
    """Read a row of ``lines.txt``: id, ok or err, gray level, number of components, x, y, width, height, tokens."""
    fields = written.split(maxsplit=8)
    match = _ID.fullmatch(fields[0])
    if match is None or match[2] is None:
        return None
    if len(fields) < 9:
        problem = f"{place} has {len(fields)} of 9 fields; unpack ascii.tgz again"
    elif fields[1] not in ("ok", "err"):
        problem = f"{place} says {fields[1]!r} where 'ok' or 'err' belongs; unpack ascii.tgz again"
    elif wrong := [field for field in fields[2:8] if not re.fullmatch(r"-?\d{1,6}", field)]:
        problem = f"{place} has {wrong[0]!r} where a number belongs; unpack ascii.tgz again"
    else:
        x, y, width, height = map(int, fields[4:8])
        return Row(fields[0], fields[1] == "ok", (x, y, width, height), fields[8])
    return Row(fields[0], problem=problem)


def read_form(path: Path) -> Any:
    """Parse the XML of a form and return its root element (lxml).

    The makers' format names a DTD by its address (``form-metadata.dtd``), which `htr_lightning.layout.xml.read_xml`
    refuses elsewhere; here it is passed over. It defines nothing that is needed.

    Raises:
        DataError: the file is missing, cannot be read, or is not well-formed.
    """
    return read_xml(path, allow_external_dtd=True)


def _rows_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the rows of a text file with their numbers, but for comments and empty ones."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; unpack its archive again, from {SITE}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check permissions and disk") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    for number, row in enumerate(text.split("\n"), start=1):
        if row.strip() and not row.startswith("#"):
            yield number, row.strip()
