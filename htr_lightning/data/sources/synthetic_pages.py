"""Synthetic pages to train a line finder with: lines from fonts, set as letters, columns and tables."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Split
from htr_lightning.data.page_targets import TargetLine
from htr_lightning.data.sources.figures import SYMBOLS, sample_figures, sample_number
from htr_lightning.data.sources.page_canvas import PageTexts
from htr_lightning.data.sources.page_composer import PageComposer, turn_target
from htr_lightning.data.sources.page_scenery import add_scenery, draw_sheet
from htr_lightning.data.sources.rendered_lines import RenderedLines
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.errors import InputError
from htr_lightning.image.page_pixels import PagePreprocess, stretch_page

_LONGEST_PX = 1500
_KINDS = ("letter", "columns", "table", "double", "notes")
_VERTICAL_KINDS = ("letter", "columns")  # columns become registers, one below the other
_SPLIT_NUMBERS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}
_SPARE_LINES = 600  # texts that pages choose from


class SyntheticPages:
    """Pages of lines in handwriting fonts, with tables, columns, double pages, notes, figures, edges and gutters.

    The same arguments give the same pages on any machine.

    Args:
        num_train: number of training pages; there are none in the other splits.
        lines: the texts and fonts of the lines; None for the defaults of `Synthetic`.
        seed: of the pages.
        num_vertical: number of further training pages with vertical lines, as in Chinese and Japanese: characters below
            each other, the first line at the right. Half of them are turned, as a finder learns the shape of lines from
            those that run from left to right.
        vertical: the texts and fonts of their lines, such as ``languages: [zh]`` with ``font_folder``; None for those
            of the other pages.

    Raises:
        InputError: a number is out of its range.
    """

    def __init__(
        self,
        *,
        num_train: int = 120,
        lines: Synthetic | None = None,
        seed: int = 1,
        num_vertical: int = 0,
        vertical: Synthetic | None = None,
    ) -> None:
        for name, number in (("num_train", num_train), ("num_vertical", num_vertical)):
            if number < 0:
                key, remedy = f"loader.synthetic.{name}", "give 0 or more"
                raise InputError("the number is negative", key=key, value=number, remedy=remedy)
        self.num_train, self.num_vertical, self.seed = num_train, num_vertical, seed
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
        self._vertical_source = vertical or self._source

    def pages(self, split: Split) -> list["SyntheticPage"]:
        """Return the pages of a split; their pixels are made when they are read."""
        pages: list[SyntheticPage] = []
        if split == "train" and self.num_train:
            texts = _add_figures(RenderedLines(self._source.lines("train")), self.seed)
            for number in range(self.num_train):
                pages.append(SyntheticPage(f"synthetic/{number:05d}", texts, (self.seed, number)))
        if split == "train" and self.num_vertical:
            texts = _add_figures(RenderedLines(self._vertical_source.lines("train"), sideways=True), self.seed)
            for number in range(self.num_vertical):
                pages.append(SyntheticPage(f"synthetic/vertical/{number:05d}", texts, (self.seed, number, 1), True))
        return pages


def _add_figures(lines: RenderedLines, seed: int) -> PageTexts:
    return PageTexts(
        lines, lines.with_texts(sample_figures, SYMBOLS, seed), lines.with_texts(sample_number, SYMBOLS, seed)
    )


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticPage:
    """A page, made when it is read.

    Attributes:
        id: unique within its dataset.
        texts: to choose from.
        seed: of the page.
        is_vertical: whether it has vertical lines, or lines like vertical ones that were turned.
    """

    id: str
    texts: PageTexts
    seed: tuple[int, ...]
    is_vertical: bool = False

    @property
    def fingerprint(self) -> str:
        """The seed."""
        return f"{self.seed}"

    def read(self, preprocess: PagePreprocess) -> tuple[NDArray[np.uint8], list[TargetLine]]:
        """Draw the page; see `htr_lightning.data.training_page.TrainingPage`."""
        generator = np.random.default_rng(self.seed)
        kind = str(generator.choice(_VERTICAL_KINDS if self.is_vertical else _KINDS))
        aspect = generator.uniform(1.3, 1.6) if kind == "double" else 1 / generator.uniform(1.2, 1.6)
        width = _LONGEST_PX if aspect > 1 else round(_LONGEST_PX * aspect)
        height = round(_LONGEST_PX / aspect) if aspect > 1 else _LONGEST_PX
        font = str(generator.choice(self.texts.lines.fonts))
        composer = PageComposer(draw_sheet(height, width, generator), self.texts, font, generator)
        getattr(composer, f"set_{kind}")()
        sheet, targets = composer.finish(), composer.targets
        if self.is_vertical and generator.random() < 0.5:
            targets = [turn_target(target, 1, sheet.shape) for target in targets if target.orientation == 0]
            sheet = np.ascontiguousarray(np.rot90(sheet, -1))
        return stretch_page(add_scenery(sheet, generator)), targets
