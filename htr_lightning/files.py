"""Files that are written completely or not at all, and those that a run writes."""

import contextlib
import errno
import json
import logging
import math
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from htr_lightning.errors import InputError

PARTIAL = ".partial"
_STALE_S = 24 * 3600.0
_UNSUPPORTED_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)  # of some network drives
log = logging.getLogger(__name__)


class OutputError(InputError):
    """A file or folder that cannot be written."""


def check_writable(path: Path, key: str = "", *, is_file: bool = False) -> None:
    """Check, before long work, that a file or a folder can be written; nothing is created.

    Args:
        path: a folder, which may not exist yet, nor its parents; or a file in a folder that exists.
        key: option or key of the configuration that names the path, such as ``--out``.
        is_file: whether the path is that of a file.

    Raises:
        OutputError: it cannot be written.
    """
    absolute = path.absolute()
    if is_file and absolute.is_dir():
        raise _unwritable(path, key, "is a folder", is_file=True)
    places = absolute.parents if is_file else (absolute, *absolute.parents)
    place = places[0] if is_file else next(folder for folder in places if os.path.lexists(folder))
    try:
        for name in absolute.relative_to(place).parts:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (place / name).lstat()  # tells whether a name is too long
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        reason += "" if place == absolute else f": {place}"
        raise _unwritable(path, key, f"cannot be written ({reason})", is_file=is_file) from None


@contextlib.contextmanager
def report_write_errors(path: Path, key: str = "", *, is_file: bool = False) -> Iterator[None]:
    """Convert an ``OSError`` of the block, which writes a file or folder, to an `OutputError`; see `check_writable`."""
    try:
        yield
    except OSError as error:
        raise _unwritable(path, key, f"cannot be written ({error.strerror or error})", is_file=is_file) from None


def _unwritable(path: Path, key: str, problem: str, *, is_file: bool) -> OutputError:
    place: dict[str, Any] = {"key": key, "value": path} if key else {"file": path}
    remedy = f"choose another {'file' if is_file else 'folder'}"
    return OutputError(problem, **place, remedy=remedy, kind="unwritable")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Write a file atomically: open a temporary file that replaces ``path`` when the block ends without an error.

    The temporary file is in the same folder, with a hidden name that ends in `PARTIAL`.

    Raises:
        OSError: the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}-{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_stale(folder: Path) -> None:
    """Delete the temporary files that killed processes left in a folder; a recent one may still be written."""
    for partial in folder.glob(f".*{PARTIAL}"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > _STALE_S:
                partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; lone surrogates, which UTF-8 cannot encode, are escaped."""
    with atomic_write(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, values: Any) -> None:
    """Write JSON atomically; see `format_json`."""
    write_text(path, format_json(values, indent=2) + "\n")


def format_json(values: Any, indent: int | None = None) -> str:
    """Return values as JSON, which has no NaN and no infinity: such numbers become ``null``."""
    try:
        return json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_replace_non_finite(values), indent=indent, ensure_ascii=False, allow_nan=False)


def _replace_non_finite(values: Any) -> Any:
    if isinstance(values, float):
        return values if math.isfinite(values) else None
    if isinstance(values, Mapping):
        return {key: _replace_non_finite(value) for key, value in values.items()}
    return [_replace_non_finite(value) for value in values] if isinstance(values, list | tuple) else values


@dataclass(frozen=True)
class RunFolder:
    """The files that a run writes.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def info(self) -> Path:
        """Versions, commit, device, seed, command, and the start and end of the run."""
        return self.path / "run.json"

    @property
    def result(self) -> Path:
        """The scores."""
        return self.path / "result.json"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.safetensors"

    @property
    def checkpoints(self) -> Path:
        """Folder of `best`, `last` and `previous`."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest CER on val."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.checkpoints / "last.ckpt"

    @property
    def previous(self) -> Path:
        """The checkpoint before `last`, in case that one is damaged."""
        return self.checkpoints / "previous.ckpt"

    @property
    def non_finite(self) -> Path:
        """Folder with the batch and the weights that led to a loss that is NaN or infinite."""
        return self.path / "non_finite"

    @property
    def failed(self) -> Path:
        """Why a run of a sweep failed."""
        return self.path / "failed.json"

    @property
    def pruned(self) -> Path:
        """When a trial of a study was pruned."""
        return self.path / "pruned.json"

    @property
    def logs(self) -> list[Path]:
        """The CSV files of the metrics, one for each time that the run was started."""
        return sorted(self.path.glob("csv/version_*/metrics.csv"), key=lambda path: int(path.parent.name[8:]))

    @property
    def resumable(self) -> list[Path]:
        """The checkpoints to resume from, the newest first."""
        return [path for path in (self.last, self.previous) if path.is_file()]

    def scores(self) -> dict[str, float] | None:
        """Return the scores of a run that is complete, or None."""
        if "end" not in read_json(self.info) or not self.model.is_file():
            return None
        return read_json(self.result) or None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if the file does not exist or holds no JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def file_lock(path: Path, on_busy: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file, which excludes other processes until the block ends or the process dies.

    The lock file stays: if it were deleted, a process that waits for the deleted file and a process that creates a new
    one could both enter. Where the drive supports no locks, a warning is logged, and nobody is excluded.

    Args:
        path: of the lock file, in a folder that exists.
        on_busy: called if another process holds the lock: it raises an error, or returns to wait.

    Raises:
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout  # prediction works without it

    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_busy()
        lock.acquire()
    except OSError as error:
        if error.errno not in _UNSUPPORTED_LOCKS:
            raise
        log.warning("%s does not support file locks; do not let several processes write there", path.parent)
    try:
        yield
    finally:
        lock.release()
