"""``lines.tsv``: the counts of each line, for spreadsheets, scripts and `compare`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from htr_lightning.errors import InputError
from htr_lightning.evaluation.lines import ErrorCount

TABLE_FILE = "lines.tsv"
ERROR_COLUMNS: Mapping[str, tuple[str, str]] = {
    "cer": ("edits", "characters"),
    "wer": ("word_edits", "words"),
    "wer_tokens": ("token_edits", "tokens"),
}
"""The columns of edits and lengths of each error rate."""
COLUMNS = (
    *("id", "group", "reference", "hypothesis", "confidence", "cer"),
    *("edits", "characters", "insertions", "deletions", "substitutions"),
    *("word_edits", "words", "token_edits", "tokens"),
)
_REQUIRED_COLUMNS = (
    "id",
    "group",
    "reference",
    "hypothesis",
    *(name for pair in ERROR_COLUMNS.values() for name in pair),
)
_MAX_COUNT = 10**9
_BREAKS = str.maketrans("\t\n\r", "   ")


class TableError(InputError):
    """A table that cannot be read."""


@dataclass(frozen=True, slots=True)
class LineRow:
    """A row of a table.

    Attributes:
        id: of the line.
        group: its writer or page; empty if unknown.
        reference: its transcription.
        hypothesis: its prediction.
        errors: edits and lengths, by the names in `ERROR_COLUMNS`.
    """

    id: str
    group: str
    reference: str
    hypothesis: str
    errors: Mapping[str, ErrorCount]


def format_table(rows: Iterable[Mapping[str, object]]) -> str:
    """Format a table: one row for each line, without quotes; a tab or a line break in a text becomes a space."""
    lines = ["\t".join(COLUMNS), *("\t".join(_format_cell(row[name]) for name in COLUMNS) for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _format_cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).translate(_BREAKS)


def read_table(source: Path) -> list[LineRow]:
    """Read the table of an evaluation.

    Args:
        source: the folder of the evaluation, or the table itself.

    Raises:
        TableError: the table is missing, or is not one that `evaluate` wrote.
    """
    path = source / TABLE_FILE if source.is_dir() else source
    remedy = f"write it with python -m htr_lightning evaluate MODEL --data FILE --out {source}"
    if not path.is_file():
        raise TableError("no such file", file=path, remedy=remedy, kind="missing")
    try:
        header, *lines = path.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"cannot be read ({error})", file=path, remedy=remedy) from None
    names = header.split("\t")
    absent = [name for name in _REQUIRED_COLUMNS if name not in names]
    if absent:
        raise TableError(f"lacks the column {', '.join(map(repr, absent))}", file=path, remedy=remedy)
    rows = [_parse_row(line.split("\t"), names, path, number) for number, line in enumerate(lines, start=2)]
    if len({row.id for row in rows}) < len(rows):
        raise TableError("two rows have the same id", file=path, remedy=remedy)
    return rows


def _parse_row(fields: Sequence[str], names: Sequence[str], path: Path, number: int) -> LineRow:
    remedy = "check whether the file was truncated or edited"
    if len(fields) != len(names):
        raise TableError(f"row {number} has {len(fields)} of {len(names)} fields", file=path, remedy=remedy)
    cells = dict(zip(names, fields, strict=True))
    try:
        errors = {
            name: ErrorCount(int(cells[edits]), int(cells[length])) for name, (edits, length) in ERROR_COLUMNS.items()
        }
        for count in errors.values():
            if not (0 <= count.edits <= _MAX_COUNT and 0 <= count.length <= _MAX_COUNT):
                raise ValueError("a count is out of range")
    except ValueError as error:
        raise TableError(f"row {number}: {error}", file=path, remedy=remedy) from None
    return LineRow(cells["id"], cells["group"], cells["reference"], cells["hypothesis"], errors)
