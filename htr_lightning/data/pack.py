"""Lines preprocessed once, in parallel, into one file.

The file's name holds a fingerprint of everything that went in (the lines, their source files, the
preprocessing), so a second run finds it and a changed source is packed anew. It holds the pixels, one line after the
other, then a table (an Arrow stream) of everything else, and last where the table begins. Only the table is kept in
memory; pixels are read when a batch needs them, so memory stays flat however many lines there are.
"""

import contextlib
import errno
import functools
import hashlib
import itertools
import json
import logging
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from htr_lightning.data.line import Line, load_pixels
from htr_lightning.data.parallel import map_lines
from htr_lightning.files import PARTIAL, replacing
from htr_lightning.image.files import DataError, UnusableImage
from htr_lightning.image.preprocess import Preprocess

FORMAT = 2  # raise it when the file's layout changes, or when `Preprocess` gives other pixels for the same settings
STALE_SECONDS = 24 * 3600
END = struct.Struct("<Q8s")  # where the table begins, and the mark of a complete file
MARK = b"htrlines"
_LOCKS_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP)  # of some network drives
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("group", pa.string()),
        ("digest", pa.string()),
        ("width_px", pa.int32()),
    ]
)

log = logging.getLogger(__name__)
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps an iterable of steps: (steps, number of lines, description) -> the same steps."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that cannot be used, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PackedLine:
    """One line, ready to use. ``pixels`` is ``(H, W)`` uint8, paper 255, not writable."""

    id: str
    text: str
    group: str
    pixels: NDArray[np.uint8]


class PackedLines(Sequence[PackedLine]):
    """The lines of one packed file; only its path travels to worker processes.

    Attributes:
        height_px: height of every line.
        widths: width of every line in pixels, ``(len,)`` int64.
        skipped: the lines that were left out when the file was made.
        fingerprint: of everything that went into the file.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path`` and read its table.

        Raises:
            DataError: not a complete file of this package's current pack format.
        """
        self.path = path
        self._open()

    def _open(self) -> None:
        try:
            self._file = pa.OSFile(str(self.path))
            size = self._file.size()
            begin, mark = END.unpack(self._file.read_at(END.size, max(0, size - END.size)))
            if mark != MARK or not 0 <= begin <= size - END.size:
                raise ValueError("it does not end as one")
            table = pa.ipc.open_stream(self._file.read_at(size - END.size - begin, begin)).read_all()
            metadata = json.loads(table.schema.metadata[b"htr_lightning"])
            self._columns = {name: table.column(name).combine_chunks() for name in table.column_names}
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError, struct.error) as error:
            raise DataError(
                f"{self.path}: not a complete file of packed lines ({error}); delete it and run again"
            ) from None
        self.height_px: int = metadata["height_px"]
        self.fingerprint: str = metadata["fingerprint"]
        self.skipped = [Skipped(*item) for item in metadata["skipped"]]
        self.widths: NDArray[np.int64] = self._columns["width_px"].to_numpy().astype(np.int64)
        self._begins = np.cumsum(np.r_[0, self.widths]) * self.height_px

    def close(self) -> None:
        """Close the file; the lines can be read no more."""
        self._file.close()

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.path = path
        self._open()

    def __len__(self) -> int:
        return len(self.widths)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self.widths):
            raise IndexError(index)
        begin, end = int(self._begins[index]), int(self._begins[index + 1])
        pixels = np.frombuffer(self._file.read_at(end - begin, begin), np.uint8)
        identity, text, group = (self._columns[name][index].as_py() for name in ("id", "text", "group"))
        return PackedLine(identity, text, group, pixels.reshape(self.height_px, -1))

    def column(self, name: str) -> Iterator[str]:
        """Yield the ``id``, ``text``, ``group`` or ``digest`` (of the pixels) of every line, in order."""
        yield from self._columns[name].to_pylist()


def pack(
    lines: Sequence[Line],
    preprocess: Preprocess,
    folder: Path,
    *,
    name: str = "lines",
    num_workers: int = 1,
    progress: Progress | None = None,
) -> PackedLines:
    """Preprocess ``lines`` into one file in ``folder``, or open the file that an earlier call made of them.

    The file appears whole or not at all: it is written under another name and renamed at the end. Of several processes
    that want the same one, the first makes it, and the others wait.

    Args:
        lines: what to pack; their order is kept.
        preprocess: applied to every image.
        folder: where packed files are kept; made if absent.
        name: first part of the file name, for people who look into the folder.
        num_workers: processes that decode and preprocess.
        progress: wraps the work, to draw a bar.

    Raises:
        DataError: duplicate ids, or a folder that cannot be written. A line whose image or text is unusable
            raises nothing: it is left out and listed in `PackedLines.skipped`.
    """
    _refuse_duplicates(lines)
    key = fingerprint(lines, preprocess)
    path = folder / f"{name}-{key[:16]}.lines"
    if (packed := _made_before(path, lines, preprocess)) is not None:
        return packed
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        with _lock(path):
            if (packed := _made_before(path, lines, preprocess)) is not None:  # while this process waited
                return packed
            with replacing(path) as file:
                prepared = map_lines(functools.partial(_prepare, preprocess), lines, num_workers)
                if progress is not None:
                    prepared = progress(prepared, len(lines), f"Packing {name}")  # type: ignore[assignment]
                _write(file, prepared, preprocess.height_px, key)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot keep packed lines here ({error.strerror or error}); free space, or set "
            "loader.cache_dir to a folder that can be written"
        ) from None
    return PackedLines(path)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Exclude other processes from packing the same file until the block ends or the process dies.

    The lock is a hidden, empty file beside ``path``. It stays there: if it were deleted, a process that waits for the
    deleted file and a process that creates a new one could both enter.

    Raises:
        OSError: the folder cannot be written.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        log.info("Waiting for another process that packs %s", path)
        lock.acquire()
    except OSError as error:
        if error.errno not in _LOCKS_UNSUPPORTED:
            raise
        # Without a lock, processes may pack the same lines twice; the result is the same.
        log.warning("%s does not support file locks; several processes may pack the same lines", path.parent)
    try:
        yield
    finally:
        lock.release()


def _made_before(path: Path, lines: Sequence[Line], preprocess: Preprocess) -> PackedLines | None:
    """Open a packed file; None where there is none, it is damaged, or it lacks a line that can be had now."""
    if not path.is_file():
        return None
    try:
        packed = PackedLines(path)
    except DataError:
        log.warning("%s is damaged and is made again", path)
        return None
    if not _mended(packed, lines, preprocess):
        return packed
    packed.close()  # or Windows would not let it be replaced
    return None


def fingerprint(lines: Iterable[Line], preprocess: Preprocess) -> str:
    """Return a digest (64 hexadecimal digits) of what `pack` would put into the file."""
    digest = hashlib.sha256(json.dumps([FORMAT, preprocess.to_dict()], sort_keys=True).encode())
    for line in lines:
        digest.update("\0".join((line.id, line.text, line.group, line.image.fingerprint, "")).encode())
    return digest.hexdigest()


def _refuse_duplicates(lines: Sequence[Line]) -> None:
    seen: set[str] = set()
    for line in lines:
        if line.id in seen:
            raise DataError(f"{line.id}: two lines have this id; each line of a split needs one of its own")
        seen.add(line.id)


def _mended(packed: PackedLines, lines: Sequence[Line], preprocess: Preprocess) -> bool:
    """Whether a line that could not be used can be now: a permission or a network drive leaves no trace in files."""
    reasons = {skipped.id: skipped.reason for skipped in packed.skipped}
    again = (_prepare(preprocess, line) for line in lines if line.id in reasons)
    return any(not isinstance(result, str) or result != reasons[line.id] for line, result in again)


def _remove_stale(folder: Path) -> None:
    """Clear what a killed build left; a recent file may belong to a build that is still running."""
    for partial in folder.glob(f".*{PARTIAL}"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > STALE_SECONDS:
                partial.unlink()


Prepared = tuple[Line, NDArray[np.uint8] | str]


def _prepare(preprocess: Preprocess, line: Line) -> Prepared:
    """Return a line with its pixels, or with the reason why it has none."""
    if not line.text and not isinstance(line.image, UnusableImage):
        return line, f"{line.id}: the text is empty"
    try:
        return line, load_pixels(line, preprocess)
    except DataError as error:
        return line, str(error)


def _write(file: IO[bytes], prepared: Iterable[list[Prepared]], height_px: int, key: str) -> None:
    """Write the pixels of the usable lines as they come, then the table; its metadata lists the skipped ones."""
    rows: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    skipped: list[tuple[str, str]] = []
    for line, result in itertools.chain.from_iterable(prepared):
        if isinstance(result, str):
            skipped.append((line.id, result))
            continue
        pixels = result.tobytes()
        file.write(pixels)
        digest = hashlib.blake2b(pixels, digest_size=12).hexdigest()
        for name, value in zip(rows, (line.id, line.text, line.group, digest, result.shape[1]), strict=True):
            rows[name].append(value)
    metadata = {"format": FORMAT, "height_px": height_px, "fingerprint": key, "skipped": skipped}
    schema = SCHEMA.with_metadata({"htr_lightning": json.dumps(metadata)})
    begin = file.tell()
    with pa.ipc.new_stream(file, schema) as out:
        out.write_table(pa.table(rows, schema))
    file.write(END.pack(begin, MARK))
