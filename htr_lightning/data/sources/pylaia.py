"""Datasets of PyLaia: tables of texts split into symbols, lists of ids, folders of line images."""

import functools
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.data_files import check_root, read_text_file
from htr_lightning.data.sources.image_names import ImageNames, MissingImages
from htr_lightning.data.sources.splits import SPLIT_NAMES
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError
from htr_lightning.image.folder import FileFinder, normalize_name
from htr_lightning.image.line_image import ImageFile, UnusableImage
from htr_lightning.text import clean_text

log = logging.getLogger(__name__)
_RAW_TEXT_ENDINGS = ("_text", "_eval")
_SPECIAL_SYMBOL = re.compile(r"<[^<>]+>|\{[^{}]+\}")
_MAX_NAMED = 5  # symbols in one message
_MAX_WORD_LENGTH = 20  # characters


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table: the id of an image, and the text or symbols after it."""

    number: int
    id: str
    content: str


class Pylaia:
    """Line images and their texts in the layout of PyLaia.

    For each split there is a table ``train.txt`` whose rows contain the id of an image and the symbols of its text,
    separated by spaces: ``train/im01 f o r <space> d e t``. Without it, the texts come from ``train_text.txt`` (or
    ``train_eval.txt``), which contain plain text: ``train/im01 for det``. Other recognized names are ``training`` and
    ``tr``; ``valid``, ``validation``, ``dev`` and ``va``; ``testing`` and ``te``. Empty rows and those that begin with
    ``#`` are skipped. An id without image, without text, or that occurs only in the list ``train_ids.txt`` becomes an
    unusable line.

    A symbol stands for itself, however many characters it has, except for ``<space>`` and those in ``symbols``. Texts
    are read in the order in which they are stored.

    Args:
        root: the folder; paths in the other arguments are relative to it.
        train: table of the training split; None finds it by its name. A table whose name ends in ``_text`` or
            ``_eval`` contains plain text. The list of ids is found by the rest of the name.
        val: table of the validation split, likewise.
        test: table of the test split, likewise.
        img_dirs: folders of the images, searched in this order; an id may begin with subfolders and end in a suffix.
            None searches ``images``, if there is such a folder; the root is always searched last.
        syms: table of symbols and their numbers; None selects ``syms.txt`` if it exists, an empty string none.
            Symbols that are not in it are reported; the numbers are ignored.
        symbols: the text of special symbols, each as ``symbol=text``: ``@= `` for a space, ``<gap>=`` to delete it.
        image_names: pairs of a regular expression and its replacement, applied to the ids before images are searched
            for.

    Raises:
        DataError: an argument is malformed.
    """

    def __init__(
        self,
        root: str,
        *,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        img_dirs: Sequence[str] | None = None,
        syms: str | None = None,
        symbols: Sequence[str] = (),
        image_names: Sequence[Sequence[str]] = (),
    ) -> None:
        self.root = Path(root)
        self._table_names: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self._img_dirs = img_dirs
        self._syms_name = syms
        self._image_names = ImageNames(image_names)
        self._missing = MissingImages(self.root)
        self._text_of = {"<space>": " "}
        for entry in symbols:
            end = entry.find("=", 1)  # the symbol itself may be an equals sign
            if end < 0 or len(entry[:end].split()) != 1:
                remedy = "write symbol=text, such as '<gap>=' to delete <gap>"
                raise DataError(f"{entry!r} is not of this form", key="dataset.symbols", remedy=remedy)
            self._text_of[entry[:end].strip()] = entry[end + 1 :]

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split in the order of their table, then the ids that are only in the list of ids.

        Raises:
            DataError: the root, a table or a folder of images is missing; a table is malformed or has special symbols
                of unknown meaning.
        """
        table = self._tables.get(split)
        if table is None:
            return []
        rows = list(_read_rows(table))
        is_raw_text = table.stem.endswith(_RAW_TEXT_ENDINGS)
        texts = [row.content for row in rows] if is_raw_text else self._join_symbols(rows, table)
        lines = [self._build_line(row, text, table) for row, text in zip(rows, texts, strict=True)]
        self._missing.report(split)
        ids_in_table = {row.id for row in rows}
        ids = _get_id_list(table)
        for row in _read_rows(ids) if ids.is_file() else ():
            if row.id not in ids_in_table:
                problem = f"row {row.number} lists {row.id}, which has no text in {table.name}"
                error = DataError(problem, file=ids, remedy="add the text, or remove the row")
                lines.append(Line(row.id, UnusableImage(str(error)), ""))
        return lines

    @functools.cached_property
    def _tables(self) -> dict[Split, Path]:
        check_root(self.root, "the tables")
        text_files = sorted(path for path in self.root.iterdir() if path.suffix.lower() == ".txt" and path.is_file())
        tables = {split: self._find_table(split, text_files) for split in SPLIT_NAMES}
        if not any(tables.values()):
            remedy = "set dataset.train, dataset.val and dataset.test if the tables have other names"
            problem = "there is no table train.txt, val.txt or test.txt"
            raise DataError(problem, file=self.root, remedy=remedy, kind="missing")
        return {split: table for split, table in tables.items() if table}

    def _find_table(self, split: Split, text_files: Sequence[Path]) -> Path | None:
        configured = self._table_names[split]
        if configured:
            return self.root / configured
        names = (*SPLIT_NAMES[split], split[:2])  # tr, va, te: in PyLaia's own examples
        for ending in ("", *_RAW_TEXT_ENDINGS):
            tables = [path for path in text_files if path.stem.lower() in {name + ending for name in names}]
            if len(tables) > 1:
                problem = f"{' and '.join(path.name for path in tables)} are both tables of {split}"
                raise DataError(problem, file=self.root, remedy=f"set dataset.{split} to one of them", kind="ambiguous")
            if tables:
                return tables[0]
        return None

    def _join_symbols(self, rows: Sequence[_Row], table: Path) -> list[str]:
        """Return the text of each row of symbols."""
        counts = Counter(symbol for row in rows for symbol in row.content.split())
        self._check_symbols(counts, table)
        texts = ["".join(self._text_of.get(symbol, symbol) for symbol in row.content.split()) for row in rows]
        if max(map(len, texts), default=0) > _MAX_WORD_LENGTH and not any(" " in text for text in texts):
            log.warning(
                "%s: no text contains a space; if another symbol than <space> stands for it, name it, as in "
                'dataset.symbols=["@= "]',
                table,
            )
        return texts

    def _build_line(self, row: _Row, text: str, table: Path) -> Line:
        image = (
            self._images.find(self._image_names.apply(row.id))
            if row.content
            else f"there is no text for {row.id}; complete or remove the row"
        )
        if isinstance(image, Path):
            return Line(row.id, ImageFile(image), clean_text(text))
        if row.content:
            self._missing.add(self._image_names.apply(row.id))
        return Line(row.id, UnusableImage(f"{table}: row {row.number}: {image}"), clean_text(text))

    def _check_symbols(self, counts: Counter[str], table: Path) -> None:
        """Refuse special symbols of unknown meaning; report symbols that are not in the table of symbols."""
        unknown = [symbol for symbol in counts if _SPECIAL_SYMBOL.fullmatch(symbol) and symbol not in self._text_of]
        if unknown:
            raise DataError(
                f"the text of these special symbols is unknown: {_format_symbols(unknown, counts)}",
                key="dataset.symbols",
                file=table,
                remedy=f'add each, such as dataset.symbols=["{unknown[0]}="] to delete {unknown[0]}',
            )
        missing = [symbol for symbol in counts if self._syms is not None and symbol not in self._syms]
        if 2 * len(missing) > len(counts):
            raise DataError(
                f"most of its symbols are not in {self._syms_path}, such as {_format_symbols(missing, counts)}",
                file=table,
                remedy="set dataset.syms to the right table of symbols, or, if its texts are not split into symbols, "
                "let its name end in _text",
            )
        if missing:
            log.warning("%s: symbols that are not in %s: %s", table, self._syms_path, _format_symbols(missing, counts))

    @functools.cached_property
    def _syms(self) -> frozenset[str] | None:
        path = self._syms_path
        if self._syms_name == "" or (self._syms_name is None and not path.is_file()):
            return None
        content = _read_text(path)
        rows = [(number, row.split()) for number, row in enumerate(content.split("\n"), 1) if row.strip()]
        for number, fields in rows:
            if len(fields) != 2 or not fields[1].isdecimal():
                problem = f"row {number} is not a symbol and its number"
                raise DataError(problem, file=path, remedy="correct it, or set dataset.syms to another table")
        return frozenset(fields[0] for _, fields in rows)

    @property
    def _syms_path(self) -> Path:
        return self.root / (self._syms_name or "syms.txt")

    @functools.cached_property
    def _images(self) -> "_ImageFinder":
        default = ["images"] if (self.root / "images").is_dir() else []
        folders = [self.root / name for name in (default if self._img_dirs is None else self._img_dirs)]
        for folder in folders:
            if not folder.is_dir():
                remedy = "set it to the folders of the images"
                raise DataError("there is no such folder", key="dataset.img_dirs", file=folder, remedy=remedy)
        return _ImageFinder([*folders, self.root])


class _ImageFinder:
    """Finds images by their ids: the path in one of the folders, with or without suffix."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._listings: dict[Path, dict[str, list[str]]] = {}
        self._finder = FileFinder()

    def find(self, id: str) -> Path | str:
        """Return the path of an image, or else why there is none and the remedy."""
        name = os.path.normpath(id.replace("\\", "/"))
        if Path(name).parts[:1] == ("..",):
            return f"the image {id} is outside the dataset's folder; move it inside, or write its absolute path"
        for folder in self._folders:
            path = folder / name
            listing = self._list_images(path.parent)
            names = listing.get(path.name) or listing.get(normalize_name(path.name), [])
            if len(names) > 1:
                return f"the image {id} could be {' or '.join(sorted(names))} in {path.parent}; keep one of them"
            if names:
                return path.parent / names[0]
        folders = " or ".join(map(str, self._folders))
        return f"there is no image {id} (.png, .jpg ...) in {folders}; add it, or set dataset.img_dirs"

    def _list_images(self, folder: Path) -> dict[str, list[str]]:
        """Return the image files of a folder by name and by stem, normalized and as they are; each is listed once."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            images = [
                name for name in self._finder.list_names(folder) if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
            ]
            for name in images:
                stem = PurePosixPath(name).stem
                for key in dict.fromkeys((stem, normalize_name(stem))):
                    listing.setdefault(key, []).append(name)
            for name in images:
                listing.setdefault(normalize_name(name), []).append(name)
            self._listings[folder] = listing | {name: [name] for name in images}
        return self._listings[folder]


def _read_rows(path: Path) -> Iterator[_Row]:
    """Yield the rows of a table or of a list of ids; refuse an id that occurs twice."""
    number_of: dict[str, int] = {}
    for number, row in enumerate(_read_text(path).split("\n"), start=1):
        id, *content = row.split(maxsplit=1)[:2] or [""]
        if not id or id.startswith("#"):
            continue
        if number_of.setdefault(id, number) != number:
            problem = f"rows {number_of[id]} and {number} both have the image {id}"
            raise DataError(problem, file=path, remedy="remove one of them")
        yield _Row(number, id, content[0] if content else "")


def _read_text(path: Path) -> str:
    return read_text_file(path, remedy="correct its name in the configuration")


def _get_id_list(table: Path) -> Path:
    """Return the path of the list of ids that belongs to a table, whether it exists or not."""
    stem = next((table.stem.removesuffix(e) for e in _RAW_TEXT_ENDINGS if table.stem.endswith(e)), table.stem)
    return table.with_name(f"{stem}_ids.txt")


def _format_symbols(symbols: Sequence[str], counts: Counter[str]) -> str:
    names = ", ".join(f"{symbol!r} ({counts[symbol]}x)" for symbol in symbols[:_MAX_NAMED])
    return f"{names} and {len(symbols) - _MAX_NAMED} others" if len(symbols) > _MAX_NAMED else names
