"""Locks between processes, which end with the process that holds them."""

import contextlib
import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP)  # of some network drives
log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path, on_busy: Callable[[], None]) -> Iterator[None]:
    """Exclude other processes until the block ends or the process dies.

    The lock file stays: if it were deleted, a process that waits for the deleted file and a process that creates a new
    one could both enter. Where the drive supports no locks, a warning is logged, and nobody is excluded.

    Args:
        path: of the lock file, in a folder that exists.
        on_busy: called if another process holds the lock: it raises an error, or returns to wait.

    Raises:
        OSError: the folder cannot be written.
    """
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_busy()
        lock.acquire()
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        log.warning("%s does not support file locks; do not let several processes write there", path.parent)
    try:
        yield
    finally:
        lock.release()
