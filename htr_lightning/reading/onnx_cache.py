"""Models that were exported to ONNX, kept in a folder of the user so that each is exported only once.

The name of a file says which model it is of (by the hash of the model file), in how many bits, and by which version of
the export. It begins with a digest of the rest, so that a damaged file is noticed and exported again.
"""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from htr_lightning.errors import InputError
from htr_lightning.files import atomic_write, check_writable, file_lock, remove_stale

EXPORT_VERSION = 2
"""Raise it when the export of a model changes."""
CACHE_VARIABLE = "HTR_CACHE"
"""Environment variable with the folder to keep exported models in."""
_SUFFIX, _LOCK = ".export", ".lock"
_DIGEST_BYTES = 32
_UNUSED_S = 90 * 24 * 3600.0


class CacheError(InputError):
    """The folder of exported models cannot be written."""


def get_cache_folder() -> Path:
    """Return the folder of exported models, which may not exist yet.

    It is ``$HTR_CACHE``, or where the system wants caches: ``$XDG_CACHE_HOME`` or ``~/.cache`` on Linux,
    ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows.

    Raises:
        CacheError: the user has no home folder.
    """
    if folder := os.environ.get(CACHE_VARIABLE):
        return Path(folder)
    try:
        if sys.platform == "win32":
            root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Caches"
        else:
            root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise CacheError("there is no home folder to keep exported models in", remedy=_remedy()) from None
    return root / "htr_lightning"


def check_cache() -> None:
    """Check that exported models can be kept.

    Raises:
        CacheError: they cannot.
    """
    folder = get_cache_folder()
    try:
        check_writable(folder)
    except InputError as error:
        problem = f"exported models cannot be kept there: it {error.problem}"
        raise CacheError(problem, file=folder, remedy=_remedy()) from None


def _remedy() -> str:
    return f"set {CACHE_VARIABLE} to another folder"


def has_export(model: Path, runtime: str) -> bool:
    """Whether a model file was exported before, for ``onnx`` or ``onnx-int8``."""
    with contextlib.suppress(CacheError, OSError):
        return _name_export(model, runtime).is_file()
    return False


def read_export(model: Path, runtime: str) -> bytes | None:
    """Return the ONNX file that a model file was exported to; None if there is none, or it is damaged."""
    try:
        path = _name_export(model, runtime)
        data = path.read_bytes()
    except (CacheError, OSError):
        return None
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    with contextlib.suppress(OSError):  # of another user, or on a disk that is read-only
        os.utime(path)  # it is in use
    return content


def keep_export(model: Path, runtime: str, export: Callable[[], bytes], report: Callable[[str], None]) -> bytes:
    """Export a model file and keep the result; if another process is at it, wait, and take its result.

    Args:
        model: the file.
        runtime: ``onnx`` or ``onnx-int8``.
        export: returns the content of the ONNX file.
        report: called with a sentence if the result cannot be kept.
    """
    content: bytes | None = None
    try:
        check_cache()
        path = _name_export(model, runtime)
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(parents=True)
        with file_lock(path.parent / _LOCK, on_busy=lambda: None):
            content = read_export(model, runtime)
            if content is None:
                content = export()
                with atomic_write(path) as file:
                    file.write(hashlib.sha256(content).digest() + content)
                _remove_unused(path.parent)
    except CacheError as error:
        report(str(error))
    except OSError as error:
        report(f"exported models cannot be kept ({error.strerror or error}); {_remedy()}")
    return export() if content is None else content


def _name_export(model: Path, runtime: str) -> Path:
    """Return where the export of a model file is kept.

    Raises:
        CacheError: nowhere.
        OSError: the model file cannot be read.
    """
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    return get_cache_folder() / f"{digest}-{runtime}-{EXPORT_VERSION}{_SUFFIX}"


def _remove_unused(folder: Path) -> None:
    """Delete what killed processes left behind, and exports that were not read for three months."""
    remove_stale(folder)
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNUSED_S:
                path.unlink()
