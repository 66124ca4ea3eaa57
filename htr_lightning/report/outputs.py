"""Which files a command may write: none that is being read, and none that something else made."""

import gzip
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.files import OutputError

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

Kind = re.Pattern[bytes]
"""What the files of a kind begin with."""

_PROGRAM = "htr_lightning"
_HEAD_BYTES = 1 << 16

REPORT: Kind = re.compile(rb'<!doctype html>.{0,999}<meta name="generator" content="htr_lightning', re.DOTALL)
"""An HTML report of this package."""
PICTURE: Kind = re.compile(rb"\x89PNG\r\n.*?tEXtSoftware\0htr_lightning", re.DOTALL)
"""A PNG file that was written with `mark_png`."""
MODEL: Kind = re.compile(rb'.{8}\{"__metadata__":\{"htr_lightning":', re.DOTALL)
"""A model file of this package."""
ONNX: Kind = re.compile(rb".{0,8}\x12\x0dhtr_lightning", re.DOTALL)
"""A model that was exported to ONNX."""
ARPA: Kind = re.compile(rb"\s*\\data\\\s")
"""A language model, gzipped or not."""


def json_kind(first_key: str) -> Kind:
    """Return the kind of JSON files that begin with an object with a certain first key."""
    return re.compile(rb'\s*\{\s*"' + re.escape(first_key.encode()) + rb'"\s*:')


def table_kind(*columns: str) -> Kind:
    """Return the kind of tables that begin with certain columns, separated by tabs."""
    return re.compile(re.escape("\t".join(columns).encode()) + rb"[\t\r\n]")


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a command is going to write.

    Attributes:
        path: of the file.
        kind: a file that exists is replaced if it is of this kind or empty; None keeps every other file, such as
            texts, which people correct by hand.
        key: option that names the file or its folder, such as ``--out``; empty for a positional argument.
        folder: what the option names, if that is a folder.
    """

    path: Path
    kind: Kind | None = None
    key: str = "--out"
    folder: Path | None = None


def check_outputs(outputs: Iterable[Output], inputs: Iterable[Path], *, overwrite: bool = False) -> None:
    """Check, before anything is read, that the outputs destroy nothing.

    Files are the same if the operating system says so, whatever they are called: links, hard links and other spellings
    of a name count.

    Args:
        outputs: the files to write.
        inputs: the files to read, and folders of which any file may be read. Only looked at if an output exists.
        overwrite: replace files of other kinds, too; never an input.

    Raises:
        OutputError: an output is also an input, or exists and is not of the same kind, or is written twice.
    """
    existing: dict[tuple[int, int], Output] = {}
    names: dict[str, Output] = {}
    folders: dict[str, bool] = {}  # whether they exist: in those that do not, there is nothing to look for
    for output in outputs:
        name = os.path.normcase(output.path.absolute())
        folder = name.rpartition(os.sep)[0]
        if folder not in folders:
            folders[folder] = _stat(output.path.parent) is not None
        status = _stat(output.path) if folders[folder] else None
        identity = None if status is None else (status.st_dev, status.st_ino)
        if (other := existing.get(identity) if identity else names.get(name)) is not None:
            twice = f"{other.key} {other.path}" if other.key != output.key else "another result"
            raise _error(output, f"{twice} would be written to the same file", "conflict")
        names[name] = output
        if identity is not None:
            existing[identity] = output
    if not existing:
        return
    for file in list_files(inputs):
        status = _stat(file)
        if status is not None and (status.st_dev, status.st_ino) in existing:
            output = existing[status.st_dev, status.st_ino]
            is_named = file.absolute() == output.path.absolute()
            what = "this file is read" if is_named else f"this is the same file as {file}, which is read"
            raise _error(output, f"{what}, and would be overwritten", "conflict")
    for output in existing.values():
        _refuse_other_kind(output, overwrite)


def list_files(paths: Iterable[Path], *, skip: Path | None = None) -> Iterator[Path]:
    """Yield files, and those in folders and their subfolders; links to folders are followed, each folder once.

    Args:
        paths: files and folders.
        skip: a folder to leave out.
    """
    visited: set[str] = set() if skip is None else {os.path.realpath(skip)}
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path, followlinks=True):
            if os.path.realpath(folder) in visited:
                subfolders.clear()
                continue
            visited.add(os.path.realpath(folder))
            yield from (Path(folder, name) for name in names)


def mark_png() -> "PngInfo":
    """Return the text that makes a PNG file a `PICTURE`: the argument ``pnginfo`` of Pillow's ``save``."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", _PROGRAM)
    return info


def _refuse_other_kind(output: Output, overwrite: bool) -> None:
    status = _stat(output.path)
    if status is None or stat.S_ISDIR(status.st_mode):  # for `check_writable`
        return
    if not stat.S_ISREG(status.st_mode):
        raise _error(output, "this is a device or a pipe, which cannot be replaced", "conflict")
    if overwrite or not status.st_size:
        return
    if output.kind is None or not output.kind.match(_read_head(output.path)):
        not_ours = "" if output.kind is None else ", and is not an earlier result of this command"
        raise _error(output, f"this file exists{not_ours}", "exists")


def _error(output: Output, problem: str, kind: str) -> OutputError:
    target = "file" if output.folder is None else "folder"
    remedy = f"choose another {target}" + (", or replace it with --overwrite" if kind == "exists" else "")
    if not output.key:
        return OutputError(problem, file=output.path, remedy=remedy, kind=kind)
    if output.folder is not None:
        problem = f"{output.path}: {problem}"
    return OutputError(problem, key=output.key, value=output.folder or output.path, remedy=remedy, kind=kind)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # no such file, or a name that no file can have
        return None


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head.startswith(b"\x1f\x8b"):
            return head
        with gzip.open(path) as unzipped:
            return unzipped.read(256)
    except (OSError, EOFError):
        return b""
