"""The index of a folder of results: a table of its pages, the worst first."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from htr_lightning.decode.confidence import compute_expected_cer
from htr_lightning.files import atomic_write, report_write_errors
from htr_lightning.image.files import DataError
from htr_lightning.reading.records.journal import PageRecord, read_records
from htr_lightning.reading.records.settings import JOURNAL_FOLDER

INDEX_FILE = "index.parquet"


def write_index(out: Path, records: Iterable[PageRecord] | None = None) -> int:
    """Write the index of a folder of results, by the records of all processes that have written there.

    Columns: ``page`` (name of its files, without suffix), ``scan``, ``status`` (``read`` or ``failed``), ``lines``,
    ``characters``, ``confidence`` (mean of the characters, 0..1), ``expected_cer`` (0..1), ``rank`` (1 has the highest
    expected CER), ``seconds``, ``machine``, ``finished`` (UTC), ``problem``.

    Args:
        out: the folder.
        records: of its pages, the last one of a page counts; None for those of its journal.

    Returns:
        The number of pages.

    Raises:
        OutputError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    last = {r.page: r for r in (read_records(out / JOURNAL_FOLDER) if records is None else records)}
    expected = {
        page: None if record.confidence is None else compute_expected_cer(record.confidence)
        for page, record in last.items()
    }
    pages = sorted(last, key=lambda page: (expected[page] is None, -(expected[page] or 0), page))
    rows = [last[page] for page in pages]
    ranks = [number if expected[page] is not None else None for number, page in enumerate(pages, 1)]
    table = pa.table(
        {
            "page": pages,
            "scan": [row.scan for row in rows],
            "status": [row.status for row in rows],
            "lines": pa.array([row.lines for row in rows], pa.int32()),
            "characters": pa.array([row.characters for row in rows], pa.int32()),
            "confidence": pa.array([row.confidence for row in rows], pa.float32()),
            "expected_cer": pa.array([expected[page] for page in pages], pa.float32()),
            "rank": pa.array(ranks, pa.int32()),
            "seconds": pa.array([row.seconds for row in rows], pa.float32()),
            "machine": [row.machine for row in rows],
            "finished": pa.array([datetime.fromisoformat(row.finished) for row in rows], pa.timestamp("ms", "UTC")),
            "problem": [row.problem for row in rows],
        }
    )
    path = out / INDEX_FILE
    with report_write_errors(path, is_file=True), atomic_write(path) as file:
        pq.write_table(table, file)
    return len(rows)


def read_ranks(path: Path) -> dict[str, int]:
    """Return the rank of each page of an index that was read and has text; 1 has the highest expected CER.

    Raises:
        DataError: the file is missing, or no index.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    remedy = f"name the {INDEX_FILE} that predict --index wrote"
    if not path.is_file():
        raise DataError("there is no such file", file=path, remedy=remedy, kind="missing")
    try:
        table = pq.read_table(path, columns=["page", "rank"])
        pages, ranks = (table.column(name).to_pylist() for name in ("page", "rank"))
    except (OSError, pa.ArrowException, KeyError):
        raise DataError("it is no index of results", file=path, remedy=remedy, kind="format") from None
    return {page: rank for page, rank in zip(pages, ranks, strict=True) if rank is not None}
