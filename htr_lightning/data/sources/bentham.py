"""Bentham R0 (ICFHR 2014, HTRtS): English manuscripts by Jeremy Bentham and his secretaries, 1748-1832."""

import re
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.data.line import LeftOut, Line, Split
from htr_lightning.data.sources.archive import read_listed_lines, require_part
from htr_lightning.data.sources.markup import MarkupRules
from htr_lightning.data.sources.pages import Pages

_GT, _IMAGES = "BenthamDatasetR0-GT", "BenthamDatasetR0-Images"
_LISTS: dict[Split, str] = {"train": "Train", "val": "Validation", "test": "Test"}
_PAGE = re.compile(r"^\d+_\d+_\d+")  # the line 002_080_001_01_02 is on the page 002_080_001
_REPLACE = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&", r"\s*<gap\s*/>\s*": " "}
"""XML entities, which some texts contain, and the marker of illegible text."""


class Bentham:
    """The 433 pages of Bentham R0 with the splits of the competition, by page: 9,198 / 1,415 / 860 lines.

    The archive ``BenthamDatasetR0-GT`` contains images of the lines (``Images/Lines/ID.png``, transparent outside the
    polygon), their texts (``Transcriptions/ID.txt``) and the lists of the splits (``Partitions/TrainLines.lst`` ...);
    published results are for these. With ``BenthamDatasetR0-Images`` in addition, the lines can be cropped from the
    pages (``PAGE/*.xml``) in color, with the paper around them.

    The texts have spaces around punctuation (``engagement , consigned``); they are kept, because error rates are
    published for them. ``<gap/>``, which marks illegible text (in about 70 lines), is deleted. The group is the page;
    the writers are unknown.

    Sánchez, Romero, Toselli and Vidal: ICFHR2014 Competition on Handwritten Text Recognition on tranScriptorium
    Datasets (HTRtS), 2014.

    Args:
        root: folder that contains ``BenthamDatasetR0-GT``.
        from_pages: crop the lines from the pages; needs ``BenthamDatasetR0-Images`` in the root too.
        replace: pairs of a regular expression and its replacement in texts; ``[[' +(?=[,.;:?!])', '']]`` removes the
            spaces before punctuation.
        drop_text: regular expressions; lines whose text contains a match are dropped.
        padding_px: margin around the polygon, with ``from_pages``.

    Raises:
        DataError: a regular expression is invalid.
    """

    def __init__(
        self,
        root: str,
        *,
        from_pages: bool = False,
        replace: Sequence[Sequence[str]] = (),
        drop_text: Sequence[str] = (),
        padding_px: float = 0,
    ) -> None:
        self.root = Path(root)
        self._markup = MarkupRules({}, [*_REPLACE.items(), *replace], drop_text)
        self._pages: Pages | None = None
        if from_pages:
            lists = [f"{_GT}/Partitions/{name}.lst" for name in _LISTS.values()]
            self._pages = Pages(
                root,
                format="page_xml",
                group_pattern="[^/]+$",
                images=f"{_IMAGES}/Images/Pages",
                train=lists[0],
                val=lists[1],
                test=lists[2],
                replace=[*_REPLACE.items(), *replace],
                drop_text=drop_text,
                padding_px=padding_px,
            )

    def left_out(self, split: Split) -> LeftOut:
        """Return what the last call of `lines` left out."""
        return self._pages.left_out(split) if self._pages else {}

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split in the order of its list.

        Raises:
            DataError: a part of the archives is missing; the remedy names its origin.
        """
        parts = [f"{_GT}/Partitions/{_LISTS[split]}{'' if self._pages else 'Lines'}.lst"]
        parts += [f"{_GT}/PAGE"] if self._pages else [f"{_GT}/Transcriptions", f"{_GT}/Images/Lines"]
        for part in parts:
            require_part(self.root, part, f"{_GT}.tbz from Zenodo record 44519")
        if self._pages:
            require_part(self.root, f"{_IMAGES}/Images/Pages", f"{_IMAGES}.tbz from Zenodo record 44519")
            return self._pages.lines(split)
        list_file, texts, images = (self.root / part for part in parts)
        return list(read_listed_lines(list_file, texts, images, ".png", self._markup, _PAGE))
