"""Remote storage through fsspec: list, download and write files, with errors as sentences."""

import contextlib
import importlib.util
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from htr_lightning.errors import InputError
from htr_lightning.files import PARTIAL, OutputError
from htr_lightning.image.files import DataError
from htr_lightning.reading.records.file_states import FileState
from htr_lightning.reading.storage.places import Url

_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
"""What fsspec needs besides itself."""
_ATOMIC = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory")
"""Object stores: a file is there when it is complete."""
_LOCAL = ("file", "local")
_WITHOUT_LISTS = ("http", "https")
_REFUSED = (401, 403)  # HTTP status
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
_RESUME = "what was written before is complete, and the same command resumes"
_NS = 10**9


class Store:
    """A filesystem of fsspec.

    Args:
        url: an address in it.

    Raises:
        InputError: fsspec, or what it needs for this storage, is not installed, or the storage refuses.
    """

    def __init__(self, url: Url) -> None:
        if importlib.util.find_spec("fsspec") is None:
            remedy = "run: pip install 'htr-lightning[remote]'"
            raise InputError("fsspec, which reads remote storage, is not installed", file=url, remedy=remedy)
        import fsspec.core

        scheme = url.scheme
        if scheme not in fsspec.registry and scheme not in fsspec.available_protocols():
            remedy = "write s3://, gs://, abfs://, https://, or another one that fsspec knows"
            raise InputError("this kind of storage is unknown", file=url, remedy=remedy, kind="unknown")
        options: dict[str, Any] = {"auto_mkdir": True} if scheme in _LOCAL else {}
        try:
            with report_store_errors(url):
                self._fs, _ = fsspec.core.url_to_fs(url, **options)
        except ImportError as error:
            package = _PACKAGES.get(scheme)
            remedy = f"run: pip install {package}" if package else f"install what it needs: {error}"
            problem = f"{package or 'a package'}, which reads {scheme}://, is not installed"
            raise InputError(problem, file=url, remedy=remedy, kind="missing") from None
        self._is_atomic, self.has_lists = scheme in _ATOMIC, scheme not in _WITHOUT_LISTS
        self.is_parallel = bool(getattr(self._fs, "async_impl", False)) or scheme in _LOCAL
        self._lock: contextlib.AbstractContextManager[Any] = (
            contextlib.nullcontext() if self.is_parallel else threading.RLock()
        )

    def _path(self, url: Url) -> str:
        return str(self._fs._strip_protocol(url))

    def list_folder(self, url: Url, *, recursive: bool = True) -> dict[str, FileState]:
        """Return size and modification time (0 if it is unknown) of the files in a folder, by their paths in it.

        Raises:
            DataError: there is no such folder, or it cannot be listed.
        """
        if not self.has_lists:
            remedy = "name the files, or write their addresses into a file and name that with --list"
            raise DataError(f"folders cannot be listed over {url.scheme}", file=url, remedy=remedy, kind="unlisted")
        root = self._path(url)
        with report_store_errors(url), self._lock:
            self._fs.invalidate_cache()
            found = self._fs.find(root, detail=True, **({} if recursive else {"maxdepth": 1}))
            if not found:
                self._fs.ls(root)  # says whether the folder exists, which find does not
        prefix = root.strip("/") + "/"
        names = ((path.strip("/").removeprefix(prefix), info) for path, info in found.items())
        return {name: (int(info.get("size") or 0), _find_time(info)) for name, info in names}

    def download(self, url: Url, path: Path) -> None:
        """Copy a file to this machine.

        Raises:
            DataError: there is no such file, or it cannot be read.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with report_store_errors(url), self._lock:
            self._fs.get_file(self._path(url), str(path))

    def write(self, url: Url, content: bytes) -> None:
        """Write a file, completely or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        path = self._path(url)
        with report_store_errors(url, writes=True), self._lock:
            if self._is_atomic:
                self._fs.pipe_file(path, content)
                return
            folder, _, name = path.rpartition("/")
            self._fs.makedirs(folder, exist_ok=True)
            partial = f"{folder}/.{name}-{secrets.token_hex(4)}{PARTIAL}"
            try:
                self._fs.pipe_file(partial, content)
                self._fs.mv(partial, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._fs.rm_file(partial)
                raise

    def delete(self, url: Url) -> None:
        """Delete a file, if there is one.

        Raises:
            OutputError: it cannot be deleted.
        """
        with report_store_errors(url, writes=True), self._lock, contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(url))


def _find_time(info: dict[str, Any]) -> int:
    """Return when a file was modified, in ns; 0 if fsspec does not know."""
    for key in _TIMES:
        value = info.get(key)
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = value.timestamp()
        if isinstance(value, int | float):
            return int(value * _NS)
    return 0


@contextlib.contextmanager
def report_store_errors(url: Url, *, writes: bool = False) -> Iterator[None]:
    """Convert what the libraries behind fsspec raise to an error with a sentence.

    Raises:
        DataError: the block, which reads, failed.
        OutputError: the block, which writes, failed.
    """
    try:
        yield
    except (InputError, ImportError):
        raise
    except Exception as error:  # each library has its own errors
        raise _build_error(url, error, writes) from None


def _build_error(url: Url, error: Exception, writes: bool) -> InputError:
    name = type(error).__name__
    reason = next(iter(str(error).splitlines()), "") or name
    status = getattr(error, "status", getattr(error, "code", None))
    remedy = _RESUME if writes else "check the address"
    if isinstance(error, FileNotFoundError):
        problem, kind = f"there is no such file, folder or bucket ({reason})", "missing"
        remedy = "check the address, and that the bucket exists"
    elif "Credential" in name or "Auth" in name:
        problem, kind = f"there are no valid credentials for {url.scheme}:// ({reason})", "refused"
        remedy = "log in, or set the variables from which its library takes the credentials"
    elif isinstance(error, PermissionError) or status in _REFUSED:
        problem, kind = f"access is refused ({reason})", "refused"
        remedy = "check the credentials, and what they may do"
    elif isinstance(error, ConnectionError | TimeoutError) or "Connect" in name or "Timeout" in name:
        problem, kind = f"the storage cannot be reached ({reason})", "unreachable"
        remedy = "check network and address; the same command resumes"
    else:
        what = "written" if writes else "read"
        problem, kind = (
            f"cannot be {what} ({reason if isinstance(error, OSError) else f'{name}: {reason}'})",
            "unreadable",
        )
    if writes:
        return OutputError(problem, file=url, remedy=remedy, kind="unwritable" if kind == "unreadable" else kind)
    return DataError(problem, file=url, remedy=remedy, kind=kind)
