"""Bentham R0 (ICFHR 2014, HTRtS): English manuscripts by Jeremy Bentham and his secretaries, 1748-1832."""

import re
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.archive import listed, need
from htr_lightning.data.sources.markup import Markup
from htr_lightning.data.sources.pages import Pages

_GT, _IMAGES = "BenthamDatasetR0-GT", "BenthamDatasetR0-Images"
_LISTS: dict[Split, str] = {"train": "Train", "val": "Validation", "test": "Test"}
_PAGE = re.compile(r"^\d+_\d+_\d+")  # 002_080_001_01_02 is a line of the page 002_080_001
_REPLACED = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&", r"\s*<gap\s*/>\s*": " "}
"""Entities, which some texts have as in XML, and the sign for what could not be read."""


class Bentham:
    """The 433 pages of Bentham R0 as the contest gave them out, divided by page: 9,198 / 1,415 / 860 lines.

    The archive ``BenthamDatasetR0-GT`` has lines that are cut out already (``Images/Lines/ID.png``, transparent
    outside the outline), their texts (``Transcriptions/ID.txt``) and the lists of the splits
    (``Partitions/TrainLines.lst`` ...); published figures are of these. With ``BenthamDatasetR0-Images`` too, the
    lines can be cut from the pages (``PAGE/*.xml``) in color, with paper around them.

    The texts set spaces around punctuation (``engagement , consigned``) and are left so, as error rates are
    published for them. ``<gap/>``, which stands for what could not be read (in about 70 lines), is deleted. The
    group is the page; the writers are not known.

    Sánchez, Romero, Toselli and Vidal: ICFHR2014 Competition on Handwritten Text Recognition on tranScriptorium
    Datasets (HTRtS), 2014.

    Args:
        root: folder that holds ``BenthamDatasetR0-GT``.
        from_pages: cut the lines from the pages; needs ``BenthamDatasetR0-Images`` beside.
        replace: pairs of a regular expression and its replacement in texts; ``[[' +(?=[,.;:?!])', '']]`` joins
            punctuation to its word.
        drop_text: regular expressions; lines whose text matches one are left out.
        padding_px: pixels of the page around the outline, with ``from_pages``.

    Raises:
        DataError: an expression is none.
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
        self._markup = Markup({}, [*_REPLACED.items(), *replace], drop_text)
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
                replace=[*_REPLACED.items(), *replace],
                drop_text=drop_text,
                padding_px=padding_px,
            )

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split in the order of its list.

        Raises:
            DataError: a part of the archives is missing; names it and says where it comes from.
        """
        parts = [f"{_GT}/Partitions/{_LISTS[split]}{'' if self._pages else 'Lines'}.lst"]
        parts += [f"{_GT}/PAGE"] if self._pages else [f"{_GT}/Transcriptions", f"{_GT}/Images/Lines"]
        for part in parts:
            need(self.root, part, f"{_GT}.tbz from Zenodo record 44519")
        if self._pages:
            need(self.root, f"{_IMAGES}/Images/Pages", f"{_IMAGES}.tbz from Zenodo record 44519")
            return self._pages.lines(split)
        names, texts, images = (self.root / part for part in parts)
        return list(listed(names, texts, images, ".png", self._markup, _PAGE))
