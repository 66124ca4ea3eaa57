"""Manifests: tables with an image path and a text in each row.

There are three formats, distinguished by the suffix, all UTF-8 with or without a byte order mark:

- ``.tsv``: fields separated by tabs; the first row names the columns; quotes have no special meaning.
- ``.csv``: fields separated by commas, with the usual quoting; the first row names the columns.
- ``.jsonl``: one JSON object per row; its keys are the columns.
"""

import csv
import io
import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htr_lightning.data.line import Line
from htr_lightning.data.sources.data_files import read_text_file
from htr_lightning.data.sources.image_names import ImageNames, MissingImages
from htr_lightning.image.files import DataError
from htr_lightning.image.folder import FileFinder, is_file
from htr_lightning.image.line_image import ImageFile
from htr_lightning.text import clean_text, format_count

GROUP_COLUMNS = ("group", "writer", "page", "font")
"""Names of the group column, in order of preference, if the configuration names none."""
_INVALID = re.compile("[\0\ud800-\udfff]")
_FIX_ROW = "complete or remove the row"


@dataclass(frozen=True, slots=True)
class ManifestColumns:
    """The names of the columns to read.

    Attributes:
        image: of the image paths.
        text: of the texts.
        group: of the groups, which are never divided between splits. None selects the first existing one of
            `GROUP_COLUMNS`; an empty string selects none.
        split: of the splits. None selects ``split`` if that column exists; an empty string selects none.
    """

    image: str = "image"
    text: str = "text"
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One row of a manifest.

    Attributes:
        line: the line that it describes.
        number: of the row in the file, from 1.
        split: the name of its split; None if the manifest has no split column.
    """

    line: Line
    number: int
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
        image_column: see `ManifestColumns`.
        text_column: see `ManifestColumns`.
        group_column: see `ManifestColumns`.

    Raises:
        DataError: the file is missing or malformed; see `read_manifest_rows`.
    """
    columns = ManifestColumns(image_column, text_column, group_column)
    return [row.line for row in read_manifest_rows(Path(path), Path(path).parent, columns)]


def read_manifest_rows(
    path: Path,
    root: Path,
    columns: ManifestColumns,
    names: ImageNames | None = None,
    missing: MissingImages | None = None,
) -> Iterator[ManifestRow]:
    """Read a manifest row by row.

    The id of a line is its image path as in the manifest, without ``.`` and empty parts, and with slashes for the
    backslashes of Windows. An image is also found if letter case or Unicode form differ.

    Args:
        path: the manifest.
        root: the folder that image paths are relative to. A relative path may not leave it; an absolute path may lead
            anywhere, since nobody writes one by accident.
        columns: the columns to read.
        names: rewrites the image paths.
        missing: is told which images do not exist.

    Raises:
        DataError: the file is missing, not of a known format or not UTF-8; a column is missing; a row has too
            few or too many fields, no image path, one that leaves the root, or the image of an earlier row.
    """
    header, rows = _open_rows(path, f"the columns {columns.image!r} and {columns.text!r}")
    image_index, text_index, group_index, split_index = _find_columns(header, columns, path)
    row_of: dict[str, int] = {}
    finder = FileFinder()
    for row, fields in rows:
        image = _get_string(fields, image_index, header, row, path)
        text = _get_string(fields, text_index, header, row, path)
        image = names.apply(image.strip()) if names else image
        if "\\" in image and not is_file(root / image):
            image = image.replace("\\", "/")  # as Windows separates folders
        id = _normalize_image_path(image, row, path)
        if row_of.setdefault(id, row) != row:
            problem = f"rows {row_of[id]} and {row} both have the image {id}"
            raise DataError(problem, file=path, remedy="remove one of the rows, since an image is one line")
        found = finder.find(root, id)
        if found is None and missing is not None:
            missing.add(id)
        line = Line(id, ImageFile(found or root / id), clean_text(text), _get_name(fields, group_index) or "")
        for index in (group_index, split_index):
            if index is not None:
                _check_characters(fields[index], header[index], row, path)
        yield ManifestRow(line, row, _get_name(fields, split_index))


def read_manifest_texts(path: Path, column: str = "text") -> Iterator[str]:
    """Read the texts of a manifest, which needs no images.

    Args:
        path: the manifest.
        column: of the texts.

    Raises:
        DataError: the file is missing, malformed or not UTF-8, or has no such column.
    """
    header, rows = _open_rows(path, f"the column {column!r}")
    index = _find_column(column, [str(name).strip() for name in header], path)
    for row, fields in rows:
        yield clean_text(_get_string(fields, index, header, row, path))


def _open_rows(path: Path, columns: str) -> tuple["_Fields", "_Rows"]:
    """Return the first row of a manifest and an iterator of the others; ``columns`` says what an empty file needs."""
    if path.suffix.lower() not in _READERS:
        remedy = f"choose from {', '.join(_READERS)}"
        raise DataError("the suffix is not that of a manifest", file=path, remedy=remedy, kind="format")
    rows = _READERS[path.suffix.lower()](_read_content(path), path)
    _, header = next(rows, (0, []))
    if not header:
        raise DataError("the file is empty", file=path, remedy=f"add {columns}", kind="empty")
    return header, rows


def _read_content(path: Path) -> str:
    text = read_text_file(path, remedy="check the path of the manifest", newline="")
    if "\0" in text:
        problem = "the file contains NUL characters, so it is not UTF-8"
        raise DataError(problem, file=path, remedy="save it as UTF-8", kind="encoding")
    return text


_Fields = list[Any]
_Rows = Iterator[tuple[int, _Fields]]


def _read_tsv(content: str, path: Path) -> _Rows:
    header: _Fields = []
    for row, line in enumerate(content.split("\n"), start=1):
        fields = line.removesuffix("\r").split("\t")
        if fields == [""]:
            continue
        header = header or fields
        _check_num_fields(fields, header, row, path, "remove tabs within its text")
        yield row, fields


def _read_csv(content: str, path: Path) -> _Rows:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    header: _Fields = []
    try:
        for fields in reader:
            if not fields:
                continue
            header = header or fields
            _check_num_fields(fields, header, reader.line_num, path, "put text with commas in quotes")
            yield reader.line_num, fields
    except csv.Error as error:
        problem = f"row {reader.line_num} is not CSV ({error})"
        raise DataError(problem, file=path, remedy="check its quotes", kind="format") from error


def _read_jsonl(content: str, path: Path) -> _Rows:
    header: list[str] = []
    for row, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            problem = f"row {row} is not JSON ({error.msg} at character {error.colno})"
            raise DataError(problem, file=path, remedy="correct it", kind="format") from None
        except (ValueError, RecursionError):  # a number of thousands of digits, brackets within brackets
            problem = f"row {row} has a number that is too long, or too many nested brackets"
            raise DataError(problem, file=path, remedy="correct it", kind="format") from None
        if not isinstance(value, dict):
            problem = f"row {row} is not a JSON object"
            raise DataError(problem, file=path, remedy="write one {...} in each row", kind="format")
        if not header:
            header = list(value)
            yield row, header
        yield row, [value.get(column) for column in header]


_READERS: dict[str, Callable[[str, Path], _Rows]] = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
}

MANIFEST_SUFFIXES = tuple(_READERS)


def _check_num_fields(fields: _Fields, header: _Fields, row: int, path: Path, remedy: str) -> None:
    problem = f"row {row} has {format_count(len(fields), 'field')} for {len(header)} columns"
    if len(fields) < len(header):
        raise DataError(problem, file=path, remedy=_FIX_ROW)
    if len(fields) > len(header):
        raise DataError(problem, file=path, remedy=remedy)


def _find_columns(header: _Fields, columns: ManifestColumns, path: Path) -> tuple[int, int, int | None, int | None]:
    """Return the indices of the image, text, group and split columns."""
    names = [str(name).strip() for name in header]
    group, split = columns.group, columns.split
    if group is None:
        group = next((name for name in GROUP_COLUMNS if name in names and name != columns.text), "")
    if split is None:
        split = "split" if "split" in names else ""
    group_index, split_index = (_find_column(name, names, path) if name else None for name in (group, split))
    return _find_column(columns.image, names, path), _find_column(columns.text, names, path), group_index, split_index


def _find_column(name: str, names: list[str], path: Path) -> int:
    """Return the index of a column.

    Raises:
        DataError: there is none of that name, or more than one.
    """
    if name not in names:
        remedy = f"choose from the columns in its first row: {', '.join(map(repr, names))}"
        raise DataError(f"there is no column {name!r}", file=path, remedy=remedy)
    if names.count(name) > 1:
        problem = f"{names.count(name)} columns are named {name!r}"
        raise DataError(problem, file=path, remedy="rename all but one of them")
    return names.index(name)


def _get_string(fields: _Fields, index: int, header: _Fields, row: int, path: Path) -> str:
    value, column = fields[index], header[index]
    _check_characters(value, column, row, path)
    if isinstance(value, str):
        return value
    if value is None:
        raise DataError(f"row {row} has no {column!r}", file=path, remedy=_FIX_ROW)
    raise DataError(f"in row {row}, {column!r} is {value!r}, not a string", file=path, remedy="put it in quotes")


def _check_characters(value: Any, column: str, row: int, path: Path) -> None:
    """Refuse what JSON can write but neither a text nor a file name can hold: half a surrogate pair, and NUL."""
    if isinstance(value, str) and (wrong := _INVALID.search(value)):
        problem = f"in row {row}, {column!r} has the invalid character U+{ord(wrong[0]):04X}"
        raise DataError(problem, file=path, remedy="correct it", kind="encoding")


def _get_name(fields: _Fields, index: int | None) -> str | None:
    """Return the name of a group or split, interned, since many rows share one; None if there is no such column."""
    if index is None:
        return None
    return "" if fields[index] is None else sys.intern(str(fields[index]).strip())


def _normalize_image_path(image: str, row: int, path: Path) -> str:
    """Return an image path without ``.`` and empty parts; refuse a relative one that leaves the root."""
    image = image.strip()
    if not image:
        raise DataError(f"row {row} has no image path", file=path, remedy=_FIX_ROW)
    if "./" in image or "//" in image or image.endswith("."):
        image = posixpath.normpath(image)
    if image == ".." or image.startswith("../"):
        problem = f"row {row} has the image {image}, which is outside the dataset's folder"
        raise DataError(problem, file=path, remedy="move it inside, or write its absolute path")
    return image
