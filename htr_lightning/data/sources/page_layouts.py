"""Folders of page images with layout files, to train a line finder with: ALTO and PAGE, also side by side."""

from collections.abc import Sequence
from pathlib import Path

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.image_names import ImageNames
from htr_lightning.data.sources.markup import compile_pattern
from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.data.sources.page_splits import PageSplits
from htr_lightning.data.sources.splits import check_ratios
from htr_lightning.data.training_page import LayoutPage
from htr_lightning.data.unusable import refuse_or_skip
from htr_lightning.image.files import DataError
from htr_lightning.layout.formats import FORMATS, TITLES, read_layout


class PageLayouts:
    """Pages in a folder and its subfolders, with their baselines; texts are not needed.

    The splits come from the first of these that exists: ``train``, ``val`` and ``test``; folders in the root with
    these names; ``split_ratios``, in whole groups.

    Args:
        root: the folder.
        images: folder of the page images, if they are not in the root.
        image_names: pairs of a regular expression and its replacement, applied to the image names of the layout files.
        train: pages of the training split: a folder, or a text file with the name of a page in each row; relative to
            the root.
        val: pages of the validation split, likewise.
        test: pages of the test split, likewise.
        split_ratios: fractions of train, val and test, where nothing else defines the splits; they sum to 1.
        split_seed: seed of the split by ratios.
        group_pattern: regular expression that is searched in the path of a page (without suffix); its capturing groups
            give the group of the page. None makes each page a group.
        keep: regular expression; only pages whose path contains a match are used. None for all.
        drop: regular expression; pages whose path contains a match are not used.
        max_skipped: maximum number of pages whose layout or image is missing or damaged, or that have no baselines;
            they are named and skipped.

    Raises:
        DataError: the arguments contradict each other, or a pattern is not a regular expression.
    """

    def __init__(
        self,
        root: str,
        *,
        images: str | None = None,
        image_names: Sequence[Sequence[str]] = (),
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        split_ratios: Sequence[float] = (0.9, 0.1, 0.0),
        split_seed: int = 1,
        group_pattern: str | None = None,
        keep: str | None = None,
        drop: str | None = None,
        max_skipped: int = 0,
    ) -> None:
        self.root, self.max_skipped = Path(root), max_skipped
        self._images = PageImages(self.root / images if images else self.root, ImageNames(image_names))
        lists: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        given = {split: name for split, name in lists.items() if name}
        if given and "train" not in given:
            problem = f"this is not set, although dataset.{next(iter(given))} is"
            raise DataError(problem, key="dataset.train", remedy="set it to a folder or a list of the training pages")
        check_ratios(split_ratios)
        self._group_pattern = compile_pattern(group_pattern, "group_pattern") if group_pattern else None
        self._keep = compile_pattern(keep, "keep") if keep else None
        self._drop = compile_pattern(drop, "drop") if drop else None
        names = [module.ROOT_NAME for module in FORMATS.values()]
        title = " or ".join(TITLES.values())
        self._splits = PageSplits(self.root, given, split_ratios, split_seed, self._get_group, names, title)

    def pages(self, split: Split) -> list[LayoutPage]:
        """Return the pages of a split, in the order of their paths.

        Raises:
            DataError: the root, or what ``train``, ``val`` or ``test`` name, is missing; or more than ``max_skipped``
                pages cannot be used.
        """
        pages: list[LayoutPage] = []
        problems: list[str] = []
        for layout in self._splits.find_pages(split):
            if isinstance(layout, Line):
                problems.append(getattr(layout.image, "reason", layout.id))
                continue
            name = self._get_name(layout)
            if (self._keep and not self._keep.search(name)) or (self._drop and self._drop.search(name)):
                continue
            try:
                page = read_layout(layout)
                found = LayoutPage(name, self._images.find_page(page), page)
                found.check()
                pages.append(found)
            except DataError as error:
                problems.append(str(error))
        self._images.missing.report(split)
        refuse_or_skip("cannot be used", problems, self.max_skipped, noun="page", key="dataset.max_skipped")
        return pages

    def _get_name(self, layout: Path) -> str:
        return layout.relative_to(self.root).with_suffix("").as_posix()

    def _get_group(self, layout: Path) -> str:
        name = self._get_name(layout)
        match = self._group_pattern.search(name) if self._group_pattern else None
        return "".join(group or "" for group in match.groups()) or match[0] if match else name
