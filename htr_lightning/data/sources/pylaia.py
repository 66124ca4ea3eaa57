"""Data sets of PyLaia: tables that cut each text into symbols, lists of ids, folders of line images."""

import functools
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.lines import SPLIT_NAMES
from htr_lightning.data.sources.page_images import check_root
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError, ImageFile, LineImage, UnusableImage
from htr_lightning.text import clean_text

log = logging.getLogger(__name__)
_RAW_ENDINGS = ("_text", "_eval")
_SUFFIXES = (*IMAGE_SUFFIXES, ".pbm")
_STAND_IN = re.compile(r"<[^<>]+>|\{[^{}]+\}")
_MOST_NAMED = 5  # symbols in one message
_LONG_WORD = 20  # characters


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table: the id of an image, and its text or symbols as they are written."""

    number: int
    id: str
    content: str


class Pylaia:
    """Line images and their texts, as PyLaia has them.

    For each split there is a table ``train.txt`` whose rows hold the id of an image and the symbols of its text,
    between spaces: ``train/im01 f o r <space> d e t``. Without one, the texts come from ``train_text.txt`` (or
    ``train_eval.txt``), as they are: ``train/im01 for det``. Other names are ``training`` and ``tr``; ``valid``,
    ``validation``, ``dev`` and ``va``; ``testing`` and ``te``. Empty rows and those that begin with ``#`` are passed
    over. An id without image, without text, or which only the list ``train_ids.txt`` has, becomes an unusable line.

    A symbol stands for itself, however many characters it has, but for ``<space>`` and what ``symbols`` names. Texts
    are read in the order in which they are written.

    Args:
        root: the folder; paths in the other arguments are relative to it.
        train: table of the training split; None finds it by its name. One whose name ends in ``_text`` or ``_eval``
            has texts as they are. What its name ends in is also how the list of ids is found.
        val: the same of the validation split.
        test: the same of the test split.
        img_dirs: folders of the images, the first that has an id counts; an id may begin with subfolders, and end in
            a suffix. None takes ``images``, if there is such a folder; the root comes last.
        syms: table of symbols and their numbers; None takes ``syms.txt`` if there is one,
            an empty string none. What it lacks is reported.
            The numbers are not used.
        symbols: what symbols stand for, each as ``symbol=text``: ``@= `` for a space, ``<gap>=`` for nothing.

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
    ) -> None:
        self.root = Path(root)
        self._named: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self._img_dirs = img_dirs
        self._syms_name = syms
        self._texts = {"<space>": " "}
        for entry in symbols:
            end = entry.find("=", 1)  # the symbol itself may be one
            if end < 0 or len(entry[:end].split()) != 1:
                raise DataError(f"dataset.symbols: {entry!r} is not symbol=text; write '<gap>=' to leave <gap> out")
            self._texts[entry[:end].strip()] = entry[end + 1 :]

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split in the order of their table, then what only the list of ids has.

        Raises:
            DataError: the root, a table or a folder of images is missing; a table is malformed or has symbols that
                stand for no known text.
        """
        table = self._tables.get(split)
        if table is None:
            return []
        rows = list(_rows(table))
        is_raw = table.stem.endswith(_RAW_ENDINGS)
        lines = list(self._of_texts(rows, table) if is_raw else self._of_symbols(rows, table))
        known = {row.id for row in rows}
        ids = _ids_of(table)
        for row in _rows(ids) if ids.is_file() else ():
            if row.id not in known:
                reason = f"{ids}: row {row.number} lists {row.id}, which has no text in {table.name}; add or remove it"
                lines.append(Line(row.id, UnusableImage(reason), ""))
        return lines

    @functools.cached_property
    def _tables(self) -> dict[Split, Path]:
        check_root(self.root, "of the tables")
        present = sorted(path for path in self.root.iterdir() if path.suffix.lower() == ".txt" and path.is_file())
        tables = {split: self._table(split, present) for split in SPLIT_NAMES}
        if not any(tables.values()):
            raise DataError(
                f"{self.root}: has no table train.txt, val.txt or test.txt; set dataset.train, dataset.val and "
                "dataset.test if they have other names"
            )
        return {split: table for split, table in tables.items() if table}

    def _table(self, split: Split, present: Sequence[Path]) -> Path | None:
        named = self._named[split]
        if named:
            return self.root / named
        names = (*SPLIT_NAMES[split], split[:2])  # tr, va, te: in PyLaia's own examples
        for ending in ("", *_RAW_ENDINGS):
            found = [path for path in present if path.stem.lower() in {name + ending for name in names}]
            if len(found) > 1:
                both = " and ".join(path.name for path in found)
                raise DataError(f"{self.root}: {both} are all of {split}; set dataset.{split} to one of them")
            if found:
                return found[0]
        return None

    def _of_texts(self, rows: Sequence[_Row], table: Path) -> Iterator[Line]:
        for row in rows:
            yield self._line(row, row.content, table)

    def _of_symbols(self, rows: Sequence[_Row], table: Path) -> Iterator[Line]:
        counts = Counter(symbol for row in rows for symbol in row.content.split())
        self._check(counts, table)
        texts = ["".join(self._texts.get(symbol, symbol) for symbol in row.content.split()) for row in rows]
        if max(map(len, texts), default=0) > _LONG_WORD and not any(" " in text for text in texts):
            log.warning(
                "%s: no text has a space; if another symbol than <space> stands for it, say which, such as "
                'dataset.symbols=["@= "]',
                table,
            )
        for row, text in zip(rows, texts, strict=True):
            yield self._line(row, text, table)

    def _line(self, row: _Row, text: str, table: Path) -> Line:
        where = f"{table}: row {row.number}"
        image: LineImage
        if not row.content:
            image = UnusableImage(f"{where} has no text for {row.id}; complete or remove it")
        else:
            found = self._images.find(row.id)
            image = ImageFile(found) if isinstance(found, Path) else UnusableImage(f"{where}: {found}")
        return Line(row.id, image, clean_text(text))

    def _check(self, counts: Counter[str], table: Path) -> None:
        """Refuse symbols that stand for something, nobody knows what; report those that the list lacks."""
        unknown = [symbol for symbol in counts if _STAND_IN.fullmatch(symbol) and symbol not in self._texts]
        if unknown:
            raise DataError(
                f"{table}: dataset.symbols does not say what {_listed(unknown, counts)} stand for; add each, such as "
                f'dataset.symbols=["{unknown[0]}="] to leave {unknown[0]} out'
            )
        lacking = [symbol for symbol in counts if self._syms is not None and symbol not in self._syms]
        if 2 * len(lacking) > len(counts):
            raise DataError(
                f"{table}: most of its symbols are not in {self._syms_path}, such as {_listed(lacking, counts)}; set "
                "dataset.syms to the right one, or, if its texts are not cut into symbols, let its name end in _text"
            )
        if lacking:
            log.warning("%s: not in %s, but used: %s", table, self._syms_path, _listed(lacking, counts))

    @functools.cached_property
    def _syms(self) -> frozenset[str] | None:
        path = self._syms_path
        if self._syms_name == "" or (self._syms_name is None and not path.is_file()):
            return None
        rows = [(number, row.split()) for number, row in enumerate(_content(path).split("\n"), 1) if row.strip()]
        for number, fields in rows:
            if len(fields) != 2 or not fields[1].isdecimal():
                raise DataError(f"{path}: row {number} is not a symbol and its number; correct it, or set dataset.syms")
        return frozenset(fields[0] for _, fields in rows)

    @property
    def _syms_path(self) -> Path:
        return self.root / (self._syms_name or "syms.txt")

    @functools.cached_property
    def _images(self) -> "_Images":
        default = ["images"] if (self.root / "images").is_dir() else []
        folders = [self.root / name for name in (default if self._img_dirs is None else self._img_dirs)]
        for folder in folders:
            if not folder.is_dir():
                raise DataError(f"{folder}: there is no such folder; set dataset.img_dirs to those of the images")
        return _Images([*folders, self.root])


class _Images:
    """Images by their ids: path in one of the folders, with or without suffix."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._listings: dict[Path, dict[str, list[str]]] = {}

    def find(self, id: str) -> Path | str:
        """Return the path of an image, or else why there is none."""
        name = os.path.normpath(id)
        if Path(name).parts[:1] == ("..",):
            return f"the image {id} lies outside of the data's folder; move it inside, or write its absolute path"
        for folder in self._folders:
            place = folder / name
            found = self._listing(place.parent).get(place.name, [])
            if len(found) > 1:
                return f"the id {id} could mean {' or '.join(sorted(found))} in {place.parent}; keep one of them"
            if found:
                return place.parent / found[0]
        where = " or ".join(map(str, self._folders))
        return f"there is no image {id} (.png, .jpg ...) in {where}; add it, or set dataset.img_dirs"

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        """Names of image files, by themselves and by their stems; a folder is listed once."""
        if folder not in self._listings:
            try:
                names = sorted(entry.name for entry in os.scandir(folder))
            except (FileNotFoundError, NotADirectoryError):
                names = []
            except OSError as error:
                raise DataError(f"{folder}: cannot be read ({error.strerror}); check permissions and disk") from None
            images = [name for name in names if PurePosixPath(name).suffix.lower() in _SUFFIXES]
            listing: dict[str, list[str]] = {}
            for name in images:
                listing.setdefault(PurePosixPath(name).stem, []).append(name)
            self._listings[folder] = listing | {name: [name] for name in images}
        return self._listings[folder]


def _rows(path: Path) -> Iterator[_Row]:
    """Yield the rows of a table or of a list of ids, each id once."""
    number_of: dict[str, int] = {}
    for number, row in enumerate(_content(path).split("\n"), start=1):
        id, *content = row.split(maxsplit=1)[:2] or [""]
        if not id or id.startswith("#"):
            continue
        if number_of.setdefault(id, number) != number:
            raise DataError(f"{path}: rows {number_of[id]} and {number} both have the image {id}; take one out")
        yield _Row(number, id, content[0] if content else "")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; correct its name in the configuration") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check permissions and disk") from None


def _ids_of(table: Path) -> Path:
    """Return where the list of ids of a table would be."""
    stem = next((table.stem.removesuffix(e) for e in _RAW_ENDINGS if table.stem.endswith(e)), table.stem)
    return table.with_name(f"{stem}_ids.txt")


def _listed(symbols: Sequence[str], counts: Counter[str]) -> str:
    listed = ", ".join(f"{symbol!r} ({counts[symbol]}x)" for symbol in symbols[:_MOST_NAMED])
    return f"{listed} and {len(symbols) - _MOST_NAMED} others" if len(symbols) > _MOST_NAMED else listed
