"""Folders of line images with their texts: in manifests, or in a text file beside each image."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.data.sources.manifest import MANIFEST_SUFFIXES, Columns, read_entries
from htr_lightning.data.sources.page_images import check_name, check_root
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError, ImageFile
from htr_lightning.text import clean_text

SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What a split is called in file names, folder names and split columns; upper and lower case count alike."""

_TEXT_SUFFIX = ".gt.txt"


class Lines:
    """Line images in a folder, with their texts.

    The texts come from the first of these that there is:

    1. ``manifest``: one table (see `htr_lightning.data.sources.manifest`) of all lines. Its split column says
       which split a row belongs to; without one, the rows are divided by ``split_ratios``.
    2. A table for each split: ``train.tsv``, ``val.csv``, ``test.jsonl`` ... in the root, or those named by
       ``train``, ``val`` and ``test``.
    3. ``x.gt.txt`` beside ``x.png`` (the form of kraken and Calamari), in any subfolder. If the root has
       folders ``train``, ``val`` or ``test`` with such files, these are the splits; otherwise the files are
       divided by ``split_ratios``. Images without text are not used; a text without image becomes a line
       whose image is missing. Hidden files and folders are passed over.

    A division by ratios depends on nothing but ``split_seed`` and the name of each group (or the id of a line
    without group), so lines stay in their split when others are added. The price is that the shares are met
    only roughly, above all with few groups or groups of unlike size. Should a split of a small data set get
    nothing, it takes the group that came nearest to it; train comes first, then val, then test.

    Args:
        root: the folder; image paths in manifests are relative to it.
        train: manifest of the training split, relative to the root; None finds it by its name.
        val: the same of the validation split.
        test: the same of the test split.
        image_column: the column of image paths.
        text_column: the column of texts.
        group_column: the column of what must not be shared between splits; None takes the first of ``group``,
            ``writer``, ``page``, ``font`` that there is, an empty string takes none.
        manifest: one manifest for all splits, relative to the root.
        split_column: the column of ``manifest`` that names the split; None takes ``split`` if there is such a
            column, an empty string takes none.
        split_ratios: the shares of train, val and test, for lines that nothing else divides; their sum is 1.
        split_seed: another number divides differently.

    Raises:
        DataError: the arguments contradict each other.
    """

    def __init__(
        self,
        root: str,
        *,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        image_column: str = "image",
        text_column: str = "text",
        group_column: str | None = None,
        manifest: str | None = None,
        split_column: str | None = None,
        split_ratios: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 1,
    ) -> None:
        self.root = Path(root)
        self._manifest_of: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self._columns = Columns(image_column, text_column, group_column, split_column)
        self._manifest = manifest
        self._ratios = tuple(split_ratios)
        self._seed = split_seed
        if manifest is not None and (train or val or test):
            raise DataError("dataset.manifest: is for all splits at once, so leave out train, val and test")
        if split_column and manifest is None:
            raise DataError("dataset.split_column: needs manifest, the one table that has it")
        check_ratios(split_ratios)

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of one split in the order of their manifest, or else by the paths of their texts.

        Raises:
            DataError: the root is missing or holds no texts; a file is malformed.
        """
        check_root(self.root, "of your lines")
        if self._manifest is not None:
            return self._of_single_manifest(split, self.root / self._manifest)
        manifests = self._find_manifests()
        if manifests:
            path = manifests.get(split)
            return [entry.line for entry in read_entries(path, self.root, self._columns)] if path else []
        return self._of_text_files(split)

    def _find_manifests(self) -> dict[Split, Path]:
        found: dict[Split, Path] = {}
        present = sorted(p for p in self.root.iterdir() if p.suffix.lower() in MANIFEST_SUFFIXES and p.is_file())
        for split, named in self._manifest_of.items():
            if named is not None:
                found[split] = self.root / named
                continue
            paths = [p for p in present if split_named(p.stem) == split]
            if len(paths) > 1:
                names = " and ".join(p.name for p in paths)
                raise DataError(f"{self.root}: {names} are all of {split}; set dataset.{split} to one of them")
            if paths:
                found[split] = paths[0]
        return found

    def _of_single_manifest(self, split: Split, path: Path) -> list[Line]:
        entries = list(read_entries(path, self.root, self._columns))
        if entries and entries[0].split is None:
            split_of = divide((_unit(entry.line) for entry in entries), self._ratios, self._seed)
            return [entry.line for entry in entries if split_of[_unit(entry.line)] == split]
        for entry in entries:
            if split_named(entry.split or "") is None:
                raise DataError(f"{path}: row {entry.row} is of the split {entry.split!r}; write train, val or test")
        return [entry.line for entry in entries if split_named(entry.split or "") == split]

    def _of_text_files(self, split: Split) -> list[Line]:
        images = _images_with_text(self.root)
        if not images:
            raise DataError(
                f"{self.root}: has no manifest (train{', train'.join(MANIFEST_SUFFIXES)}) and no text beside "
                f"an image (x{_TEXT_SUFFIX}, x.png); set dataset.manifest if yours has another name"
            )
        split_of = _splits_by_folder(images, self.root) or divide(images, self._ratios, self._seed)
        return [
            Line(id, ImageFile(self.root / id), _read_text(self.root / text_file))
            for id, text_file in images.items()
            if split_of[id] == split
        ]


def check_ratios(ratios: Sequence[float]) -> None:
    """Check the shares of train, val and test.

    Raises:
        DataError: they are not three, are negative, do not add up to 1, or leave nothing to train on.
    """
    if len(ratios) != 3 or min(ratios) < 0 or not math.isclose(sum(ratios), 1, abs_tol=1e-6):
        raise DataError(f"dataset.split_ratios: {list(ratios)} are not three shares with the sum 1")
    if ratios[0] == 0:
        raise DataError(f"dataset.split_ratios: {list(ratios)} leave nothing to train on")


def divide(units: Iterable[str], ratios: Sequence[float], seed: int) -> dict[str, Split]:
    """Divide groups, or single lines, among the splits, each by the hash of its name (see `Lines`).

    Args:
        units: the names, in any order and any number of times.
        ratios: the shares of train, val and test.
        seed: another number divides differently.

    Returns:
        The split of each name. No split with a share is empty if there are enough names; train never is.
    """
    place = {unit: _hash(unit, seed) for unit in sorted(set(units))}
    bounds = (0.0, ratios[0], ratios[0] + ratios[1] if ratios[2] else 1.0, 1.0)
    split_of: dict[str, Split] = {unit: SPLITS[(x >= bounds[1]) + (x >= bounds[2])] for unit, x in place.items()}
    for split, ratio, lower, upper in zip(SPLITS, ratios, bounds[:-1], bounds[1:], strict=True):
        sizes = Counter(split_of.values())
        spare = [unit for unit, other in split_of.items() if sizes[other] > 1 or split == "train"]
        if ratio > 0 and not sizes[split] and spare:
            _, nearest = min((max(lower - place[unit], place[unit] - upper), unit) for unit in spare)
            split_of[nearest] = split
    return split_of


def _hash(unit: str, seed: int) -> float:
    """Map a name to a number in [0, 1) that is the same on every machine."""
    digest = hashlib.blake2b(f"{seed}:{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def _unit(line: Line) -> str:
    """What is divided as a whole: a line's group, or else the line."""
    return f"group {line.group}" if line.group else f"line {line.id}"


def split_named(name: str) -> Split | None:
    """Return the split that a file, a folder or a row is called after; None if it is none of `SPLIT_NAMES`."""
    return next((split for split, names in SPLIT_NAMES.items() if name.lower() in names), None)


def _images_with_text(root: Path) -> dict[str, str]:
    """Map the path of every image with a text file to the path of that file, both relative to the root."""
    found: dict[str, str] = {}
    for folder, subfolders, all_names in os.walk(root, onerror=_refuse):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        names = [name for name in all_names if not name.startswith(".")]  # also ._x.gt.txt, left by macOS
        images: dict[str, list[str]] = {}
        for name in names:
            stem, _, suffix = name.rpartition(".")
            if f".{suffix}".lower() in IMAGE_SUFFIXES:
                images.setdefault(stem, []).append(name)
        relative = Path(folder).relative_to(root)
        for name in names:
            check_name(name, folder)
        for name in sorted(n for n in names if n.endswith(_TEXT_SUFFIX)):
            stem = name.removesuffix(_TEXT_SUFFIX)
            candidates = images.get(stem, [f"{stem}.png"])
            if len(candidates) > 1:
                both = " and ".join(sorted(candidates))
                raise DataError(f"{Path(folder) / name}: belongs to both {both}; keep one image for a text")
            found[(relative / candidates[0]).as_posix()] = (relative / name).as_posix()
    return found


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _splits_by_folder(images: dict[str, str], root: Path) -> dict[str, Split]:
    """Return the split of each image by its topmost folder; nothing if no folder is named like a split."""
    named = {id: split_named(id.split("/")[0]) if "/" in id else None for id in images}
    outside = [id for id, split in named.items() if split is None]
    if len(outside) == len(images):
        return {}
    if outside:
        raise DataError(
            f"{root}: {len(outside)} of the lines, such as {outside[0]}, lie in none of the folders "
            f"train, val, test, which hold the others; move or remove them"
        )
    return {id: split for id, split in named.items() if split is not None}


def _read_text(path: Path) -> str:
    try:
        return clean_text(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
