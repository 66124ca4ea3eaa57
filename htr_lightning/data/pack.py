"""Lines preprocessed once, in parallel, into one memory-mapped Arrow file.

The file's name holds a fingerprint of everything that went in (the lines, their source files, the
preprocessing), so a second run finds it and a changed source is packed anew. Reading maps the file: memory
stays flat however many lines there are, and worker processes share the pages.
"""

import contextlib
import functools
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from htr_lightning.data.line import DataError, Line, Unusable
from htr_lightning.data.parallel import map_lines
from htr_lightning.data.preprocess import Preprocess
from htr_lightning.files import PARTIAL, replacing

FORMAT = 1  # raise it when the file's layout changes, or when `Preprocess` gives other pixels for the same settings
ROWS_PER_BATCH = 128
STALE_SECONDS = 24 * 3600
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("group", pa.string()),
        ("digest", pa.string()),
        ("width_px", pa.int32()),
        ("pixels", pa.binary()),
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
    """One line, ready to use. ``pixels`` is ``(H, W)`` uint8, paper 255, a read-only view of the file."""

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
        """Map ``path``.

        Raises:
            DataError: not a complete file of this package's current pack format.
        """
        self.path = path
        self._open()

    def _open(self) -> None:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
            metadata = json.loads(reader.schema.metadata[b"htr_lightning"])
            self._batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.path}: not a complete file of packed lines ({error}); delete it and run again"
            ) from None
        self.height_px: int = metadata["height_px"]
        self.fingerprint: str = metadata["fingerprint"]
        widths = [batch.column("width_px").to_numpy() for batch in self._batches]
        rows = np.concatenate([np.zeros(0, np.int64), *widths]).astype(np.int64)
        self.widths: NDArray[np.int64] = rows[rows > 0]
        self.skipped: list[Skipped] = []
        if len(rows) > len(self.widths):  # the last record batch holds the skipped lines, and nothing else
            last = self._batches.pop()
            self.skipped = list(map(Skipped, last.column("id").to_pylist(), last.column("text").to_pylist()))

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
        batch, row = self._batches[index // ROWS_PER_BATCH], index % ROWS_PER_BATCH
        identity, text, group, pixels = (batch.column(name)[row] for name in ("id", "text", "group", "pixels"))
        shape = (self.height_px, int(self.widths[index]))
        return PackedLine(
            identity.as_py(),
            text.as_py(),
            group.as_py(),
            np.frombuffer(pixels.as_buffer(), np.uint8).reshape(shape),
        )

    def column(self, name: str) -> Iterator[str]:
        """Yield the ``id``, ``text``, ``group`` or ``digest`` (of the pixels) of every line, in order."""
        for batch in self._batches:
            yield from batch.column(name).to_pylist()


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

    The file appears whole or not at all: it is written under another name and renamed at the end.

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
    path = folder / f"{name}-{key[:16]}.arrow"
    if path.is_file():
        try:
            packed = PackedLines(path)
        except DataError:
            log.warning("%s is damaged and is made again", path)
        else:
            if not _mended(packed, lines, preprocess):
                return packed
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
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
    if not line.text and not isinstance(line.image, Unusable):
        return line, f"{line.id}: the text is empty"
    try:
        return line, pixels_of(line, preprocess)
    except DataError as error:
        return line, str(error)


def pixels_of(line: Line, preprocess: Preprocess) -> NDArray[np.uint8]:
    """Read and preprocess one line: ``(H, W)`` uint8, paper 255.

    Raises:
        DataError: the image cannot be used; names the line.
    """
    try:
        return preprocess(line.image.read(preprocess.max_pixels))
    except DataError as error:
        raise error if line.id in str(error) else DataError(f"{line.id}: {error}") from None
    except Exception as error:
        error.add_note(f"while preparing line {line.id}")
        raise


def _write(file: Any, prepared: Iterable[list[Prepared]], height_px: int, key: str) -> None:
    """Write the usable lines as they come, then the skipped ones as rows of width 0 that hold the reason."""
    metadata = {"format": FORMAT, "height_px": height_px, "fingerprint": key}
    schema = SCHEMA.with_metadata({"htr_lightning": json.dumps(metadata)})
    skipped: list[Row] = []
    with pa.ipc.new_file(file, schema) as out:
        for rows in _batched(prepared, skipped):
            out.write_batch(_record_batch(rows, schema))
        if skipped:
            out.write_batch(_record_batch(skipped, schema))


Row = tuple[str, str, str, str, int, bytes]
"""id, text (of a skipped line: the reason), group, digest, width_px, pixels."""


def _batched(prepared: Iterable[list[Prepared]], skipped: list[Row]) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for task in prepared:
        for line, result in task:
            if isinstance(result, str):
                skipped.append((line.id, result, line.group, "", 0, b""))
            else:
                pixels = result.tobytes()
                digest = hashlib.blake2b(pixels, digest_size=12).hexdigest()
                rows.append((line.id, line.text, line.group, digest, result.shape[1], pixels))
            if len(rows) == ROWS_PER_BATCH:
                yield rows
                rows = []
    if rows:
        yield rows


def _record_batch(rows: list[Row], schema: Any) -> Any:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=schema
    )
