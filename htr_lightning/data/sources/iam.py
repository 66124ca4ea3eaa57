"""The IAM Handwriting Database (Marti and Bunke 2002), as unpacked from its archives."""

import logging
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.data.sources.data_files import check_root
from htr_lightning.data.sources.iam_files import LIST_SUFFIXES, IamFiles, LineRow, read_form_xml, read_id_list
from htr_lightning.data.sources.iam_text import detokenize, join_tokens, unescape_entities
from htr_lightning.image.crop import PageCrop, check_padding
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, LineImage, UnusableImage
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

    The root contains the archives, each unpacked into a folder of its name: ``ascii/lines.txt`` and
    ``ascii/forms.txt``, ``lines/a01/a01-000u/a01-000u-00.png``, ``xml/a01-000u.xml``, ``formsA-D/a01-000u.png``
    (or ``forms/...``), ``largeWriterIndependentTextLineRecognitionTask/trainset.txt``. Archives that were unpacked
    directly into the root are found too, and so are line images that are all in one folder.

    Two protocols are in use, and their results are not comparable. ``lwt`` is the official one, whose lists come with
    the database: 6,161 / 900 + 940 / 1,861 lines. ``aachen``, which most publications use, has 6,482 / 976 / 2,915
    lines, and its lists must be obtained separately (OpenSLR, resource 56): a file for each split with the id of a
    form or of a line in each row. Lists of the same name with 6,161 / 966 / 2,915 lines exist too; a warning is logged
    if the numbers are not the published ones. A line that is in a list but not in ``lines.txt`` becomes an unusable
    line.

    Words that writers struck out are ``#`` in the text, and some codes of the copied corpus remain in it (``0M P``,
    ``Provenc*?6al``), because published results were measured with them.

    Args:
        root: the folder.
        split: the protocol.
        validation: which of the two validation lists of ``lwt`` to use.
        train: list of the training split of ``aachen``, relative to the root. None finds it in ``aachen/`` or
            ``splits/``, as ``train`` or ``tr`` with the suffix ``.uttlist``, ``.txt``, ``.lst`` or ``.ln``.
        val: list of the validation split, likewise; None finds ``validation``, ``valid``, ``val`` or ``va``.
        test: list of the test split, likewise; None finds ``test`` or ``te``.
        text: ``xml`` reads the line as written; ``ascii`` reconstructs it from the tokens of ``lines.txt``, with a few
            errors (see `htr_lightning.data.sources.iam_text.detokenize`); ``tokens`` keeps spaces around punctuation
            (``tomorrow . Mr. Foot``), as in publications that start from ``lines.txt``.
        image: ``lines`` uses the line images of the database, white around the words; ``forms`` crops the lines
            from the scanned forms, with their paper.
        padding_px: margin around the box of the ink, with ``forms``.
        segmentation: ``ok`` drops lines whose segmentation into words is marked as faulty; ``all`` keeps them, as the
            protocols do, since their image and text are correct all the same.

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
            key = f"dataset.{next(name for name, given in self._lists.items() if given)}"
            remedy = "unset it, or set dataset.split=aachen"
            raise DataError("lists of your own need the protocol aachen", key=key, remedy=remedy)
        if split == "aachen" and validation != "both":
            problem, remedy = "only the protocol lwt has several validation lists", "unset it, or set dataset.split=lwt"
            raise DataError(problem, key="dataset.validation", value=validation, remedy=remedy)
        check_padding(padding_px)

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of one split in the order of its list.

        Rows of ``lines.txt`` without the id of a line are unusable lines of train.

        Raises:
            DataError: the root or a part of the database is missing, a list is malformed, or two share a line.
        """
        check_root(self.root, "the IAM database")
        rows = self._select_rows(split)
        self._report(split, rows)
        if self._segmentation == "ok":
            rows = [row for row in rows if row.is_ok]
        texts = self._read_texts({row.form for row in rows if not row.problem})
        lines = [self._build_line(row, texts) for row in rows]
        malformed = self._files.malformed_rows if split == "train" else []
        return lines + [Line(row.id, UnusableImage(row.problem), "") for row in malformed]

    def _build_line(self, row: LineRow, texts: dict[str, str | UnusableImage]) -> Line:
        group = self._files.writers.get(row.form, "")
        text = UnusableImage(row.problem) if row.problem else texts[row.id]
        if isinstance(text, UnusableImage):
            return Line(row.id, text, "", group)
        return Line(row.id, self._build_image(row), clean_text(text), group)

    def _select_rows(self, split: Split) -> list[LineRow]:
        rows: list[LineRow] = []
        for id in self._ids[split]:
            missing = (
                f"{self._files.lines_txt}: there is no row of {id}, which is in the list of {split}; correct either"
            )
            rows += self._get_rows(id) or [LineRow(id, problem=missing)]
        return rows

    def _get_rows(self, id: str) -> list[LineRow]:
        """Return the row of a line, or the rows of a form."""
        row = self._files.rows.get(id)
        return [row] if row else self._files.forms.get(id, [])

    def _report(self, split: Split, rows: list[LineRow]) -> None:
        """Warn of numbers of lines that make results incomparable, and of lines without a group."""
        expected = _NUM_LINES[self._split][split]
        if self._split == "lwt" and split == "val":
            expected = sum(self._validation.values())
        if len(rows) != expected:
            log.warning(
                "%s: %s has %d lines instead of the %d of the published protocol %s: results are not comparable",
                *(self.root, split, len(rows), expected, self._split),
            )
        no_writer = sorted({row.form for row in rows if not row.problem} - self._files.writers.keys())
        if no_writer:
            log.warning(
                "%s: there is no writer for %d form(s), such as %s, so their lines have no group; "
                "unpack ascii.tgz again",
                *(self._files.forms_txt, len(no_writer), no_writer[0]),
            )

    # Lists

    @cached_property
    def _ids(self) -> dict[Split, list[str]]:
        """The ids in the list of each split: of lines, or of forms."""
        paths = self._get_lwt_lists() if self._split == "lwt" else self._find_aachen_lists()
        ids = {split: list(dict.fromkeys(id for path in paths[split] for id in read_id_list(path))) for split in SPLITS}
        split_of: dict[str, Split] = {}
        for split in SPLITS:
            for line in (row.id for id in ids[split] for row in self._get_rows(id)):
                if split_of.setdefault(line, split) != split:
                    problem = f"{line} is also in the list of {split_of[line]}"
                    raise DataError(problem, file=paths[split][0], remedy="remove it from one of the lists")
        return ids

    def _get_lwt_lists(self) -> dict[Split, list[Path]]:
        names: dict[Split, list[str]] = {
            "train": ["trainset.txt"],
            "val": [f"validationset{number}.txt" for number in self._validation],
            "test": ["testset.txt"],
        }
        return {split: [self._files.lwt_folder / name for name in names[split]] for split in SPLITS}

    def _find_aachen_lists(self) -> dict[Split, list[Path]]:
        return {split: [self._find_aachen_list(split)] for split in SPLITS}

    def _find_aachen_list(self, split: Split) -> Path:
        key, configured, stems = f"dataset.{split}", self._lists[split], _AACHEN_STEMS[split]
        default = (f"{at}/{stem}{suffix}" for at in _AACHEN_FOLDERS for stem in stems for suffix in LIST_SUFFIXES)
        names = [configured] if configured else list(default)
        paths = [self.root / name for name in names if (self.root / name).is_file()]
        if len(paths) == 1:
            return paths[0]
        if paths:
            both = " and ".join(str(path.relative_to(self.root)) for path in paths)
            problem, remedy = f"{both} are both lists of {split}", f"set {key} to one of them"
            raise DataError(problem, file=self.root, remedy=remedy, kind="ambiguous")
        if configured:
            remedy = "correct its path"
            raise DataError(
                "there is no such list", key=key, file=self.root / configured, remedy=remedy, kind="missing"
            )
        raise DataError(
            f"there is no list of the Aachen protocol for {split}, such as aachen/{stems[0]}.uttlist",
            file=self.root,
            remedy=f"download the lists, which are not part of the database (OpenSLR, resource 56), and set {key}, or "
            "set dataset.split=lwt",
            kind="missing",
        )

    # Texts

    def _read_texts(self, forms: set[str]) -> dict[str, str | UnusableImage]:
        """Return the text of each line of the forms, or why it has none."""
        texts: dict[str, str | UnusableImage] = {}
        for form in forms:
            rows = [row for row in self._files.forms[form] if not row.problem]
            if self._text == "xml":
                texts.update(self._read_xml_texts(form, rows))
                continue
            tokens = [row.tokens.split("|") for row in rows]
            form_texts = detokenize(tokens) if self._text == "ascii" else map(join_tokens, tokens)
            texts.update(zip((row.id for row in rows), form_texts, strict=True))
        return texts

    def _read_xml_texts(self, form: str, rows: Iterable[LineRow]) -> dict[str, str | UnusableImage]:
        path = self._files.xml_folder / f"{form}.xml"
        try:
            elements = list(read_form_xml(path).iterfind("handwritten-part/line"))
        except DataError as error:
            return {row.id: UnusableImage(str(error)) for row in rows}
        text_of = {element.get("id"): element.get("text") for element in elements}
        missing = f"{path}: there is no text of the line {{}}; unpack xml.tgz again, or set dataset.text=ascii"
        return {
            row.id: unescape_entities(text) if (text := text_of.get(row.id)) else UnusableImage(missing.format(row.id))
            for row in rows
        }

    # Images

    def _build_image(self, row: LineRow) -> LineImage:
        if self._image == "lines":
            return ImageFile(self._files.get_line_image(row))
        x, y, width, height = row.box
        if min(x, y) < 0 or min(width, height) < 2:
            problem = f"the box of {row.id} is {row.box}, which is negative or empty"
            remedy = "correct it, or set dataset.image=lines"
            return UnusableImage(str(DataError(problem, file=self._files.lines_txt, remedy=remedy)))
        right, bottom = x + width - 1, y + height - 1  # the last pixels inside
        corners = np.array([(x, y), (right, y), (right, bottom), (x, bottom)], np.float32)
        page = ImageFile(self._files.get_form_image(row.form))
        return PageCrop(page, corners, padding_px=self._padding_px, mask=False)
