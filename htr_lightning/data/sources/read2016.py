"""READ 2016 (ICFHR 2016): minutes of the council of Bozen, 1470-1805, in Early Modern German."""

from collections.abc import Sequence
from pathlib import Path

from htr_lightning.data.line import LeftOut, Line, Split
from htr_lightning.data.sources.archive import require_part
from htr_lightning.data.sources.data_files import find_files
from htr_lightning.data.sources.pages import Pages
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError

_PARTS: dict[Split, str] = {
    "train": "PublicData/Training",
    "val": "PublicData/Validation",
    "test": "Test-ICFHR-2016",
}
_ARCHIVES: dict[Split, str] = {
    "train": "Train-And-Val-ICFHR-2016.tgz from Zenodo record 1164045",
    "val": "Train-And-Val-ICFHR-2016.tgz from Zenodo record 1164045",
    "test": "Test-ICFHR-2016.tgz from Zenodo record 1164045",
}


class Read2016:
    """350 / 50 / 50 pages of the *Ratsprotokolle*, with the splits of the competition.

    Both archives are unpacked unchanged into one folder: ``PublicData/Training`` and ``PublicData/Validation`` with
    ``Images/*.JPG`` and ``page/*.xml`` (PAGE), ``Test-ICFHR-2016`` with ``*.JPG`` and ``page/*.xml``.

    Published line results count 8,349 / 1,040 / 1,138 lines, cropped as the bounding boxes of their polygons; for such
    boxes set ``mask: false`` and ``straighten: false``. The files contain slightly more (8,367 and 1,043 for training
    and validation), among them a few without text, such as page numbers, which are left out.

    Texts are unchanged: ``¬`` at the end of a line marks a divided word. The group is the page; the writers are
    unknown.

    Sánchez, Romero, Toselli and Vidal: ICFHR2016 Competition on Handwritten Text Recognition on the READ Dataset,
    2016. CC BY 4.0.

    Args:
        root: the folder.
        with_test: False works without the archive of the test pages; the test split is then empty.
        replace: pairs of a regular expression and its replacement in texts.
        drop_text: regular expressions; lines whose text contains a match are dropped.
        mask: paint what is outside a line's polygon in the color of the paper.
        straighten: straighten curved or slanted lines along their baseline.
        padding_px: margin around the polygon.

    Raises:
        DataError: a regular expression is invalid.
    """

    def __init__(
        self,
        root: str,
        *,
        with_test: bool = True,
        replace: Sequence[Sequence[str]] = (),
        drop_text: Sequence[str] = (),
        mask: bool = True,
        straighten: bool = True,
        padding_px: float = 0,
    ) -> None:
        self.root, self._with_test = Path(root), with_test
        self._pages = Pages(
            root,
            format="page_xml",
            train=_PARTS["train"],
            val=_PARTS["val"],
            test=_PARTS["test"] if with_test else None,
            replace=replace,
            drop_text=drop_text,
            mask=mask,
            straighten=straighten,
            padding_px=padding_px,
        )

    def left_out(self, split: Split) -> LeftOut:
        """Return what the last call of `lines` left out."""
        return self._pages.left_out(split)

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split, page by page, each in reading order.

        Raises:
            DataError: a part of the archives is missing; the remedy names its origin.
        """
        if split == "test" and not self._with_test:
            return []
        alternative = "set dataset.with_test=false" if split == "test" else ""
        folder = require_part(self.root, f"{_PARTS[split]}/page", _ARCHIVES[split], alternative).parent
        if not any(path.is_file() for path in find_files(folder, IMAGE_SUFFIXES)):
            remedy = f"unpack {_ARCHIVES[split]} again, completely"
            problem = "this folder contains layouts (page/*.xml) but no images"
            raise DataError(problem, file=folder, remedy=remedy, kind="missing")
        return self._pages.lines(split)
