"""The worst pages of a folder of results, to correct them first."""

import math
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.correction.page import ProjectPage
from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError
from htr_lightning.reading.records.index import read_ranks


def choose_worst(pages: Sequence[ProjectPage], folder: Path, index: Path, fraction: float) -> list[ProjectPage]:
    """Return the pages with the highest expected CER, the worst first.

    Args:
        pages: of the folder.
        folder: that was searched for them; ``predict`` searched the same one when it made the index.
        index: see `htr_lightning.reading.records.index.write_index`.
        fraction: of the pages of the index that are in the folder, 0..1; one page at least.

    Raises:
        DataError: the index cannot be read, or has none of the pages.
        InputError: it is not a fraction.
    """
    if not 0 < fraction <= 1:
        remedy = "give a number above 0, and at most 1: 0.01 is the worst hundredth"
        raise InputError("this is not a fraction", key="--worst", value=fraction, remedy=remedy)
    ranks = read_ranks(index)
    known = {_get_result(page, folder): page for page in pages}
    ranked = sorted((name for name in ranks if name in known), key=ranks.__getitem__)
    if not ranked:
        problem = f"it has none of the pages of {folder}"
        remedy = "name the folder of scans that predict read when it wrote this index"
        raise DataError(problem, file=index, remedy=remedy, kind="other_pages")
    return [known[name] for name in ranked[: math.ceil(fraction * len(ranked))]]


def _get_result(page: ProjectPage, folder: Path) -> str:
    """Return the name of the results of a page, as the index has it: its path in the folder without suffix."""
    return (page.scan.path.relative_to(folder).parent / page.scan.stem).as_posix()
