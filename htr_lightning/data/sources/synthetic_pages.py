"""Synthetic pages to train a line finder with: lines from fonts, set as letters, columns and tables."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Split
from htr_lightning.data.page_targets import TargetLine
from htr_lightning.data.sources.page_composer import PageComposer, RenderedLines
from htr_lightning.data.sources.page_scenery import add_scenery, draw_sheet
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.errors import InputError
from htr_lightning.image.page_pixels import PagePreprocess, stretch_page

_LONGEST_PX = 1500
_KINDS = ("letter", "columns", "table", "double", "notes")
_SPLIT_NUMBERS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}
_SPARE_LINES = 600  # texts that pages choose from


class SyntheticPages:
    """Pages of lines in handwriting fonts, with tables, columns, double pages, notes in margins, edges and gutters.

    The same arguments give the same pages on any machine.

    Args:
        num_train: number of training pages; there are none in the other splits.
        lines: the texts and fonts of the lines; None for the defaults of `Synthetic`.
        seed: of the pages.

    Raises:
        InputError: a number is out of its range.
    """

    def __init__(self, *, num_train: int = 120, lines: Synthetic | None = None, seed: int = 1) -> None:
        if num_train < 0:
            key, remedy = "loader.synthetic.num_train", "give 0 or more"
            raise InputError("the number is negative", key=key, value=num_train, remedy=remedy)
        self.num_train, self.seed = num_train, seed
        self._source = lines or Synthetic(
            num_train=_SPARE_LINES,
            num_val=0,
            num_test=0,
            languages=["fr", "en", "de"],
            min_length=2,
            max_length=60,
            paper_texture=0.0,
            ink_lightness=0.0,
            ruling=0.0,
            margin_px=0,
            seed=seed,
        )

    def pages(self, split: Split) -> list["SyntheticPage"]:
        """Return the pages of a split; their pixels are made when they are read."""
        if split != "train" or not self.num_train:
            return []
        lines = RenderedLines(self._source.lines("train"))
        numbers = range(self.num_train)
        return [SyntheticPage(f"synthetic/{number:05d}", lines, (self.seed, number)) for number in numbers]


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticPage:
    """A page, made when it is read.

    Attributes:
        id: unique within its dataset.
        lines: to choose from.
        seed: of the page.
    """

    id: str
    lines: RenderedLines
    seed: tuple[int, int]

    @property
    def fingerprint(self) -> str:
        """The seed."""
        return f"{self.seed}"

    def read(self, preprocess: PagePreprocess) -> tuple[NDArray[np.uint8], list[TargetLine]]:
        """Draw the page; see `htr_lightning.data.training_page.TrainingPage`."""
        generator = np.random.default_rng(self.seed)
        kind = str(generator.choice(_KINDS))
        aspect = generator.uniform(1.3, 1.6) if kind == "double" else 1 / generator.uniform(1.2, 1.6)
        width = _LONGEST_PX if aspect > 1 else round(_LONGEST_PX * aspect)
        height = round(_LONGEST_PX / aspect) if aspect > 1 else _LONGEST_PX
        font = str(generator.choice(self.lines.fonts))
        composer = PageComposer(draw_sheet(height, width, generator), self.lines, font, generator)
        getattr(composer, f"set_{kind}")()
        sheet = add_scenery(composer.finish(), generator)
        return stretch_page(sheet), composer.targets
