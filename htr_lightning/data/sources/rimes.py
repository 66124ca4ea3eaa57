"""RIMES 2011: French letters, written by volunteers from given scenarios."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.archive import listed, need
from htr_lightning.data.sources.markup import Markup
from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.image.crop import PageCrop, check_padding
from htr_lightning.image.files import DataError, ImageFile, UnusableImage
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
_PAGE = re.compile(r"^[^_]+")  # train2011-253_000004 is a line of train2011-253

_REPLACED = {r"¤\{([^¤{}/|]*)[/|][^¤{}]*\}¤": r"\1", "¤": ""}
"""Marks around words that the transcribers found doubtful; of several readings the first is taken."""

DOUBTFUL = (
    "train2011-980_000009",
    "train2011-980_000010",
    "train2011-1165_000012",
    "train2011-1165_000013",
    "train2011-1213_000005",
    "train2011-1213_000006",
    "train2011-1213_000007",
    "train2011-1213_000008",
)
"""Lines of ``training_2011.xml`` whose text is that of two lines, or of a neighbor. Without them, 10,524 are left."""


class Rimes:
    """RIMES 2011 in either form in which it is passed on, found by what is in the root.

    **Pages**, as for the ICDAR 2011 competition: ``training_2011.xml`` and ``eval_2011_annotated.xml`` with the boxes
    and texts of the lines of 1,500 and 100 letters, whose images, ``train2011-0.png`` ... and ``eval2011-0.png`` ...,
    lie in ``images_gray``. Lines are cut out as boxes. There is no official validation split; by the common one,
    the last 100 training pages, there are 10,532 / 801 / 778 lines (Coquenet et al., 2022). On seven training pages
    empty lines have made the texts slip against the boxes: four are put right by the text of their paragraph, of
    the others the eight `DOUBTFUL` lines are left out.

    **Lines**, as Teklia passes them on (``RIMES-2011-Lines.zip``): ``Images/ID.jpg``, ``Transcriptions/ID.txt`` and
    the lists ``Sets/TrainLines.txt``, ``ValidationLines.txt``, ``TestLines.txt``, of 10,188 / 1,138 / 778 lines.

    Figures of the two are comparable on test only, as the training lines are divided differently. The signs ``¤``
    around doubtful words are deleted, since nobody wrote them. The group is the page, the body of one letter; RIMES
    2011 does not name the writers.

    Grosicki and El-Abed: ICDAR 2011 French handwriting recognition competition, 2011.

    Args:
        root: the folder; ``RIMES-2011-Lines`` itself, or the folder that holds it.
        images: folder of the page images, relative to the root; None takes ``images_gray`` or, without it, images
            of the right names anywhere under the root.
        val_pages: how many of the last training pages are for validation.
        val: instead, a text file with the validation pages (``train2011-1400``) or lines (``train2011-1400_000001``,
            counted from 1) in its rows, relative to the root.
        leave_out: ids of lines not to use.
        replace: pairs of a regular expression and its replacement in texts.
        drop_text: regular expressions; lines whose text matches one are left out.
        padding_px: pixels of the page around each box.

    Raises:
        DataError: a number is negative, an expression is none.
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
        self._markup = Markup({}, [*_REPLACED.items(), *replace], drop_text)
        if val_pages < 0:
            raise DataError(f"dataset.val_pages: {val_pages} is negative; say how many of the last pages validate")

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split, in the order of the list or of the XML file.

        Raises:
            DataError: a part is missing (names it and says where it comes from), or an XML file is damaged.
        """
        for folder in (self.root, self.root / _LINES):
            if (folder / "Sets").is_dir():
                parts = (f"Sets/{_LISTS[split]}", "Transcriptions", "Images")
                names, texts, images = (need(folder, part, f"{_LINES}.zip (Teklia)") for part in parts)
                lines = listed(names, texts, images, ".jpg", self._markup, _PAGE)
                break
        else:
            lines = self._of_pages(split)
        return [line for line in lines if line.id not in self._leave_out]

    def _of_pages(self, split: Split) -> Iterator[Line]:
        """Yield the lines of a split of the page form."""
        name = _PAGES[split]
        file = need(self.root, name, _ARCHIVES[name], f", or {_LINES}.zip (Teklia)")
        elements = [element for element in read_xml(file).iter() if get_local_name(element) == "SinglePage"]
        if not elements:
            raise DataError(f"{file}: has no pages (SinglePage); is it {name} of RIMES 2011? Download it again")
        pages = [_Page(element, number, file) for number, element in enumerate(elements, start=1)]
        self._find_images(pages, file)
        chosen = frozenset() if split == "test" else self._validating(pages, file)
        for page in pages:
            for line in self._of_page(page):
                if bool(chosen & {line.id, line.group}) == (split == "val"):
                    yield line

    def _find_images(self, pages: Sequence["_Page"], file: Path) -> None:
        """Give each page its image, or the reason why it has none."""
        gray = self.root / "images_gray"
        finder = PageImages(self.root / self._images if self._images else gray if gray.is_dir() else self.root)
        for page in pages:
            try:
                page.image = ImageFile(finder.find(file, page.file_name))
            except DataError as error:
                page.image = str(error).removeprefix(f"{file}: ")
        if not any(isinstance(page.image, ImageFile) for page in pages):
            raise DataError(
                f"{finder.root}: has none of the {len(pages)} page images of {file.name}, such as "
                f"{pages[0].file_name!r}; unpack {_ARCHIVES[file.name]} into {self.root}, or set dataset.images to "
                "the folder of the images"
            )

    def _of_page(self, page: "_Page") -> Iterator[Line]:
        """Yield the lines of a page, but for those whose text is one to drop."""
        for id, text, element in page.lines:
            if not text.strip() and id in DOUBTFUL:
                continue
            try:
                line = self._line(page, id, text, element)
            except ValueError as error:
                line = Line(id, UnusableImage(f"{page.file}: line {id}: {error}"), "", page.name)
            if line:
                yield line

    def _line(self, page: "_Page", id: str, text: str, element: Any) -> Line | None:
        """Return a line; None if its text is one to drop.

        Raises:
            ValueError: it cannot be used; half a sentence.
        """
        if isinstance(page.image, str):
            raise ValueError(page.image)
        if not text.strip():
            raise ValueError(
                "it has no text of its own (it is empty, or comes before an empty one and may have the text of both); "
                "mend the file, or name the line in dataset.leave_out"
            )
        box, cleaned = _box(element), self._markup(text)
        if not cleaned:
            return None
        return Line(id, PageCrop(page.image, box, padding_px=self._padding_px, mask=False), cleaned, page.name)

    def _validating(self, pages: Sequence["_Page"], file: Path) -> frozenset[str]:
        """Return the names of the pages, or the ids of the lines, that are for validation."""
        names = [page.name for page in pages]
        if self._val is None:
            if self._val_pages >= len(pages):
                raise DataError(
                    f"{file}: has {len(pages)} pages, which leaves none to train on besides dataset.val_pages="
                    f"{self._val_pages}; lower it"
                )
            return frozenset(names[len(pages) - self._val_pages :])
        place = self.root / self._val
        try:
            chosen = frozenset(place.read_text(encoding="utf-8-sig").split())
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise DataError(
                f"{place}: cannot be read ({reason}); set dataset.val to a list of pages or lines"
            ) from None
        if unknown := chosen - set(names) - {id for page in pages for id, _, _ in page.lines}:
            raise DataError(
                f"{place}: names {min(unknown)!r}, which is no page or line of {file}; write them as {names[0]} or "
                f"{names[0]}_000001"
            )
        return chosen


class _Page:
    """A page of the XML file.

    Attributes:
        name: its image's name without folder and suffix.
        lines: id, text (empty: unknown) and element of each line.
        image: or the reason why there is none.
    """

    def __init__(self, element: Any, number: int, file: Path) -> None:
        self.file, self.file_name = file, element.get("FileName", "").strip()
        self.name = PureWindowsPath(self.file_name).stem or f"{file.stem}-page-{number}"
        self.image: ImageFile | str = ""
        paragraphs = [child for child in element if get_local_name(child) == "Paragraph"]
        lines = [line for paragraph in paragraphs for line in _texts(paragraph)]
        self.lines = [(f"{self.name}_{n:06d}", text, line) for n, (text, line) in enumerate(lines, start=1)]


def _texts(paragraph: Any) -> list[tuple[str, Any]]:
    """Return the text and the element of each line of a paragraph.

    An empty line tells that the texts have slipped against the boxes: the paragraph was divided at its line breaks,
    empty lines and all, and what was left over at the end is lost. The paragraph's own text has all of it. If it
    does not divide into as many lines as there are boxes, all is doubtful from the line before the empty one on.
    """
    elements = [child for child in paragraph if get_local_name(child) == "Line"]
    texts = [element.get("Value", "") for element in elements]
    blank = next((n for n, text in enumerate(texts) if not text.strip()), None)
    if blank is not None:
        pieces = [piece for piece in paragraph.get("Value", "").split("\\n") if piece.strip()]
        doubtful = max(blank - 1, 0)
        texts = pieces if len(pieces) == len(texts) else texts[:doubtful] + [""] * (len(texts) - doubtful)
    return list(zip(texts, elements, strict=True))


def _box(element: Any) -> Points:
    """Return the corners of a line's box, in pixels.

    Raises:
        ValueError: it has none; half a sentence.
    """
    sides: list[int] = []
    for side in ("Left", "Top", "Right", "Bottom"):
        written = element.get(side)
        try:
            sides.append(max(-(10**6), min(int(written or ""), 10**6)))  # beyond any page, within a float32
        except ValueError:
            raise ValueError(
                f"its {side} is {written!r}, not a number of pixels; write one, or remove the line"
            ) from None
    left, top, right, bottom = sides
    if right <= left or bottom <= top:
        raise ValueError(
            f"its box from ({left}, {top}) to ({right}, {bottom}) has no area; mend it, or remove the line"
        )
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
