"""``lines.tsv``: what was counted in each line, for spreadsheets, scripts and `compare`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from htr_lightning.errors import InputError

FILE = "lines.tsv"
RATE_COLUMNS: Mapping[str, tuple[str, str]] = {
    "cer": ("edits", "characters"),
    "wer": ("word_edits", "words"),
    "wer_tokens": ("token_edits", "tokens"),
}
"""Where the two sides of each error rate stand."""
COLUMNS = (
    "id", "group", "reference", "hypothesis", "confidence", "cer", "edits", "characters", "insertions", "deletions",
    "substitutions", "word_edits", "words", "token_edits", "tokens",
)  # fmt: skip
_BREAKS = str.maketrans("\t\n\r", "   ")


class TableError(InputError):
    """A table that cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table that was read.

    Attributes:
        id: of the line.
        group: its writer or page; empty for none.
        reference: what it says.
        hypothesis: what was read.
        counts: edits and lengths, by the names in `RATE_COLUMNS`.
    """

    id: str
    group: str
    reference: str
    hypothesis: str
    counts: Mapping[str, tuple[int, int]]


def table_of(rows: Iterable[Mapping[str, object]]) -> str:
    """Write a table: one row for each line, without quotes; a tab or a line break in a text becomes a space."""
    lines = ["\t".join(COLUMNS), *("\t".join(_cell(row[name]) for name in COLUMNS) for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).translate(_BREAKS)


def read_table(where: Path) -> list[Row]:
    """Read the lines that an evaluation wrote.

    Args:
        where: the folder, or the table itself.

    Raises:
        TableError: it is not there, or it is not such a table.
    """
    path = where / FILE if where.is_dir() else where
    remedy = f"write it with python -m htr_lightning evaluate MODEL --data FILE --out {where}"
    if not path.is_file():
        raise TableError(f"{path}: there is no such table; {remedy}")
    try:
        header, *lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read ({error}); {remedy}") from None
    names = header.split("\t")
    needed = ("id", "group", "reference", "hypothesis", *(name for sides in RATE_COLUMNS.values() for name in sides))
    absent = [name for name in needed if name not in names]
    if absent:
        raise TableError(f"{path}: has no column {', '.join(map(repr, absent))}; {remedy}")
    rows = [_row(line.split("\t"), names, f"{path}: row {number}") for number, line in enumerate(lines, start=2)]
    if len({row.id for row in rows}) < len(rows):
        raise TableError(f"{path}: names a line twice; {remedy}")
    return rows


def _row(fields: Sequence[str], names: Sequence[str], place: str) -> Row:
    if len(fields) != len(names):
        raise TableError(f"{place} has {len(fields)} of {len(names)} fields; was the file cut off, or edited?")
    cells = dict(zip(names, fields, strict=True))
    try:
        counts = {name: (int(cells[edits]), int(cells[length])) for name, (edits, length) in RATE_COLUMNS.items()}
    except ValueError as error:
        raise TableError(f"{place}: {error}; was the file edited?") from None
    return Row(cells["id"], cells["group"], cells["reference"], cells["hypothesis"], counts)
