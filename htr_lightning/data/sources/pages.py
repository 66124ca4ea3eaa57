"""Folders of pages with their layouts (ALTO, PAGE), as eScriptorium, Transkribus and OCR-D write them."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.lines import check_ratios
from htr_lightning.data.sources.markup import Markup, compiled
from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.data.sources.page_splits import PageSplits
from htr_lightning.image.crop import PageCrop, check_padding
from htr_lightning.image.files import DataError, ImageFile, UnusableImage
from htr_lightning.layout.formats import FORMATS, TITLES
from htr_lightning.layout.page import Page, PageLine
from htr_lightning.layout.xml import get_local_name, read_xml

log = logging.getLogger(__name__)
Format = Literal["alto", "page_xml"]


class Pages:
    """Pages in a folder and its subfolders: layout files, and images that are found by name.

    Files of another format (an export's ``mets.xml``, ALTO beside PAGE) are not read. Lines without text are not
    transcribed and are left out; a page of which no line has text counts as an unusable line, as does a damaged file.

    The splits come from the first of these that there is: ``train``, ``val`` and ``test``; folders in the root
    that are called so; ``split_ratios``, whole groups at a time (see `htr_lightning.data.sources.lines.Lines`).

    Args:
        root: the folder.
        format: of the layout files.
        images: folder of the images, for pages whose image is not found under the root.
        train: pages of the split: a folder, or a text file with the name of a page in each row (with or without
            its folders and suffix); relative to the root.
        val: the same of the validation split.
        test: the same of the test split.
        split_ratios: the shares of train, val and test, if nothing else divides the pages.
        split_seed: another number divides differently.
        group_pattern: a regular expression that is searched in the path of a page (without suffix): what its
            parentheses match is the group, such as the writer. None takes each page, by its path, for a group.
        region_types: keep only lines in regions of these types; None for all.
        drop_region_types: leave out lines in regions of these types.
        line_types: keep only lines of these types; None for all.
        drop_line_types: leave out lines of these types.
        spans: what becomes of marked text, by tag; see `htr_lightning.data.sources.markup.Markup`.
        replace: pairs of a regular expression and its replacement in texts.
        drop_text: regular expressions; lines whose text matches one are left out.
        mask: paint what is outside a line's outline in the paper's color.
        straighten: along the baseline, when it is curved or slanting.
        padding_px: pixels of the image around the outline.

    Raises:
        DataError: the arguments contradict each other, or a pattern is not a regular expression.
    """

    def __init__(
        self,
        root: str,
        *,
        format: Format,
        images: str | None = None,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        split_ratios: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 1,
        group_pattern: str | None = None,
        region_types: Sequence[str] | None = None,
        drop_region_types: Sequence[str] = (),
        line_types: Sequence[str] | None = None,
        drop_line_types: Sequence[str] = (),
        spans: Mapping[str, str] | None = None,
        replace: Sequence[Sequence[str]] = (),
        drop_text: Sequence[str] = (),
        mask: bool = True,
        straighten: bool = True,
        padding_px: float = 0,
    ) -> None:
        self.root, self.format = Path(root), format
        self._images = PageImages(self.root / images if images else self.root)
        lists: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        named = {split: name for split, name in lists.items() if name}
        if named and "train" not in named:
            raise DataError(f"dataset.train: missing beside dataset.{next(iter(named))}; name it too")
        check_ratios(split_ratios)
        check_padding(padding_px)
        self._splits = PageSplits(self.root, named, split_ratios, split_seed, self._group, self._is_ours)
        self._group_pattern = compiled(group_pattern, "group_pattern") if group_pattern else None
        self._regions_of = _Types("region", region_types, drop_region_types)
        self._lines_of = _Types("line", line_types, drop_line_types)
        self._markup = Markup(spans or {}, replace, drop_text)
        self._mask, self._straighten, self._padding_px = mask, straighten, padding_px

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split: page by page, in the order of their paths, each in reading order.

        Raises:
            DataError: the root, or what ``train``, ``val`` or ``test`` name, is missing; there are no layout files
                of the format; nothing is of a type to keep.
        """
        lines: list[Line] = []
        others: Counter[str] = Counter()
        layouts = self._splits.of(split)
        if not self._images.root.is_dir():
            raise DataError(f"dataset.images: {self._images.root} is not a folder; name the folder of the page images")
        for layout in layouts:
            if isinstance(layout, Line):
                lines.append(layout)
                continue
            try:
                root = read_xml(layout)
                if FORMATS[self.format].matches(root):
                    lines += self._of_page(FORMATS[self.format].parse_page(root, layout))
                else:
                    others[get_local_name(root)] += 1
            except DataError as error:
                lines.append(self._unusable(layout, str(error)))
        self._report(others, len(layouts), split)
        if split == "train":
            self._lines_of.check(self.root)
            self._regions_of.check(self.root)
        return lines

    def _report(self, others: Counter[str], number: int, split: Split) -> None:
        """Say which files are of another format; refuse if all are."""
        found = ", ".join(f"{name} ({times})" for name, times in others.items())
        if number and others.total() == number:
            raise DataError(
                f"{self.root}: none of the {number} XML files for {split} is {TITLES[self.format]}; their first "
                f"elements are {found}; choose dataset=alto for alto, dataset=page_xml for PcGts"
            )
        if set(others) - {"mets"}:  # which belongs to every export
            log.warning("%s: XML files for %s that are not %s are not read: %s", self.root, split, self.format, found)

    def _is_ours(self, layout: Path) -> bool:
        try:
            return bool(FORMATS[self.format].matches(read_xml(layout)))
        except DataError:
            return True  # damaged, which is to be reported

    def _group(self, layout: Path) -> str:
        name = layout.relative_to(self.root).with_suffix("").as_posix()
        match = self._group_pattern.search(name) if self._group_pattern else None
        return "".join(group or "" for group in match.groups()) or match[0] if match else name

    def _of_page(self, page: Page) -> Iterator[Line]:
        """Yield the lines of a page that have text and are of a type to keep."""
        name = page.path.relative_to(self.root).with_suffix("").as_posix()
        if page.lines and not any(line.text.strip() for line in page.lines):
            yield self._unusable(
                page.path,
                f"{page.path}: none of its {len(page.lines)} lines has text; transcribe the page or remove it",
            )
            return
        image: ImageFile | str | None = None
        band = page.line_spacing
        for line in page.lines:
            text = self._markup(line.text, line.spans)
            if not (self._regions_of.keeps(line.region_type) and self._lines_of.keeps(line.type) and text):
                continue
            image = image or self._image_of(page)  # only of pages with a line to keep
            reason = f"line {line.id}: {line.problem}" if line.problem else image
            if isinstance(reason, str):
                where = "" if reason is image else f"{page.path}: "
                yield Line(f"{name}/{line.id}", UnusableImage(f"{where}{reason}"), text, self._group(page.path))
            else:
                cut = self._cut(line, page, reason, band)
                yield Line(f"{name}/{line.id}", cut, text, self._group(page.path))

    def _image_of(self, page: Page) -> ImageFile | str:
        try:
            return ImageFile(self._images.find(page.path, page.image_name))
        except DataError as error:
            return str(error)

    def _cut(self, line: PageLine, page: Page, image: ImageFile, band: float) -> PageCrop:
        baseline = line.baseline if self._straighten or not len(line.polygon) else line.baseline[:0]
        return PageCrop(image, line.polygon, baseline, page.size, self._padding_px, self._mask, band)

    def _unusable(self, layout: Path, reason: str) -> Line:
        name = layout.relative_to(self.root).with_suffix("").as_posix()
        return Line(name, UnusableImage(reason), "", self._group(layout))


class _Types:
    """Which types of regions or lines to use, and whether there are such."""

    def __init__(self, what: str, keep: Sequence[str] | None, drop: Sequence[str]) -> None:
        self.what, self.keep, self.drop = what, None if keep is None else set(keep), set(drop)
        self.seen: set[str] = set()

    def keeps(self, type: str) -> bool:
        self.seen.add(type)
        return type not in self.drop and (self.keep is None or type in self.keep)

    def check(self, root: Path) -> None:
        """Refuse types to keep of which there is not one; say which types to drop were never met."""
        have = ", ".join(sorted(map(repr, self.seen)))
        if self.keep and self.seen and not self.keep & self.seen:
            raise DataError(f"{root}: no {self.what} is of a type in dataset.{self.what}_types; there are {have}")
        for type in sorted(self.drop - self.seen):
            log.info("%s: no %s of the type %r to drop; there are %s", root, self.what, type, have)
