"""Train, val and test: the names that datasets give them, and splitting by ratios."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.image.files import DataError

SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Names of each split in file names, folder names and split columns, in any case."""


def parse_split(name: str) -> Split | None:
    """Return the split that a file, folder or column value is named after; None if it is not in `SPLIT_NAMES`."""
    return next((split for split, names in SPLIT_NAMES.items() if name.lower() in names), None)


def check_ratios(ratios: Sequence[float]) -> None:
    """Check the fractions of train, val and test.

    Raises:
        DataError: there are not three of them, one is negative, they do not sum to 1, or the train fraction is 0.
    """
    value = list(ratios)
    if len(value) != 3 or min(value) < 0 or not math.isclose(sum(value), 1, abs_tol=1e-6):
        remedy = "give the fractions of train, val and test, such as [0.8, 0.1, 0.1]"
        raise DataError(
            "these are not three fractions with the sum 1", key="dataset.split_ratios", value=value, remedy=remedy
        )
    if value[0] == 0:
        remedy = "make the first fraction greater than 0"
        raise DataError("no lines are left for training", key="dataset.split_ratios", value=value, remedy=remedy)


def assign_splits(names: Iterable[str], ratios: Sequence[float], seed: int) -> dict[str, Split]:
    """Assign groups, or single lines, to splits by a hash of their names.

    The split of a name depends on the name and the seed alone, so it stays the same when other names are added. The
    ratios are therefore only approximated. If a split with a ratio above 0 would be empty, it takes the name whose
    hash is nearest to its range; train is filled first, then val, then test.

    Args:
        names: of groups or lines, in any order; duplicates are ignored.
        ratios: the fractions of train, val and test.
        seed: of the hash; another seed gives another split.

    Returns:
        The split of each name. With enough names, no split with a ratio above 0 is empty; train never is.
    """
    hashes = {name: _hash(name, seed) for name in sorted(set(names))}
    bounds = (0.0, ratios[0], ratios[0] + ratios[1] if ratios[2] else 1.0, 1.0)
    split_of: dict[str, Split] = {name: SPLITS[(x >= bounds[1]) + (x >= bounds[2])] for name, x in hashes.items()}
    for split, ratio, lower, upper in zip(SPLITS, ratios, bounds[:-1], bounds[1:], strict=True):
        sizes = Counter(split_of.values())
        movable = [name for name, other in split_of.items() if sizes[other] > 1 or split == "train"]
        if ratio > 0 and not sizes[split] and movable:
            _, nearest = min((max(lower - hashes[name], hashes[name] - upper), name) for name in movable)
            split_of[nearest] = split
    return split_of


def get_split_unit(line: Line) -> str:
    """Return the name by which a line is assigned to a split: its group, or its id if it has no group."""
    return f"group {line.group}" if line.group else f"line {line.id}"


def _hash(name: str, seed: int) -> float:
    """Map a name to a number in [0, 1) that is the same on every machine."""
    digest = hashlib.blake2b(f"{seed}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
