"""Pages in scripts that are written in rows and in columns, such as Chinese and Japanese ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import Direction
from htr_lightning.directions.scripts import ColumnDirection
from htr_lightning.image.turn import turn_upright
from htr_lightning.segmentation.grouping import group_page
from htr_lightning.segmentation.page import DetectedPage
from htr_lightning.segmentation.row_finders import RowFinder
from htr_lightning.segmentation.vertical import TURNS, group_columns


@dataclass(frozen=True, slots=True)
class IdeographSegmenter:
    """Finds the regions and lines of pages in rows or in columns, whichever the page has.

    The same rows are searched on the page as it is and on the page turned counterclockwise, where columns are rows,
    the rightmost at the top.

    Args:
        finder: finds rows.
        rows: direction of the text in rows; None if all lines are vertical.
        columns: how vertical lines follow each other; None if there are none. One of both must be given.
    """

    finder: RowFinder
    rows: Direction | None = "ltr"
    columns: ColumnDirection | None = "ttb"

    def __post_init__(self) -> None:
        assert self.rows or self.columns

    def find(self, image: NDArray[np.uint8]) -> DetectedPage:
        """Find regions and lines; whether the page lies upside down is not known."""
        height, width = image.shape[:2]
        turned = turn_upright(image, TURNS)
        if self.columns is None or (self.rows is not None and self.finder.has_rows(image, turned)):
            return group_page(self.finder.find_rows(image), width, height, direction=self.rows or "ltr")
        return group_columns(self.finder.find_rows(turned), width, height, self.columns)
