"""The files of an evaluation."""

from pathlib import Path

from htr_lightning.evaluation.collector import ScoreCollector
from htr_lightning.evaluation.html import render_page
from htr_lightning.evaluation.picture import draw_confusions
from htr_lightning.evaluation.result import Evaluation
from htr_lightning.evaluation.table import COLUMNS, TABLE_FILE, format_table
from htr_lightning.files import atomic_write, write_json, write_text
from htr_lightning.report.outputs import PICTURE, REPORT, Output, json_kind, table_kind
from htr_lightning.report.picture import encode_png


def list_outputs(folder: Path) -> list[Output]:
    """Return the files that `write_evaluation` writes or removes, for `htr_lightning.report.outputs.check_outputs`."""
    kinds = {
        TABLE_FILE: table_kind(*COLUMNS),
        "report.html": REPORT,
        "result.json": json_kind("cer"),
        "confusions.png": PICTURE,
    }
    return [Output(folder / name, kind, folder=folder) for name, kind in kinds.items()]


def write_evaluation(folder: Path, evaluation: Evaluation, collector: ScoreCollector) -> None:
    """Write ``result.json``, ``lines.tsv``, ``report.html`` and, if characters were confused, ``confusions.png``.

    Args:
        folder: created if it does not exist.
        evaluation: of the collected lines.
        collector: of the lines, and of the pixels that the report shows.

    Raises:
        OSError: the folder cannot be written.
    """
    matrix = draw_confusions(evaluation.confusions)
    page = render_page(
        evaluation, matrix, collector.crops, collector.worst.get_lines(), collector.most_confident.get_lines()
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / TABLE_FILE, format_table(collector.build_rows()))
    write_text(folder / "report.html", page)
    (folder / "confusions.png").unlink(missing_ok=True)  # of an earlier evaluation
    if matrix is not None:
        with atomic_write(folder / "confusions.png") as file:
            file.write(encode_png(matrix))
    write_json(folder / "result.json", evaluation.to_json())
