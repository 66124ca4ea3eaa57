"""A cache of preprocessed lines: one file per split, written once, in parallel.

The file name contains a fingerprint of everything that goes in (the lines, their source files, the preprocessing), so
a second run reuses the file, and a changed source gets a new one.
"""

import contextlib
import functools
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from htr_lightning.data.line import Line, load_pixels
from htr_lightning.data.packed_lines import FORMAT, PackedLines, SetPart, set_written
from htr_lightning.data.packed_writer import PreparedLine, write_packed_lines
from htr_lightning.data.parallel import map_lines
from htr_lightning.directions.bidi import remove_marks
from htr_lightning.files import atomic_write, file_lock, remove_stale
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import UnusableImage
from htr_lightning.image.preprocess import Preprocess

log = logging.getLogger(__name__)
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps an iterable of steps to show a progress bar: (steps, number of lines, description) -> the same steps."""


def pack(
    lines: Sequence[Line],
    preprocess: Preprocess,
    folder: Path,
    *,
    name: str = "lines",
    num_workers: int = 1,
    progress: Progress | None = None,
) -> PackedLines:
    """Preprocess ``lines`` into one file in ``folder``, or open the file that an earlier call wrote.

    The file is written under another name and renamed at the end, so it is never incomplete. If several processes need
    the same file, the first writes it and the others wait.

    Args:
        lines: lines to pack; their order is kept.
        preprocess: applied to every image.
        folder: folder of the packed files; created if it does not exist.
        name: first part of the file name, for people who look into the folder.
        num_workers: number of processes that decode and preprocess.
        progress: wraps the work to show a progress bar.

    Raises:
        DataError: duplicate ids, or a folder that cannot be written. A line whose image or text is unusable
            raises nothing: it is left out and listed in `PackedLines.skipped`.
    """
    check_unique_ids(lines)
    key = fingerprint(lines, preprocess)
    try:
        return pack_file(
            folder / f"{name}-{key[:16]}.lines",
            lines,
            preprocess,
            key,
            title=name,
            num_workers=num_workers,
            progress=progress,
        )
    except OSError as error:
        raise DataError(
            f"packed lines cannot be stored here ({error.strerror or error})",
            remedy="free space, or set loader.cache_dir to a folder that can be written",
            file=folder,
            kind="unwritable",
        ) from None


def pack_file(
    path: Path,
    lines: Sequence[Line],
    preprocess: Preprocess,
    key: str,
    *,
    title: str,
    part: SetPart | None = None,
    draws: Mapping[str, float] | None = None,
    num_workers: int = 1,
    progress: Progress | None = None,
) -> PackedLines:
    """Preprocess ``lines`` into a file, or open it if it has them.

    Args:
        path: of the file.
        lines: lines to pack.
        preprocess: applied to every image.
        key: their `fingerprint`.
        title: what is packed, for the progress bar.
        part: place of the file in a set of several files.
        draws: how often each line is drawn in an epoch, by id; None for once.
        num_workers: number of processes that decode and preprocess.
        progress: wraps the work to show a progress bar.

    Raises:
        OSError: the file cannot be written.
    """
    if (packed := open_packed(path, key, lines, preprocess, part)) is not None:
        return packed
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent)
    with _lock(path):
        # Another process may have written it while this one waited.
        if (packed := open_packed(path, key, lines, preprocess, part)) is not None:
            return packed
        with atomic_write(path) as file:
            prepared = map_lines(functools.partial(_prepare, preprocess), lines, num_workers)
            if progress is not None:
                prepared = progress(prepared, len(lines), f"Packing {title}")  # type: ignore[assignment]
            written_s = write_packed_lines(file, prepared, preprocess.height_px, key, part, draws)
        set_written(path, written_s)
    return PackedLines(path)


def _lock(path: Path) -> contextlib.AbstractContextManager[None]:
    """Exclude other processes from packing the same file; without locks, they may pack it twice, with the same result.

    Raises:
        OSError: the folder cannot be written.
    """

    def wait() -> None:
        log.info("Waiting for another process that packs %s", path)

    return file_lock(path.with_name(f".{path.name}.lock"), wait)


def open_packed(
    path: Path, key: str, lines: Sequence[Line], preprocess: Preprocess, part: SetPart | None = None
) -> PackedLines | None:
    """Open a packed file; None if it does not exist, is damaged, or lacks a line that has become usable."""
    if not path.is_file():
        return None
    packed = None
    try:
        packed = PackedLines(path)
        packed.verify()
    except DataError as error:
        log.warning("%s: %s; packing its lines again", path, error.problem)
        if packed is not None:
            packed.close()
        return None
    if packed.fingerprint != key or packed.part != part:
        log.warning("%s: has the lines of another file; packing its lines again", path)
    elif not _is_outdated(packed, lines, preprocess):
        return packed
    packed.close()  # Windows does not replace an open file
    return None


def fingerprint(lines: Iterable[Line], preprocess: Preprocess) -> str:
    """Return a hash (64 hexadecimal digits) of everything that `pack` would write into the file."""
    digest = hashlib.sha256(json.dumps([FORMAT, preprocess.to_dict()], sort_keys=True).encode())
    for line in lines:
        stated = f"{line.direction}\0" if line.direction else ""
        digest.update(("\0".join((line.id, line.text, line.group, line.image.fingerprint, "")) + stated).encode())
    return digest.hexdigest()


def check_unique_ids(lines: Iterable[Line]) -> None:
    """Check that no two lines have the same id.

    Raises:
        DataError: two do.
    """
    ids: set[str] = set()
    for line in lines:
        if line.id in ids:
            raise DataError(
                "two lines have this id", remedy="give each line of a split its own", line_id=line.id, kind="duplicate"
            )
        ids.add(line.id)


def _is_outdated(packed: PackedLines, lines: Sequence[Line], preprocess: Preprocess) -> bool:
    """Whether a skipped line has become usable, or has another reason now.

    The fingerprint does not show it: a permission or a network drive may be repaired without a change to the file.
    """
    reasons = {skipped.id: skipped.reason for skipped in packed.skipped}
    retried = (_prepare(preprocess, line) for line in lines if line.id in reasons)
    return any(not isinstance(result, str) or result != reasons[line.id] for line, result in retried)


def _prepare(preprocess: Preprocess, line: Line) -> PreparedLine:
    """Return a line with its pixels, or with the reason why it is unusable."""
    if not remove_marks(line.text) and not isinstance(line.image, UnusableImage):
        return line, str(DataError("the text is empty", line_id=line.id))
    try:
        return line, load_pixels(line, preprocess)
    except DataError as error:
        return line, str(error)
