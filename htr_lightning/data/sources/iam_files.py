"""The files of the IAM database: where they are, and reading its tables and lists."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from htr_lightning.image.files import DataError
from htr_lightning.image.folder import build_unreadable_error
from htr_lightning.layout.xml import read_xml

SITE = "the site of the IAM Handwriting Database (University of Bern, FKI; registration needed)"
LWT = "largeWriterIndependentTextLineRecognitionTask"
LIST_SUFFIXES = (".uttlist", ".txt", ".lst", ".ln")
_LWT_FOLDERS = (LWT, ".", "splits", "split", "set_split", "task")
_FORM_FOLDERS = tuple(
    f"{top}{part}" for top in ("", "forms/") for part in ("forms", "formsA-D", "formsE-H", "formsI-Z")
)
_ID = re.compile(r"([a-z]\d\d-\d+[a-z]*)(-\d\d)?")
"""Id of a form, or of a line: with the number of the line."""
_UNPACK_ASCII = "unpack ascii.tgz again"


@dataclass(frozen=True, slots=True)
class LineRow:
    """One row of ``lines.txt``.

    Attributes:
        id: of the line, or a substitute for a malformed row.
        is_ok: whether its segmentation into words is marked as correct.
        box: left, top, width and height of its ink in pixels of the scanned form.
        tokens: words and punctuation, separated by ``|``.
        problem: why it cannot be used, with file and remedy; empty if it can.
    """

    id: str
    is_ok: bool = True
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    tokens: str = ""
    problem: str = ""

    @property
    def form(self) -> str:
        """Id of the form that contains the line; empty if there is none."""
        match = _ID.fullmatch(self.id)
        return sys.intern(match[1]) if match else ""


class IamFiles:
    """The files of the database in one root folder, each searched when it is first needed.

    Args:
        root: the folder that the archives were unpacked into, each into a folder of its name or directly.

    Raises:
        DataError: (from every member) a file is missing; the remedy names the archive that contains it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def lines_txt(self) -> Path:
        """Path of the table of lines."""
        return self._find_table("lines.txt")

    @cached_property
    def forms_txt(self) -> Path:
        """Path of the table of forms."""
        return self._find_table("forms.txt")

    def _find_table(self, name: str) -> Path:
        path = next((p for p in (self.root / "ascii" / name, self.root / name) if p.is_file()), None)
        if path is None:
            raise self._build_missing_error(f"ascii/{name}", "ascii.tgz")
        return path

    @cached_property
    def rows(self) -> dict[str, LineRow]:
        """The rows of ``lines.txt`` by the id of their line, in order."""
        return self._table[0]

    @cached_property
    def malformed_rows(self) -> list[LineRow]:
        """The rows of ``lines.txt`` without the id of a line."""
        return self._table[1]

    @cached_property
    def _table(self) -> tuple[dict[str, LineRow], list[LineRow]]:
        path = self.lines_txt
        rows: dict[str, LineRow] = {}
        malformed: list[LineRow] = []
        for number, text in _read_rows(path):
            row = _parse_row(text, f"{path}: row {number}")
            if row is None:
                problem = f"{path}: row {number} does not begin with the id of a line ({text[:30]!r}); {_UNPACK_ASCII}"
                malformed.append(LineRow(f"{path.name}-row-{number}", problem=problem))
            elif row.id in rows:
                problem = f"{path}: row {number} repeats the line {row.id}; remove one of the rows"
                rows[row.id] = LineRow(row.id, problem=problem)
            else:
                rows[row.id] = row
        return rows, malformed

    @cached_property
    def forms(self) -> dict[str, list[LineRow]]:
        """The rows of each form, from top to bottom."""
        forms: dict[str, list[LineRow]] = {}
        for row in self.rows.values():
            forms.setdefault(row.form, []).append(row)
        return forms

    @cached_property
    def writers(self) -> dict[str, str]:
        """The writer of each form."""
        rows = (text.split() for _, text in _read_rows(self.forms_txt))
        return {fields[0]: sys.intern(fields[1]) for fields in rows if len(fields) > 1}

    @cached_property
    def lwt_folder(self) -> Path:
        """Folder of the lists of the official protocol."""
        folders = (self.root / name for name in _LWT_FOLDERS)
        folder = next((folder for folder in folders if (folder / "trainset.txt").is_file()), None)
        if folder is None:
            alternative = "set dataset.split=aachen if you have the lists of that protocol"
            raise self._build_missing_error(f"{LWT}/trainset.txt", f"{LWT}.zip", alternative)
        return folder

    @cached_property
    def xml_folder(self) -> Path:
        """Folder of the XML files."""
        for folder in (self.root / "xml", self.root):
            if any(_ID.fullmatch(path.stem) for path in folder.glob("*.xml")):
                return folder
        raise self._build_missing_error("xml/a01-000u.xml", "xml.tgz", "set dataset.text=ascii")

    @cached_property
    def _line_folder(self) -> tuple[Path, bool]:
        """Folder of the line images, and whether they are all directly in it."""
        for folder in (self.root / "lines", self.root / "lines/lines", self.root):
            if any(path.is_dir() for path in folder.glob("[a-z][0-9][0-9]")):
                return folder, False
            if any(folder.glob("[a-z][0-9][0-9]-*-[0-9][0-9].png")):
                return folder, True
        raise self._build_missing_error("lines/a01/a01-000u/a01-000u-00.png", "lines.tgz", "set dataset.image=forms")

    def get_line_image(self, row: LineRow) -> Path:
        """Return the path of the line image in the database, whether it exists or not."""
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
            raise self._build_missing_error("formsA-D/a01-000u.png", archives, "set dataset.image=lines")
        return forms

    def get_form_image(self, form: str) -> Path:
        """Return the path of the scan of a form, whether it exists or not."""
        return self._form_images.get(form, self.root / "forms" / f"{form}.png")

    def _build_missing_error(self, file: str, archive: str, alternative: str = "") -> DataError:
        remedy = f"unpack {archive} into this folder, from {SITE}" + (f", or {alternative}" if alternative else "")
        return DataError(f"there is no {file}", key="dataset.root", value=self.root, remedy=remedy, kind="missing")


def read_id_list(path: Path) -> Iterator[str]:
    """Yield the ids of lines or forms in a list: the first word of each row, without folder and ``.png``.

    Raises:
        DataError: the list cannot be read, or a row contains no id.
    """
    for number, text in _read_rows(path):
        id = re.split(r"[/\\]", text.split()[0])[-1].removesuffix(".png")
        if not _ID.fullmatch(id):
            problem = f"row {number} is not the id of a form or line ({text[:30]!r})"
            raise DataError(problem, file=path, remedy="correct it")
        yield id


def _parse_row(text: str, place: str) -> LineRow | None:
    """Parse a row of ``lines.txt``: id, ok or err, gray level, number of components, x, y, width, height, tokens.

    Returns:
        The row, with a problem if it is malformed; None if it does not begin with the id of a line.
    """
    fields = text.split(maxsplit=8)
    match = _ID.fullmatch(fields[0])
    if match is None or match[2] is None:
        return None
    if len(fields) < 9:
        problem = f"{place} has {len(fields)} of 9 fields"
    elif fields[1] not in ("ok", "err"):
        problem = f"{place} has {fields[1]!r} instead of 'ok' or 'err'"
    elif invalid := [field for field in fields[2:8] if not re.fullmatch(r"-?\d{1,6}", field)]:
        problem = f"{place} has {invalid[0]!r} instead of a number"
    else:
        x, y, width, height = map(int, fields[4:8])
        return LineRow(fields[0], fields[1] == "ok", (x, y, width, height), fields[8])
    return LineRow(fields[0], problem=f"{problem}; {_UNPACK_ASCII}")


def read_form_xml(path: Path) -> Any:
    """Parse the XML of a form and return its root element (lxml).

    The files refer to an external DTD (``form-metadata.dtd``), which `htr_lightning.layout.xml.read_xml` refuses by
    default; here it is ignored, since it defines nothing that is needed.

    Raises:
        DataError: the file is missing, cannot be read, or is not well-formed.
    """
    return read_xml(path, allow_external_dtd=True)


def _read_rows(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the rows of a text file (UTF-8 or Latin-1) with their numbers, without comments and empty rows."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        remedy = f"unpack its archive again, from {SITE}"
        raise DataError("there is no such file", file=path, remedy=remedy, kind="missing") from None
    except OSError as error:
        raise build_unreadable_error(path, error) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    for number, row in enumerate(text.split("\n"), start=1):
        if row.strip() and not row.startswith("#"):
            yield number, row.strip()
