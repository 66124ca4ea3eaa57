"""Packs a dataset into a set of files, of which several machines may each write a part."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from htr_lightning.data.line import SPLITS, Line, Source, Split, WeightedSource, get_source_name
from htr_lightning.data.pack import Progress, check_unique_ids, fingerprint, open_packed, pack_file
from htr_lightning.data.packed_lines import SetPart, read_part
from htr_lightning.data.packed_set import FILE_NAME, find_conflict, name_file
from htr_lightning.device import Shard
from htr_lightning.files import OutputError
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to write.

    Attributes:
        path: of the file.
        lines: to pack.
        part: place of the file in the set.
        draws: how often each line is drawn in an epoch, by id; None for once.
    """

    path: Path
    lines: Sequence[Line]
    part: SetPart
    draws: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class PackResult:
    """What was packed.

    Attributes:
        num_lines: usable lines in the files of this shard.
        num_written: number of files that were written.
        num_kept: number of files that were complete already.
        skipped: why lines of this shard cannot be used, a sentence for each.
        missing: names of the files of the set that other shards have to write.
    """

    num_lines: int
    num_written: int
    num_kept: int
    skipped: Sequence[str]
    missing: Sequence[str]


def plan_files(source: Source, preprocess: Preprocess, folder: Path, lines_per_file: int) -> list[PlannedFile]:
    """Return the files of a set; they depend on the dataset alone, so that every machine makes the same plan.

    A file has consecutive lines, so that a page is decoded once or twice. A split without lines gets an empty file.

    Args:
        source: the dataset.
        preprocess: applied to every line.
        folder: of the files.
        lines_per_file: maximum number of lines in a file.

    Raises:
        DataError: the dataset cannot be read, has no lines, or two lines of a split have the same id.
    """
    lines = {split: source.lines(split) for split in SPLITS}
    if not any(map(len, lines.values())):
        raise DataError("the dataset has no lines", key="dataset", kind="empty")
    for split in SPLITS:
        check_unique_ids(lines[split])
    draws = _compute_draws(source, lines["train"])
    part = SetPart(
        fingerprint_dataset(lines, draws),
        get_source_name(source),
        "",
        0,
        {split: max(1, -(-len(lines[split]) // lines_per_file)) for split in SPLITS},
        preprocess.to_dict(),
    )
    return [
        PlannedFile(
            folder / name_file(split, number, part.files[split]),
            lines[split][(number - 1) * lines_per_file : number * lines_per_file],
            replace(part, split=split, number=number),
            draws if split == "train" else None,
        )
        for split in SPLITS
        for number in range(1, part.files[split] + 1)
    ]


def _compute_draws(source: Source, lines: Sequence[Line]) -> dict[str, float] | None:
    """Return how often a dataset draws its training lines, by id; None if it draws each once."""
    if not isinstance(source, WeightedSource):
        return None
    ids = [line.id for line in lines]
    draws = dict(zip(ids, source.draws_per_epoch(ids).tolist(), strict=True))
    return draws if set(draws.values()) != {1.0} else None


def fingerprint_dataset(lines: Mapping[Split, Sequence[Line]], draws: Mapping[str, float] | None = None) -> str:
    """Return a hash (64 hexadecimal digits) of ids, texts, groups and directions of all lines, which reads no image."""
    digest = hashlib.sha256()
    for split, rows in lines.items():
        digest.update(f"{split}\0{len(rows)}\0".encode())
        for line in rows:
            digest.update("\0".join((line.id, line.text, line.group, line.direction, "")).encode())
    for value in (draws or {}).values():
        digest.update(f"{value}\0".encode())
    return digest.hexdigest()


def refuse_other_set(folder: Path, files: Sequence[PlannedFile], *, overwrite: bool) -> None:
    """Refuse a folder with files of another set, or delete them.

    Args:
        folder: to write into.
        files: all files of the set to write.
        overwrite: delete the files of another set.

    Raises:
        OutputError: there are files of another set, or they cannot be deleted.
    """
    planned = {file.path for file in files}
    for path in sorted(folder.glob("*.lines")):
        if not FILE_NAME.fullmatch(path.name):
            continue
        try:
            part = read_part(path)
        except DataError:  # packed again if it belongs to the set
            part = files[0].part if path in planned else None
        problem = "no set" if part is None else find_conflict(part, files[0].part)
        if problem and not overwrite:
            raise OutputError(
                f"{path.name} is of another set ({problem})",
                key="--out",
                value=folder,
                remedy="choose another folder, or delete the files of the other set with --overwrite",
                kind="other_set",
            )
        if problem:
            path.unlink()


def pack_set(
    files: Sequence[PlannedFile],
    preprocess: Preprocess,
    *,
    shard: Shard | None = None,
    num_workers: int = 1,
    progress: Progress | None = None,
) -> PackResult:
    """Write the files of a shard, one after the other; files that are complete are kept.

    Args:
        files: all files of the set.
        preprocess: applied to every line.
        shard: the part of the files to write; None for all.
        num_workers: number of processes that decode and preprocess.
        progress: wraps the work to show a progress bar.

    Raises:
        OSError: a file cannot be written.
    """
    taken = files if shard is None else shard.take(files)
    num_lines, num_kept, skipped = 0, 0, []
    for file in taken:
        key = fingerprint(file.lines, preprocess)
        packed = open_packed(file.path, key, file.lines, preprocess, file.part)
        num_kept += packed is not None
        if packed is None:
            packed = pack_file(
                file.path,
                file.lines,
                preprocess,
                key,
                title=file.path.name,
                part=file.part,
                draws=file.draws,
                num_workers=num_workers,
                progress=progress,
            )
        num_lines += len(packed)
        skipped += [line.reason for line in packed.skipped]
        packed.close()
    missing = [file.path.name for file in files if not file.path.is_file()]
    return PackResult(num_lines, len(taken) - num_kept, num_kept, skipped, missing)
