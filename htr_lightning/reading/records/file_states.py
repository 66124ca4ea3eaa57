"""Size, time and content of files: whether a scan or a result is still what a record says."""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from htr_lightning.image.folder import is_file

FileState = tuple[int, int]
"""Size in bytes and modification time in ns."""
Fingerprint = tuple[int, int, str] | tuple[int, int] | tuple[()]
"""`FileState` and SHA-256; records of earlier versions lack the SHA-256 of results. Empty if nothing is known."""
_CHUNK_BYTES = 1 << 20


class FileStates:
    """What is known of files before they are opened."""

    def exists(self, path: Path) -> bool:
        """Return whether there is a file."""
        return is_file(path)

    def is_same(self, path: Path, known: Fingerprint) -> bool:
        """Return whether a file has the content of a record; it is read only if its time has changed."""
        state = get_state(path)
        if state is None or state == known[:2]:
            return state is not None
        return len(known) == 3 and state[0] == known[0] and _hash_file(path, state[1]) == known[2]

    def is_unedited(self, path: Path, known: Fingerprint) -> bool:
        """Return whether a result is still as it was written; see `is_same`."""
        return self.is_same(path, known)


def get_state(path: Path) -> FileState | None:
    """Return size and modification time of a file; None if there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def describe_image(path: Path) -> tuple[int, int, str] | tuple[()]:
    """Return size, modification time in ns and SHA-256 of a file; nothing if it cannot be read."""
    state = get_state(path)
    try:
        return () if state is None else (*state, _hash_file(path, state[1]))
    except OSError:
        return ()


def describe_files(paths: Iterable[Path]) -> dict[str, Fingerprint]:
    """Return the same of the files that exist, by their names."""
    states = {path.name: describe_image(path) for path in paths}
    return {name: state for name, state in states.items() if state}


@functools.lru_cache(maxsize=64)  # the pages of a document have one file
def _hash_file(path: Path, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
