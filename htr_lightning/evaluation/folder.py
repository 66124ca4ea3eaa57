"""The folder that an evaluation fills."""

from pathlib import Path

from htr_lightning.evaluation.collection import Collection
from htr_lightning.evaluation.html import render_page
from htr_lightning.evaluation.picture import draw_confusions
from htr_lightning.evaluation.result import Evaluation
from htr_lightning.evaluation.table import FILE, table_of
from htr_lightning.files import replacing, write_json, write_text
from htr_lightning.report.picture import encode_png


def write_folder(folder: Path, found: Evaluation, collection: Collection) -> None:
    """Write ``result.json``, ``lines.tsv``, ``report.html`` and, if anything was confused, ``confusions.png``.

    Args:
        folder: made where it is not there.
        found: the evaluation of the collection.
        collection: of lines and of what is to be seen of them.

    Raises:
        OSError: the folder cannot be written.
    """
    matrix = draw_confusions(found.confusions)
    page = render_page(found, matrix, collection.crops, collection.worst.lines(), collection.most_confident.lines())
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE, table_of(collection.rows()))
    write_text(folder / "report.html", page)
    (folder / "confusions.png").unlink(missing_ok=True)  # an earlier evaluation's, if now there is none
    if matrix is not None:
        with replacing(folder / "confusions.png") as file:
            file.write(encode_png(matrix))
    write_json(folder / "result.json", found.to_json())
