"""The files of a dataset: finding them in folders, and reading text."""

import codecs
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from htr_lightning.image.files import DataError
from htr_lightning.image.folder import build_unreadable_error, search_folder, suggest

_BYTE_ORDER_MARKS = {  # UTF-32 first, since its mark begins with that of UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def check_root(root: Path, content: str) -> None:
    """Check that the root of a dataset is a folder.

    Args:
        root: ``dataset.root``.
        content: what the folder should hold, for the message, such as ``your lines``.

    Raises:
        DataError: the root is missing, or is not a folder.
    """
    if not root.is_dir():
        problem = "this is not a folder" if root.exists() else "there is no such folder"
        question = "" if root.exists() else suggest(root)
        remedy = " ".join(filter(None, [question, f"set it to the folder of {content}"]))
        raise DataError(problem, key="dataset.root", value=root, remedy=remedy)


def find_files(root: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Yield the files with one of the suffixes (lower case) in a folder and its subfolders, sorted by name.

    Hidden files and folders are skipped. Links to folders are followed, each folder once.

    Raises:
        DataError: a folder cannot be listed, or a file name is not UTF-8.
    """
    yield from check_file_names(search_folder(root, suffixes).files)


def check_file_names(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield paths, but refuse a file name that is not UTF-8; old archives made on Windows have such names.

    Raises:
        DataError: names the folder and the file.
    """
    for path in paths:
        _check_file_name(path.name, str(path.parent))
        yield path


def _check_file_name(name: str, folder: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"the file name {name!a} is not UTF-8", file=ascii(folder), remedy="rename the file") from None


def read_text_file(path: Path, *, remedy: str, key: str = "", newline: str | None = None) -> str:
    """Read a UTF-8 text file, with or without a byte order mark, or one in UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: of the file.
        remedy: what to do if the file is missing, for the message.
        key: the configuration key that names the file, for the message.
        newline: None translates all line ends to a newline character, an empty string none.

    Raises:
        DataError: the file is missing, cannot be read, or is not UTF-8 (names the row, from 1).
    """
    try:
        content = path.read_bytes()
        encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
        text = content.decode(encoding)
        return text if newline == "" else io.StringIO(text, newline=newline).read()
    except FileNotFoundError:
        remedy = " ".join(filter(None, [suggest(path), remedy]))
        raise DataError("there is no such file", file=path, key=key, remedy=remedy, kind="missing") from None
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        name = encoding.upper().removesuffix("-SIG")
        problem = f"row {row} is not {name} (byte 0x{error.object[error.start]:02X})"
        raise DataError(problem, file=path, key=key, remedy="save the file as UTF-8", kind="encoding") from None
    except OSError as error:
        raise build_unreadable_error(path, error) from None
    except ValueError:  # NUL, or half a surrogate pair
        name = ascii(str(path))
        raise DataError("no file can have this name", file=name, key=key, remedy="correct it", kind="missing") from None
