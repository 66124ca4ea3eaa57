"""Tables of evaluations that are damaged."""

from pathlib import Path

import pytest

from htr_lightning.evaluation.table import COLUMNS, TableError, read_table


@pytest.mark.parametrize("value", ["9" * 400, "9" * 5000, "-1", "nan", "1e9", ""])
def test_counts_out_of_range(value: str, tmp_path: Path) -> None:
    row = {name: "1" for name in COLUMNS} | {"edits": value}
    path = tmp_path / "lines.tsv"
    path.write_text("\t".join(COLUMNS) + "\n" + "\t".join(row[name] for name in COLUMNS) + "\n")
    with pytest.raises(TableError, match=r"lines\.tsv: row 2"):
        read_table(path)
