"""RIMES 2011: French letters that volunteers wrote for given scenarios."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.archive import read_listed_lines, require_part
from htr_lightning.data.sources.data_files import read_text_file
from htr_lightning.data.sources.markup import MarkupRules
from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.image.crop import PageCrop, check_padding
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage
from htr_lightning.image.straighten import Points
from htr_lightning.layout.xml import get_local_name, read_xml

_LINES = "RIMES-2011-Lines"
_LISTS: dict[Split, str] = {"train": "TrainLines.txt", "val": "ValidationLines.txt", "test": "TestLines.txt"}
_PAGES: dict[Split, str] = {
    "train": "training_2011.xml",
    "val": "training_2011.xml",
    "test": "eval_2011_annotated.xml",
}
_ARCHIVES = {
    "training_2011.xml": "training_2011.xml and training_2011_gray.tar of ICDAR 2011 (A2iA)",
    "eval_2011_annotated.xml": "eval_2011_annotated.xml and eval_2011_gray.tar of ICDAR 2011 (A2iA)",
}
_PAGE = re.compile(r"^[^_]+")  # the line train2011-253_000004 is on the page train2011-253

_REPLACE = {r"¤\{([^¤{}/|]*)[/|][^¤{}]*\}¤": r"\1", "¤": ""}
"""Marks around words of which the transcribers were unsure; of several alternatives the first is kept."""

UNRELIABLE_LINES = (
    "train2011-980_000009",
    "train2011-980_000010",
    "train2011-1165_000012",
    "train2011-1165_000013",
    "train2011-1213_000005",
    "train2011-1213_000006",
    "train2011-1213_000007",
    "train2011-1213_000008",
)
"""Lines of ``training_2011.xml`` whose text is that of two lines, or of a neighbor; 10,524 training lines remain."""


class Rimes:
    """RIMES 2011 in either of the forms in which it is distributed, recognized by the content of the root.

    **Pages**, as in the ICDAR 2011 competition: ``training_2011.xml`` and ``eval_2011_annotated.xml`` with the boxes
    and texts of the lines of 1,500 and 100 letters, whose images, ``train2011-0.png`` ... and ``eval2011-0.png`` ...,
    are in ``images_gray``. Lines are cropped as boxes. There is no official validation split; with the usual one, the
    last 100 training pages, there are 10,532 / 801 / 778 lines (Coquenet et al., 2022). On seven training pages, empty
    lines have shifted the texts against the boxes: four pages are corrected from the text of their paragraph, and the
    eight `UNRELIABLE_LINES` of the others are left out.

    **Lines**, as distributed by Teklia (``RIMES-2011-Lines.zip``): ``Images/ID.jpg``, ``Transcriptions/ID.txt`` and
    the lists ``Sets/TrainLines.txt``, ``ValidationLines.txt``, ``TestLines.txt``, of 10,188 / 1,138 / 778 lines.

    Results of the two forms are comparable on test only, since the training lines are split differently. The marks
    ``¤`` around uncertain words are deleted, since nobody wrote them. The group is the page, the body of one letter;
    RIMES 2011 does not identify the writers.

    Grosicki and El-Abed: ICDAR 2011 French handwriting recognition competition, 2011.

    Args:
        root: the folder; ``RIMES-2011-Lines`` itself, or the folder that contains it.
        images: folder of the page images, relative to the root; None selects ``images_gray`` or, without it, images
            with the right names anywhere in the root.
        val_pages: number of training pages, the last ones, that are used for validation.
        val: instead, a text file, relative to the root, that lists the pages (``train2011-1400``) or lines
            (``train2011-1400_000001``, format_count from 1) of the validation split.
        leave_out: ids of lines to leave out.
        replace: pairs of a regular expression and its replacement in texts.
        drop_text: regular expressions; lines whose text contains a match are dropped.
        padding_px: margin around each box.

    Raises:
        DataError: a number is negative, or a regular expression is invalid.
    """

    def __init__(
        self,
        root: str,
        *,
        images: str | None = None,
        val_pages: int = 100,
        val: str | None = None,
        leave_out: Sequence[str] = (),
        replace: Sequence[Sequence[str]] = (),
        drop_text: Sequence[str] = (),
        padding_px: float = 0,
    ) -> None:
        self.root, self._images, self._val_pages, self._val = Path(root), images, val_pages, val
        check_padding(padding_px)
        self._leave_out, self._padding_px = frozenset(leave_out), padding_px
        self._markup = MarkupRules({}, [*_REPLACE.items(), *replace], drop_text)
        if val_pages < 0:
            raise DataError("the number is negative", key="dataset.val_pages", value=val_pages, remedy="give 0 or more")

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split, in the order of the list or of the XML file.

        Raises:
            DataError: a part is missing (the remedy names its origin), or an XML file is damaged.
        """
        for folder in (self.root, self.root / _LINES):
            if (folder / "Sets").is_dir():
                parts = (f"Sets/{_LISTS[split]}", "Transcriptions", "Images")
                list_file, texts, images = (require_part(folder, part, f"{_LINES}.zip (Teklia)") for part in parts)
                lines = read_listed_lines(list_file, texts, images, ".jpg", self._markup, _PAGE)
                break
        else:
            lines = self._read_pages(split)
        return [line for line in lines if line.id not in self._leave_out]

    def _read_pages(self, split: Split) -> Iterator[Line]:
        """Yield the lines of a split of the page form."""
        name = _PAGES[split]
        file = require_part(self.root, name, _ARCHIVES[name], f"{_LINES}.zip (Teklia)")
        elements = [element for element in read_xml(file).iter() if get_local_name(element) == "SinglePage"]
        if not elements:
            remedy = f"check that it is {name} of RIMES 2011, or download it again"
            raise DataError("there are no pages (SinglePage)", file=file, remedy=remedy, kind="format")
        pages = [_Page(element, number, file) for number, element in enumerate(elements, start=1)]
        self._find_images(pages, file)
        val = frozenset() if split == "test" else self._get_val(pages, file)
        for page in pages:
            for line in self._read_lines(page):
                if bool(val & {line.id, line.group}) == (split == "val"):
                    yield line

    def _find_images(self, pages: Sequence["_Page"], file: Path) -> None:
        """Set the image of each page, or the reason why it has none."""
        gray = self.root / "images_gray"
        finder = PageImages(self.root / self._images if self._images else gray if gray.is_dir() else self.root)
        for page in pages:
            try:
                page.image = ImageFile(finder.find(file, page.file_name))
            except DataError as error:
                page.image = error
        if not any(isinstance(page.image, ImageFile) for page in pages):
            raise DataError(
                f"this folder contains none of the {len(pages)} page images of {file.name}, such as "
                f"{pages[0].file_name!r}",
                file=finder.root,
                remedy=f"unpack {_ARCHIVES[file.name]} into {self.root}, or set dataset.images to the folder of the "
                "images",
                kind="missing",
            )

    def _read_lines(self, page: "_Page") -> Iterator[Line]:
        """Yield the lines of a page, without those that are dropped by their text."""
        for id, text, element in page.lines:
            if not text.strip() and id in UNRELIABLE_LINES:
                continue
            try:
                line = self._build_line(page, id, text, element)
            except DataError as error:
                line = Line(id, UnusableImage(str(error)), "", page.name)
            if line:
                yield line

    def _build_line(self, page: "_Page", id: str, text: str, element: Any) -> Line | None:
        """Build a line; None if it is dropped by its text.

        Raises:
            DataError: it cannot be used.
        """
        if isinstance(page.image, DataError):
            raise page.image.with_line_id(id)
        if not text.strip():
            raise DataError(
                "the line has no text of its own (it is empty, or it precedes an empty one and may have the text of "
                "both)",
                file=page.file,
                line_id=id,
                remedy="correct the file, or add the line to dataset.leave_out",
                kind="empty",
            )
        box, text_to_learn = _parse_box(element, id, page.file), self._markup.apply(text)
        if not text_to_learn:
            return None
        image = PageCrop(page.image, box, padding_px=self._padding_px, mask=False)
        return Line(id, image, text_to_learn, page.name)

    def _get_val(self, pages: Sequence["_Page"], file: Path) -> frozenset[str]:
        """Return the names of the pages, or the ids of the lines, of the validation split."""
        names = [page.name for page in pages]
        if self._val is None:
            if self._val_pages >= len(pages):
                problem = f"none of the {len(pages)} pages in {file} are left for training"
                raise DataError(problem, key="dataset.val_pages", value=self._val_pages, remedy="lower it")
            return frozenset(names[len(pages) - self._val_pages :])
        list_file = self.root / self._val
        remedy = "set it to a text file that lists pages or lines"
        val = frozenset(read_text_file(list_file, key="dataset.val", remedy=remedy).split())
        if unknown := val - set(names) - {id for page in pages for id, _, _ in page.lines}:
            problem = f"{min(unknown)!r} is not a page or line of {file}"
            remedy = f"write them as {names[0]} or {names[0]}_000001"
            raise DataError(problem, file=list_file, remedy=remedy)
        return val


class _Page:
    """A page of the XML file.

    Attributes:
        name: file name of its image, without folder and suffix.
        lines: id, text (empty if unknown) and element of each line.
        image: its image, or the error that tells why there is none.
    """

    def __init__(self, element: Any, number: int, file: Path) -> None:
        self.file, self.file_name = file, element.get("FileName", "").strip()
        self.name = PureWindowsPath(self.file_name).stem or f"{file.stem}-page-{number}"
        self.image: ImageFile | DataError
        paragraphs = [child for child in element if get_local_name(child) == "Paragraph"]
        lines = [line for paragraph in paragraphs for line in _read_paragraph(paragraph)]
        self.lines = [(f"{self.name}_{n:06d}", text, line) for n, (text, line) in enumerate(lines, start=1)]


def _read_paragraph(paragraph: Any) -> list[tuple[str, Any]]:
    """Return the text and the element of each line of a paragraph.

    An empty line shows that the texts are shifted against the boxes: the paragraph was divided at its line breaks,
    including empty lines, and the rest at the end was lost. The text of the paragraph itself is complete. If it does
    not have as many lines as there are boxes, all texts are unreliable from the line before the empty one on.
    """
    elements = [child for child in paragraph if get_local_name(child) == "Line"]
    texts = [element.get("Value", "") for element in elements]
    empty = next((n for n, text in enumerate(texts) if not text.strip()), None)
    if empty is not None:
        parts = [part for part in paragraph.get("Value", "").split("\\n") if part.strip()]
        num_reliable = max(empty - 1, 0)
        texts = parts if len(parts) == len(texts) else texts[:num_reliable] + [""] * (len(texts) - num_reliable)
    return list(zip(texts, elements, strict=True))


def _parse_box(element: Any, id: str, file: Path) -> Points:
    """Return the corners of a line's box, ``(4, 2)`` in pixels.

    Raises:
        DataError: a side is not a number, or the box has no area.
    """
    sides: list[int] = []
    for side in ("Left", "Top", "Right", "Bottom"):
        value = element.get(side)
        try:
            sides.append(max(-(10**6), min(int(value or ""), 10**6)))  # outside any page, but within a float32
        except ValueError:
            problem, remedy = f"{side} is {value!r}, not a number of pixels", "correct it, or remove the line"
            raise DataError(problem, file=file, line_id=id, remedy=remedy) from None
    left, top, right, bottom = sides
    if right <= left or bottom <= top:
        problem = f"the box from ({left}, {top}) to ({right}, {bottom}) has no area"
        raise DataError(problem, file=file, line_id=id, remedy="correct it, or remove the line")
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
