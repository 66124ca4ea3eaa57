"""READ 2016 (ICFHR 2016): minutes of the council of Bozen, 1470-1805, in Early Modern German."""

from collections.abc import Sequence
from pathlib import Path

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.archive import need
from htr_lightning.data.sources.page_images import files_under
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
    """350 / 50 / 50 pages of the *Ratsprotokolle*, in the contest's own division.

    Both archives are unpacked into one folder, as they are: ``PublicData/Training`` and ``PublicData/Validation``
    with ``Images/*.JPG`` and ``page/*.xml`` (PAGE), ``Test-ICFHR-2016`` with ``*.JPG`` and ``page/*.xml``.

    Published line results count 8,349 / 1,040 / 1,138 lines, cut out as the boxes of their outlines; for such boxes:
    ``mask: false``, ``straighten: false``. The files hold slightly more (8,367 and 1,043 for training and
    validation), among them a few without text, such as page numbers, which are left out.

    Texts are as they were written out: ``¬`` at the end of a line for a divided word. The group is the page; the
    writers are not known.

    Sánchez, Romero, Toselli and Vidal: ICFHR2016 Competition on Handwritten Text Recognition on the READ Dataset,
    2016. CC BY 4.0.

    Args:
        root: the folder.
        with_test: False to do without the archive of the test pages; the test split is then empty.
        replace: pairs of a regular expression and its replacement in texts.
        drop_text: regular expressions; lines whose text matches one are left out.
        mask: paint what is outside a line's outline in the paper's color.
        straighten: along the baseline, when it is curved or slanting.
        padding_px: pixels of the image around the outline.

    Raises:
        DataError: an expression is none.
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

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split, page by page, each in reading order.

        Raises:
            DataError: a part of the archives is missing; names it and says where it comes from.
        """
        if split == "test" and not self._with_test:
            return []
        otherwise = ", or set dataset.with_test=false to do without" if split == "test" else ""
        place = need(self.root, f"{_PARTS[split]}/page", _ARCHIVES[split], otherwise).parent
        if not any(path.is_file() for path in files_under(place, IMAGE_SUFFIXES)):
            raise DataError(f"{place}: has layouts (page/*.xml) but no images; unpack {_ARCHIVES[split]} again, whole")
        return self._pages.lines(split)
