"""The IAM Handwriting Database (Marti and Bunke 2002), as unpacked from its makers' archives."""

import logging
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.data.sources.iam_files import LIST_SUFFIXES, IamFiles, Row, read_form, read_list
from htr_lightning.data.sources.iam_text import detokenized, tokenized, unescaped
from htr_lightning.data.sources.page_images import check_root
from htr_lightning.image.crop import PageCrop, check_padding
from htr_lightning.image.files import DataError, ImageFile, LineImage, UnusableImage
from htr_lightning.text import clean_text

log = logging.getLogger(__name__)
_NUM_LINES: dict[str, dict[Split, int]] = {
    "lwt": {"train": 6161, "val": 900 + 940, "test": 1861},
    "aachen": {"train": 6482, "val": 976, "test": 2915},
}
_VALIDATION = {"both": {1: 900, 2: 940}, "first": {1: 900}, "second": {2: 940}}
"""The validation lists of each choice, with their numbers of lines."""
_AACHEN_FOLDERS = ("aachen", "splits")
_AACHEN_STEMS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "tr"),
    "val": ("validation", "valid", "val", "va"),
    "test": ("test", "te"),
}


class Iam:
    """The lines of the IAM Handwriting Database.

    The root holds the archives, each unpacked into a folder of its name: ``ascii/lines.txt`` and
    ``ascii/forms.txt``, ``lines/a01/a01-000u/a01-000u-00.png``, ``xml/a01-000u.xml``, ``formsA-D/a01-000u.png``
    (or ``forms/...``), ``largeWriterIndependentTextLineRecognitionTask/trainset.txt``. Archives unpacked straight
    into the root are found too, and all line images in one folder.

    Two protocols are in use, and figures of one say nothing about the other. ``lwt`` is the makers' own, whose
    lists come with the database: 6,161 / 900 + 940 / 1,861 lines. ``aachen``, which most publications mean, has
    6,482 / 976 / 2,915, and its lists have to be got elsewhere (OpenSLR, resource 56): a file for each split with
    the id of a form or of a line in each row. Lists under that name with 6,161 / 966 / 2,915 lines exist too; a
    log line tells when the numbers are not the published ones. A line that a list names but ``lines.txt`` has not
    is an unusable line.

    Words that writers struck out are ``#`` in the text, and some of the codes of the copied corpus are left in it
    (``0M P``, ``Provenc*?6al``): what others publish was measured with them.

    Args:
        root: the folder.
        split: the protocol.
        validation: which of the two validation lists of ``lwt`` to take.
        train: list of the training split of ``aachen``, relative to the root; None finds it in ``aachen/`` or
            ``splits/``, as ``train`` or ``tr`` with the suffix ``.uttlist``, ``.txt``, ``.lst`` or ``.ln``.
        val: the same of the validation split; None finds ``validation``, ``valid``, ``val`` or ``va``.
        test: the same of the test split; None finds ``test`` or ``te``.
        text: ``xml`` reads the line as it is written; ``ascii`` rebuilds that from the tokens of ``lines.txt``,
            which fails here and there (see `htr_lightning.data.sources.iam_text.detokenized`); ``tokens`` leaves
            punctuation apart (``tomorrow . Mr. Foot``), as publications that start from ``lines.txt`` do.
        image: ``lines`` takes the makers' line images, white around the words; ``forms`` cuts the lines from the
            scanned forms, paper and all.
        padding_px: of ``forms``: pixels around the box of the ink.
        segmentation: ``ok`` leaves out lines whose division into words is marked as faulty. The protocols keep
            them, since their image and text are right all the same.

    Raises:
        DataError: the arguments contradict each other.
    """

    def __init__(
        self,
        root: str,
        *,
        split: Literal["lwt", "aachen"] = "lwt",
        validation: Literal["both", "first", "second"] = "both",
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        text: Literal["xml", "ascii", "tokens"] = "xml",
        image: Literal["lines", "forms"] = "lines",
        padding_px: int = 16,
        segmentation: Literal["all", "ok"] = "all",
    ) -> None:
        self.root = Path(root)
        self._files = IamFiles(self.root)
        self._split = split
        self._validation = _VALIDATION[validation]
        self._lists: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self._text = text
        self._image = image
        self._padding_px = padding_px
        self._segmentation = segmentation
        if split == "lwt" and (train or val or test):
            raise DataError("dataset.train, val and test: are the lists of dataset.split=aachen; set it, or leave them")
        if split == "aachen" and validation != "both":
            raise DataError("dataset.validation: chooses a list of dataset.split=lwt; aachen has only one, so leave it")
        check_padding(padding_px)

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of one split in the order of its list.

        Rows of ``lines.txt`` that do not say which line they are of are unusable lines of train.

        Raises:
            DataError: the root or a part of the database is missing, a list is malformed, or two share a line.
        """
        check_root(self.root, "of the IAM database")
        rows = self._rows_of(split)
        self._report(split, rows)
        if self._segmentation == "ok":
            rows = [row for row in rows if row.is_ok]
        texts = self._texts({row.form for row in rows if not row.problem})
        lines = [self._line(row, texts) for row in rows]
        strays = self._files.strays if split == "train" else []
        return lines + [Line(row.id, UnusableImage(row.problem), "") for row in strays]

    def _line(self, row: Row, texts: dict[str, str | UnusableImage]) -> Line:
        group = self._files.writers.get(row.form, "")
        text = UnusableImage(row.problem) if row.problem else texts[row.id]
        if isinstance(text, UnusableImage):
            return Line(row.id, text, "", group)
        return Line(row.id, self._image_of(row), clean_text(text), group)

    def _rows_of(self, split: Split) -> list[Row]:
        rows: list[Row] = []
        for id in self._ids[split]:
            missing = f"{self._files.lines_txt}: has no row of {id}, which the list of {split} names; correct either"
            rows += self._rows_named(id) or [Row(id, problem=missing)]
        return rows

    def _rows_named(self, id: str) -> list[Row]:
        """Return the row of a line, or those of a form."""
        row = self._files.rows.get(id)
        return [row] if row else self._files.forms.get(id, [])

    def _report(self, split: Split, rows: list[Row]) -> None:
        """Log what makes figures incomparable, and lines without a group."""
        wanted = _NUM_LINES[self._split][split]
        if self._split == "lwt" and split == "val":
            wanted = sum(self._validation.values())
        if len(rows) != wanted:
            log.warning(
                "%s: %s has %d lines, but %d in the published protocol %s: figures cannot be compared",
                *(self.root, split, len(rows), wanted, self._split),
            )
        no_writer = sorted({row.form for row in rows if not row.problem} - self._files.writers.keys())
        if no_writer:
            log.warning(
                "%s: names no writer of %d form(s), such as %s, so their lines have no group; unpack ascii.tgz again",
                *(self._files.forms_txt, len(no_writer), no_writer[0]),
            )

    # Lists

    @cached_property
    def _ids(self) -> dict[Split, list[str]]:
        """Return what the list of each split names: lines, or forms."""
        paths = self._lwt_lists() if self._split == "lwt" else self._aachen_lists()
        ids = {split: list(dict.fromkeys(id for path in paths[split] for id in read_list(path))) for split in SPLITS}
        seen: dict[str, Split] = {}
        for split in SPLITS:
            for line in (row.id for id in ids[split] for row in self._rows_named(id)):
                if seen.setdefault(line, split) != split:
                    raise DataError(
                        f"{paths[split][0]}: {line} is of {seen[line]} too; remove it from one of the lists"
                    )
        return ids

    def _lwt_lists(self) -> dict[Split, list[Path]]:
        names: dict[Split, list[str]] = {
            "train": ["trainset.txt"],
            "val": [f"validationset{number}.txt" for number in self._validation],
            "test": ["testset.txt"],
        }
        return {split: [self._files.lwt_folder / name for name in names[split]] for split in SPLITS}

    def _aachen_lists(self) -> dict[Split, list[Path]]:
        return {split: [self._aachen_list(split)] for split in SPLITS}

    def _aachen_list(self, split: Split) -> Path:
        named, stems = self._lists[split], _AACHEN_STEMS[split]
        usual = (f"{at}/{stem}{suffix}" for at in _AACHEN_FOLDERS for stem in stems for suffix in LIST_SUFFIXES)
        names = [named] if named else list(usual)
        found = [self.root / name for name in names if (self.root / name).is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            both = " and ".join(str(path.relative_to(self.root)) for path in found)
            raise DataError(f"{self.root}: {both} are all of {split}; set dataset.{split} to one of them")
        if named:
            raise DataError(f"{self.root / named}: there is no such list; correct dataset.{split}")
        raise DataError(
            f"{self.root}: has no list of the Aachen protocol for {split}, such as aachen/{stems[0]}.uttlist; the "
            f"database comes without it (OpenSLR has it, resource 56): set dataset.{split} to yours, or "
            "dataset.split=lwt"
        )

    # Texts

    def _texts(self, forms: set[str]) -> dict[str, str | UnusableImage]:
        """Return the text of each line of the forms, or why it has none."""
        texts: dict[str, str | UnusableImage] = {}
        for form in forms:
            rows = [row for row in self._files.forms[form] if not row.problem]
            if self._text == "xml":
                texts.update(self._texts_in_xml(form, rows))
                continue
            tokens = [row.tokens.split("|") for row in rows]
            written = detokenized(tokens) if self._text == "ascii" else map(tokenized, tokens)
            texts.update(zip((row.id for row in rows), written, strict=True))
        return texts

    def _texts_in_xml(self, form: str, rows: Iterable[Row]) -> dict[str, str | UnusableImage]:
        path = self._files.xml_folder / f"{form}.xml"
        try:
            elements = list(read_form(path).iterfind("handwritten-part/line"))
        except DataError as error:
            return {row.id: UnusableImage(str(error)) for row in rows}
        found = {element.get("id"): element.get("text") for element in elements}
        missing = f"{path}: has no text of the line {{}}; unpack xml.tgz again, or set dataset.text=ascii"
        return {
            row.id: unescaped(found[row.id]) if found.get(row.id) else UnusableImage(missing.format(row.id))
            for row in rows
        }

    # Images

    def _image_of(self, row: Row) -> LineImage:
        if self._image == "lines":
            return ImageFile(self._files.line_image(row))
        x, y, width, height = row.box
        if min(x, y) < 0 or min(width, height) < 2:
            place = f"{self._files.lines_txt}: the box of {row.id} is {row.box}"
            return UnusableImage(f"{place}, which holds no line; correct it, or set dataset.image=lines")
        right, bottom = x + width - 1, y + height - 1  # the last pixels inside
        corners = np.array([(x, y), (right, y), (right, bottom), (x, bottom)], np.float32)
        page = ImageFile(self._files.form_image(row.form))
        return PageCrop(page, corners, padding_px=self._padding_px, mask=False)
