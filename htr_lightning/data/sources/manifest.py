"""Manifests: tables that name an image and a text in each row.

Three formats, told apart by the end of the file name, all UTF-8 with or without a byte order mark:

- ``.tsv``: fields between tabs, the first row names the columns; a quote is a character like any other.
- ``.csv``: fields between commas, with the usual quoting; the first row names the columns.
- ``.jsonl``: one JSON object a row; its keys are the columns.
"""

import csv
import io
import json
import posixpath
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htr_lightning.data.line import Line
from htr_lightning.image.files import DataError, ImageFile
from htr_lightning.text import clean_text

GROUP_COLUMNS = ("group", "writer", "page", "font")
"""Columns that are taken for the group if none is named, the first that there is."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a manifest are read.

    Attributes:
        image: the image's path.
        text: what the line says.
        group: what must not be shared between splits; None takes the first of `GROUP_COLUMNS` that there is,
            the empty string takes none.
        split: the split of the row; None takes ``split`` if there is such a column, the empty string none.
    """

    image: str = "image"
    text: str = "text"
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a manifest.

    Attributes:
        line: what it describes.
        row: where it is in the file, from 1.
        split: the name of its split; None if the manifest has no such column.
    """

    line: Line
    row: int
    split: str | None


def read_manifest(
    path: str | Path,
    *,
    image_column: str = "image",
    text_column: str = "text",
    group_column: str | None = None,
) -> list[Line]:
    """Read the lines of one manifest whose image paths are relative to its folder.

    Args:
        path: a ``.tsv``, ``.csv`` or ``.jsonl`` file.
        image_column: see `Columns`, like the others.
        text_column: the column of the texts.
        group_column: the column of the groups.

    Raises:
        DataError: the file is missing or malformed; see `read_entries`.
    """
    columns = Columns(image_column, text_column, group_column)
    return [entry.line for entry in read_entries(Path(path), Path(path).parent, columns)]


def read_entries(path: Path, root: Path, columns: Columns) -> Iterator[Entry]:
    """Read a manifest row by row.

    The id of a line is its image's path as the manifest gives it, without ``.`` and empty parts.

    Args:
        path: the manifest.
        root: the folder that image paths are relative to. A relative path may not leave it; an absolute path
            may lead anywhere, as nobody writes one by accident.
        columns: which columns to read.

    Raises:
        DataError: the file is missing, not of a known format or not UTF-8; a column is missing; a row has too
            few or too many fields, no image path, one that leaves the root, or the image of an earlier row.
    """
    if path.suffix.lower() not in _READERS:
        raise DataError(f"{path}: a manifest is a {', '.join(_READERS)} file")
    rows = _READERS[path.suffix.lower()](_content(path), path)
    _, header = next(rows, (0, []))
    if not header:
        raise DataError(f"{path}: is empty; it needs the columns {columns.image!r} and {columns.text!r}")
    image_at, text_at, group_at, split_at = _places(header, columns, path)
    row_of: dict[str, int] = {}
    for row, fields in rows:
        image = _string(fields, image_at, header, row, path)
        text = _string(fields, text_at, header, row, path)
        id = _inside(image, row, path)
        if row_of.setdefault(id, row) != row:
            raise DataError(
                f"{path}: rows {row_of[id]} and {row} both have the image {id}; an image is one line, "
                f"so take one of the rows out"
            )
        line = Line(id, ImageFile(root / id), clean_text(text), _name(fields, group_at) or "")
        yield Entry(line, row, _name(fields, split_at))


def _content(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such manifest") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: row {row} is not UTF-8 (byte 0x{content[error.start]:02X}); save the file as UTF-8"
        ) from None
    if "\0" in text:
        raise DataError(f"{path}: has NUL characters, so it is not UTF-8 text; save the file as UTF-8")
    return text


_Fields = list[Any]
_Rows = Iterator[tuple[int, _Fields]]


def _tsv_rows(content: str, path: Path) -> _Rows:
    header: _Fields = []
    for row, line in enumerate(content.split("\n"), start=1):
        fields = line.removesuffix("\r").split("\t")
        if fields == [""]:
            continue
        header = header or fields
        _check_number(fields, header, row, path, "is there a tab in a text?")
        yield row, fields


def _csv_rows(content: str, path: Path) -> _Rows:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    header: _Fields = []
    try:
        for fields in reader:
            if not fields:
                continue
            header = header or fields
            _check_number(fields, header, reader.line_num, path, "does a text with a comma lack its quotes?")
            yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(f"{path}: row {reader.line_num} is not CSV: {error}; is there a stray quote?") from error


def _jsonl_rows(content: str, path: Path) -> _Rows:
    header: list[str] = []
    for row, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}: row {row} is not JSON: {error.msg} at character {error.colno}") from None
        if not isinstance(value, dict):
            raise DataError(f"{path}: row {row} is not a JSON object; write one {{...}} in each row")
        if not header:
            header = list(value)
            yield row, header
        yield row, [value.get(column) for column in header]


_READERS: dict[str, Callable[[str, Path], _Rows]] = {
    ".tsv": _tsv_rows,
    ".csv": _csv_rows,
    ".jsonl": _jsonl_rows,
}

MANIFEST_SUFFIXES = tuple(_READERS)


def _check_number(fields: _Fields, header: _Fields, row: int, path: Path, question: str) -> None:
    if len(fields) < len(header):
        raise DataError(f"{path}: row {row} has {len(fields)} of {len(header)} fields; complete or remove it")
    if len(fields) > len(header):
        raise DataError(f"{path}: row {row} has {len(fields)} fields for {len(header)} columns; {question}")


def _places(header: _Fields, columns: Columns, path: Path) -> tuple[int, int, int | None, int | None]:
    """Find the image, text, group and split columns in the header."""
    names = [str(name).strip() for name in header]
    group, split = columns.group, columns.split
    if group is None:
        group = next((name for name in GROUP_COLUMNS if name in names and name != columns.text), "")
    if split is None:
        split = "split" if "split" in names else ""
    wanted = (columns.image, columns.text, group, split)
    found = ", ".join(map(repr, names))
    for name in filter(None, wanted):
        if name not in names:
            raise DataError(f"{path}: has no column {name!r}; its first row names the columns {found}")
        if names.count(name) > 1:
            raise DataError(f"{path}: has {names.count(name)} columns named {name!r}; rename all but one")
    places = [names.index(name) if name else None for name in wanted]
    assert places[0] is not None and places[1] is not None
    return places[0], places[1], places[2], places[3]


def _string(fields: _Fields, place: int, header: _Fields, row: int, path: Path) -> str:
    value = fields[place]
    if isinstance(value, str):
        return value
    if value is None:
        raise DataError(f"{path}: row {row} has no {header[place]!r}; complete or remove it")
    raise DataError(f"{path}: in row {row}, {header[place]!r} is {value!r}; write it as a string, in quotes")


def _name(fields: _Fields, place: int | None) -> str | None:
    """Return the name of a group or split: many rows share one, so it is kept in memory only once."""
    if place is None:
        return None
    return "" if fields[place] is None else sys.intern(str(fields[place]).strip())


def _inside(image: str, row: int, path: Path) -> str:
    """Return an image's path without ``.`` and empty parts, if it stays where it may be."""
    image = image.strip()
    if not image:
        raise DataError(f"{path}: row {row} names no image; complete or remove it")
    if "./" in image or "//" in image or image.endswith("."):
        image = posixpath.normpath(image)
    if image == ".." or image.startswith("../"):
        raise DataError(
            f"{path}: row {row} names the image {image}, which lies outside of the data's folder; "
            f"move it inside, or write its absolute path"
        )
    return image
