"""Write pages as CSV: tables as rows and columns, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Iterable

from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.tokens import sanitize


def write_csv(page: PredictedPage) -> bytes:
    """Return the texts of a page as UTF-8 CSV (RFC 4180, with line feeds).

    - Regions are in reading order, with an empty row between two of them.
    - A row of a table is a row, with as many fields as the table has columns. The lines of a cell are joined by line
      feeds. A cell over several rows or columns stands in the first of them; the others are empty.
    - Each line outside of a table is a row of one field.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number, region in enumerate(region for region in page.regions if region.lines):
        if number:
            out.write("\n")
        writer.writerows(_build_rows(line for line in region.lines if line.cell))
        writer.writerows([sanitize(line.text)] for line in region.lines if not line.cell)
    return out.getvalue().encode()


def _build_rows(lines: Iterable[PredictedLine]) -> list[list[str]]:
    """Return the fields of a table."""
    texts: dict[tuple[int, int], list[str]] = {}
    height = width = 0
    for line in lines:
        cell = line.cell
        assert cell is not None
        texts.setdefault((cell.row, cell.column), []).append(sanitize(line.text))
        height, width = max(height, cell.row + cell.row_span), max(width, cell.column + cell.column_span)
    return [["\n".join(texts.get((row, column), [])) for column in range(width)] for row in range(height)]
