"""Folders of page images with layout files (ALTO, PAGE), as written by eScriptorium, Transkribus and OCR-D."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from htr_lightning.data.line import UNTRANSCRIBED, LeftOut, Line, Split
from htr_lightning.data.sources.image_names import ImageNames
from htr_lightning.data.sources.markup import MarkupRules, compile_pattern
from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.data.sources.page_remarks import OUTLINE_MISPLACED, OUTLINE_TOO_LOW, PageRemarks
from htr_lightning.data.sources.page_splits import PageSplits
from htr_lightning.data.sources.splits import check_ratios
from htr_lightning.image.crop import PageCrop, check_padding
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage
from htr_lightning.image.scan import Scan
from htr_lightning.layout import page_xml
from htr_lightning.layout.formats import FORMATS, TITLES
from htr_lightning.layout.page import Page, PageLine
from htr_lightning.layout.xml import read_xml

log = logging.getLogger(__name__)
_OTHER_TYPE = "of a region or line type that the dataset does not keep"
_GUESS = "whose only text has a TextEquiv index above 0, which is a recognizer's (see dataset.text_index)"
_REMOVED_TEXT = "whose text dataset.drop_text, replace or spans removes"
Format = Literal["alto", "page_xml"]
Outlines = Literal["auto", "keep", "baseline"]
_OUTLINES = get_args(Outlines)
_OLD_OUTLINES = {"use": "auto", "ignore": "baseline"}  # names of earlier versions


class Pages:
    """Pages in a folder and its subfolders: layout files, and images that are found by name.

    Files of another format (an export's ``mets.xml``, ALTO next to PAGE) are put aside first. Lines without text are
    considered untranscribed and left out; a page none of whose lines has text counts as an unusable line, and so does
    a damaged file.

    The splits come from the first of these that exists: ``train``, ``val`` and ``test``; folders in the root with
    these names; ``split_ratios``, in whole groups (see `htr_lightning.data.sources.lines.Lines`).

    Args:
        root: the folder.
        format: of the layout files.
        images: folder of the page images, if they are not in the root.
        image_names: pairs of a regular expression and its replacement, applied to the image names of the layout files
            before the images are searched for; to the stem of a layout file that names no image.
        train: pages of the training split: a folder, or a text file with the name of a page in each row (with or
            without its folders and suffix); relative to the root.
        val: pages of the validation split, likewise.
        test: pages of the test split, likewise.
        split_ratios: fractions of train, val and test, where nothing else defines the splits; they sum to 1.
        split_seed: seed of the split by ratios.
        group_pattern: regular expression that is searched in the path of a page (without suffix); its capturing groups
            give the group of the page, such as the writer. None makes each page a group.
        region_types: keep only lines in regions of these types; None for all.
        drop_region_types: drop lines in regions of these types.
        line_types: keep only lines of these types; None for all.
        drop_line_types: drop lines of these types.
        spans: what to do with marked text, by tag; see `htr_lightning.data.sources.markup.MarkupRules`.
        replace: pairs of a regular expression and its replacement in texts.
        drop_text: regular expressions; lines whose text contains a match are dropped.
        text_index: of the TextEquivs of PAGE to learn from, such as 0, where programs like LAREX keep transcriptions
            apart from predictions (1, 2 ...). None selects the lowest of each line; a line that has none with index 0
            is left out if others of its page have one.
        outlines: ``auto`` crops by the polygons of lines, but a band around the baseline, as high as the distance of
            the lines, where a polygon is far too low, elsewhere than its baseline, or outside the page; ``keep`` always
            crops by the polygon if there is one, ``baseline`` always along the baseline if there is one.
        mask: paint what is outside a line's polygon in the color of the paper.
        straighten: straighten curved or slanted lines along their baseline.
        padding_px: margin around the polygon.

    Raises:
        DataError: the arguments contradict each other, or a pattern is not a regular expression.
    """

    def __init__(
        self,
        root: str,
        *,
        format: Format,
        images: str | None = None,
        image_names: Sequence[Sequence[str]] = (),
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
        text_index: int | None = None,
        outlines: Outlines = "auto",
        mask: bool = True,
        straighten: bool = True,
        padding_px: float = 0,
    ) -> None:
        self.root, self.format = Path(root), format
        self._images = PageImages(self.root / images if images else self.root, ImageNames(image_names))
        lists: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        given = {split: name for split, name in lists.items() if name}
        if given and "train" not in given:
            problem = f"this is not set, although dataset.{next(iter(given))} is"
            raise DataError(problem, key="dataset.train", remedy="set it to a folder or a list of the training pages")
        if text_index is not None and format != "page_xml":
            remedy = "unset it, or set dataset=page_xml"
            raise DataError("only PAGE has such an index", key="dataset.text_index", value=text_index, remedy=remedy)
        _check_outlines(outlines)
        check_ratios(split_ratios)
        check_padding(padding_px)
        self._splits = PageSplits(
            self.root, given, split_ratios, split_seed, self._get_group, [FORMATS[format].ROOT_NAME], TITLES[format]
        )
        self._group_pattern = compile_pattern(group_pattern, "group_pattern") if group_pattern else None
        self._region_filter = _TypeFilter("region", region_types, drop_region_types)
        self._line_filter = _TypeFilter("line", line_types, drop_line_types)
        self._markup = MarkupRules(spans or {}, replace, drop_text)
        self._mask, self._straighten, self._padding_px = mask, straighten, padding_px
        self._text_index, self._outlines = text_index, outlines
        self._remarks = PageRemarks()
        self._left_out: dict[Split, dict[str, list[str]]] = {}

    def left_out(self, split: Split) -> LeftOut:
        """Return what the last call of `lines` left out: lines without text, of other types, with removed texts."""
        return self._left_out.get(split, {})

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split: page by page, in the order of their paths, each in reading order.

        Raises:
            DataError: the root, or what ``train``, ``val`` or ``test`` name, is missing; there are no layout files
                of the format; no line or region has one of the types to keep.
        """
        lines: list[Line] = []
        self._remarks = PageRemarks()
        left_out = self._left_out[split] = {}
        layouts = self._splits.find_pages(split)
        if not self._images.root.is_dir():
            remedy = "set it to the folder of the page images"
            raise DataError("this is not a folder", key="dataset.images", value=self._images.root, remedy=remedy)
        for layout in layouts:
            if isinstance(layout, Line):
                lines.append(layout)
                continue
            try:
                root = read_xml(layout)
                lines += self._read_lines(self._parse_page(root, layout), left_out)
            except DataError as error:
                lines.append(self._build_unusable(layout, error))
        self._images.missing.report(split)
        self._remarks.report(self.root, split)
        if split == "train":
            self._line_filter.check(self.root)
            self._region_filter.check(self.root)
        return lines

    def _get_name(self, layout: Path) -> str:
        return layout.relative_to(self.root).with_suffix("").as_posix()

    def _get_group(self, layout: Path) -> str:
        name = self._get_name(layout)
        match = self._group_pattern.search(name) if self._group_pattern else None
        return "".join(group or "" for group in match.groups()) or match[0] if match else name

    def _parse_page(self, root: Any, layout: Path) -> Page:
        if self.format == "page_xml":
            return page_xml.parse_page(root, layout, self._text_index)
        page: Page = FORMATS[self.format].parse_page(root, layout)
        return page

    def _read_lines(self, page: Page, left_out: dict[str, list[str]]) -> Iterator[Line]:
        """Yield the lines of a page that have text and a type to keep; list the others by the reason."""
        if page.lines and not any(line.text.strip() for line in page.lines):
            problem = f"none of its {len(page.lines)} lines has text"
            remedy = "transcribe the page or remove it"
            yield self._build_unusable(page.path, DataError(problem, file=page.path, remedy=remedy))
            return
        name, group = self._get_name(page.path), self._get_group(page.path)
        image: ImageFile | Scan | UnusableImage | None = None
        line_spacing = page.line_spacing
        problems = self._find_outline_problems(page)
        has_transcriptions = any(line.text_index == 0 for line in page.lines)
        for line in page.lines:
            text = self._markup.apply(line.text, line.spans) or ""
            id = f"{name}/{line.id}"
            if reason := self._get_reason_to_leave_out(line, text):
                left_out.setdefault(reason, []).append(id)
                continue
            if self._text_index is None and line.text_index:
                (self._remarks.guesses_left_out if has_transcriptions else self._remarks.guesses_kept).append(id)
                if has_transcriptions:
                    left_out.setdefault(_GUESS, []).append(id)
                    continue
            if any(span.tag == "HYP" for span in line.spans):
                self._remarks.hyphens.append(id)
            image = image or self._find_image(page)  # only for pages with a line to keep
            if line.problem:
                reason = f"{page.path}: line {line.id}: {line.problem}"
                yield Line(id, UnusableImage(reason), text, group)
            elif isinstance(image, UnusableImage):
                yield Line(id, image, text, group)
            else:
                problem = problems.get(line.id, "")
                if problem:
                    self._remarks.outlines.setdefault(problem, []).append(id)
                crop = self._build_crop(line, page, image, line_spacing, problem)
                yield Line(id, crop, text, group, line.direction)

    def _get_reason_to_leave_out(self, line: PageLine, text: str) -> str:
        """Return why a line is left out; empty if it is not."""
        if not (self._region_filter.keeps(line.region_type) and self._line_filter.keeps(line.type)):
            return _OTHER_TYPE
        if not line.text.strip():
            return UNTRANSCRIBED
        return "" if text else _REMOVED_TEXT

    def _find_image(self, page: Page) -> ImageFile | Scan | UnusableImage:
        try:
            return self._images.find_page(page)
        except DataError as error:
            return UnusableImage(str(error))

    def _find_outline_problems(self, page: Page) -> dict[str, str]:
        """Return why outlines are not used, by the ids of their lines."""
        if self._outlines != "auto":
            return {}
        misplaced = dict.fromkeys(page.find_misplaced_outlines(), OUTLINE_MISPLACED)
        return misplaced | dict.fromkeys(page.find_slivers(), OUTLINE_TOO_LOW)

    def _build_crop(
        self, line: PageLine, page: Page, image: ImageFile | Scan, line_spacing: float, problem: str
    ) -> PageCrop:
        uses_baseline = problem or (self._outlines == "baseline" and len(line.baseline) > 1)
        polygon = line.polygon[:0] if uses_baseline else line.polygon
        baseline = line.baseline if self._straighten or not len(polygon) else line.baseline[:0]
        return PageCrop(
            image,
            polygon,
            baseline,
            page.size,
            self._padding_px,
            self._mask,
            line_spacing,
            outline_problem=problem,
            orientation=line.orientation,
        )

    def _build_unusable(self, layout: Path, error: DataError) -> Line:
        return Line(self._get_name(layout), UnusableImage(str(error)), "", self._get_group(layout))


def _check_outlines(value: str) -> None:
    """Refuse an unknown value; that of an older version with the name that it has now."""
    if value in _OUTLINES:
        return
    choice = ", ".join(_OUTLINES)
    new = _OLD_OUTLINES.get(value)
    problem = f"this value is now called {new}" if new else "unknown value"
    remedy = f"set dataset.outlines={new}" if new else f"choose from {choice}"
    raise DataError(problem, key="dataset.outlines", value=value, remedy=remedy)


class _TypeFilter:
    """Which types of regions or lines to keep; remembers the types that occur."""

    def __init__(self, element: str, keep: Sequence[str] | None, drop: Sequence[str]) -> None:
        self.element, self.keep, self.drop = element, None if keep is None else set(keep), set(drop)
        self.occurring: set[str] = set()

    def keeps(self, type: str) -> bool:
        self.occurring.add(type)
        return type not in self.drop and (self.keep is None or type in self.keep)

    def check(self, root: Path) -> None:
        """Refuse types to keep none of which occurs; log types to drop that do not occur."""
        types = ", ".join(sorted(map(repr, self.occurring)))
        if self.keep and self.occurring and not self.keep & self.occurring:
            problem = f"no {self.element} in {root} has one of these types"
            key, value = f"dataset.{self.element}_types", sorted(self.keep)
            raise DataError(problem, key=key, value=value, remedy=f"choose from {types}")
        for type in sorted(self.drop - self.occurring):
            log.info("%s: no %s has the type %r, which is to be dropped; types are %s", root, self.element, type, types)
