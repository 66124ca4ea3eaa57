"""MNIST (LeCun, Cortes, Burges 1998): handwritten digits, each a line of its own, or strings of them."""

import gzip
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.image.files import MAX_PIXELS, DataError, ImageFile

SIDE_PX = 28
_MARGIN_PX = 4  # the white border of a digit in the original images
_IMAGES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
_TEXTS = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}


@dataclass(frozen=True, slots=True)
class MnistImage:
    """One digit of an idx file, or several side by side.

    A single digit keeps its whole box, 28 x 28 px. Of several, the columns without ink are cut off, and the
    string gets a margin of 4 px on either side; the height is always 28 px.

    Attributes:
        path: the idx file of the images, compressed with gzip or not.
        indices: which images of the file, from left to right.
        gaps_px: white columns between each digit and the next; negative where they overlap, though by no more
            than half of the narrower one, so that the order stays plain.
        shifts_px: how far each digit is moved down, at most to the edge.
    """

    path: Path
    indices: tuple[int, ...]
    gaps_px: tuple[int, ...] = ()
    shifts_px: tuple[int, ...] = (0,)

    @property
    def fingerprint(self) -> str:
        """The idx file by path, size and time of change, and what is taken from it."""
        return f"{ImageFile(self.path).fingerprint}:{self.indices}:{self.gaps_px}:{self.shifts_px}"

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return ``(28, W)`` gray, dark ink on white paper.

        Raises:
            DataError: the idx file is missing or damaged.
        """
        images = _read_idx(self.path, num_dims=3)
        digits = [_shifted(images[i], s) for i, s in zip(self.indices, self.shifts_px, strict=True)]
        ink = digits[0] if len(digits) == 1 else _side_by_side(digits, self.gaps_px)
        return np.ascontiguousarray(255 - ink)


class Mnist:
    """The digits of MNIST, or lines put together from them.

    The validation split is the end of the 60,000 training images, the test split the 10,000 test images. The
    strings of a split are drawn from its own digits only. They do not change with the number of lines: a
    longer data set starts with the lines of a shorter one.

    Args:
        root: the folder with ``MNIST/raw/train-images-idx3-ubyte`` and so on, or the same names with ``.gz``.
        num_val: how many of the training images are for validation.
        download: fetch what is missing, through torchvision.
        digits_per_line: the least and the most digits of a line. ``[1, 1]`` gives the digits as they are, in
            their order; otherwise numbers and digits are drawn evenly.
        num_train_lines: lines of the training split; None for as many as it has digits. So are the next two.
        num_val_lines: lines of the validation split.
        num_test_lines: lines of the test split.
        spacing_px: the least and the most white columns between digits of a string; below 0, they overlap.
        jitter_px: how far up or down a digit of a string may be moved.
        seed: another number draws other strings.

    Raises:
        DataError: an argument is out of its range.
    """

    def __init__(
        self,
        root: str,
        *,
        num_val: int = 5000,
        download: bool = False,
        digits_per_line: Sequence[int] = (1, 1),
        num_train_lines: int | None = None,
        num_val_lines: int | None = None,
        num_test_lines: int | None = None,
        spacing_px: Sequence[int] = (-3, 6),
        jitter_px: int = 2,
        seed: int = 1,
    ) -> None:
        self.root = Path(root)
        self._num_val = num_val
        self._download = download
        self._digits_per_line = _range("digits_per_line", digits_per_line, 1)
        self._spacing_px = _range("spacing_px", spacing_px, -SIDE_PX)
        self._jitter_px = jitter_px
        self._seed = seed
        self._num_lines = {"train": num_train_lines, "val": num_val_lines, "test": num_test_lines}
        counts = {f"num_{split}_lines": num for split, num in self._num_lines.items()}
        for name, value in {**counts, "num_val": num_val, "jitter_px": jitter_px, "seed": seed}.items():
            if value is not None and value < 0:
                raise DataError(f"dataset.{name}: {value} is negative")

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of one split.

        Raises:
            DataError: a file is missing or damaged, or the split has fewer digits than lines are asked for.
        """
        part = "test" if split == "test" else "train"
        images_file, digits = self._find(_IMAGES[part]), _read_idx(self._find(_TEXTS[part]), num_dims=1)
        if len(digits) != len(_read_idx(images_file, num_dims=3)):
            raise DataError(f"{images_file}: has not as many digits as {_TEXTS[part]}; get both files again")
        if split != "test" and self._num_val >= len(digits):
            raise DataError(f"dataset.num_val: {self._num_val} leaves none of {len(digits)} digits to train on")
        own = range(len(digits))
        if split != "test":
            first_val = len(digits) - self._num_val
            own = own[:first_val] if split == "train" else own[first_val:]
        if self._digits_per_line == (1, 1):
            return self._single_digits(split, images_file, digits, own)
        return self._strings(split, images_file, digits, own) if own else []

    def _single_digits(self, split: Split, images_file: Path, digits: NDArray[np.uint8], own: range) -> list[Line]:
        num = self._num_lines[split]
        if num is not None and num > len(own):
            raise DataError(f"dataset.num_{split}_lines: only {len(own)} digits exist; leave it out for all of them")
        return [Line(f"{split}-{i:05d}", MnistImage(images_file, (i,)), str(digits[i])) for i in own[:num]]

    def _strings(self, split: Split, images_file: Path, digits: NDArray[np.uint8], own: range) -> list[Line]:
        num = self._num_lines[split]
        num = len(own) if num is None else num
        least, most = self._digits_per_line
        # One generator for each property, one row of numbers for each line: so no line depends on later ones.
        generators = [np.random.default_rng([self._seed, SPLITS.index(split), i]) for i in range(4)]
        lengths = generators[0].integers(least, most, size=num, endpoint=True).tolist()
        indices = generators[1].integers(own.start, own.stop, size=(num, most)).tolist()
        low, high = self._spacing_px
        gaps = generators[2].integers(low, high, size=(num, most), endpoint=True).tolist()
        jitter = self._jitter_px
        shifts = generators[3].integers(-jitter, jitter, size=(num, most), endpoint=True).tolist()
        texts = [str(digit) for digit in digits.tolist()]
        lines = []
        for i, n in enumerate(lengths):
            chosen = tuple(indices[i][:n])
            image = MnistImage(images_file, chosen, tuple(gaps[i][: n - 1]), tuple(shifts[i][:n]))
            lines.append(Line(f"{split}-string-{i:06d}", image, "".join([texts[j] for j in chosen])))
        return lines

    def _find(self, name: str) -> Path:
        """Return the path of an idx file, fetched if need be."""
        folder = self.root / "MNIST" / "raw"
        places = (folder / name, folder / f"{name}.gz")
        found = next((place for place in places if place.is_file()), None)
        if found is None and self._download:
            _fetch(self.root)
            found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise DataError(
                f"{folder}: has no {name}, compressed (.gz) or not; put the four files of MNIST there, "
                f"or set dataset.download=true"
            )
        return found


def _fetch(root: Path) -> None:
    from torchvision.datasets import MNIST  # here, as it takes seconds to import

    try:
        MNIST(str(root), download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{root}: MNIST cannot be downloaded to this folder: {error}") from error


def _range(name: str, values: Sequence[int], least: int) -> tuple[int, int]:
    low, high = values if len(values) == 2 else (1, 0)
    if not least <= low <= high:
        raise DataError(f"dataset.{name}: {list(values)} are not the least and the most, from {least} upwards")
    return low, high


@lru_cache(maxsize=4)  # the images and texts of both parts: opened once in each process
def _read_idx(path: Path, num_dims: int) -> NDArray[np.uint8]:
    """Return the bytes of an idx file in its own shape, read-only; not in memory unless compressed."""
    header_size = 4 + 4 * num_dims
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            header = file.read(header_size)
            shape = tuple(np.frombuffer(header[4:], dtype=">u4").tolist())
            right_kind = header[:4] == bytes((0, 0, 8, num_dims)) and shape[1:] in ((), (SIDE_PX, SIDE_PX))
            if right_kind and path.suffix == ".gz":
                return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)
        if right_kind and path.stat().st_size == header_size + math.prod(shape):
            return np.memmap(path, dtype=np.uint8, mode="r", offset=header_size, shape=shape)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; it was there when the data set was read") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}; get the file again") from error
    raise DataError(f"{path}: is not a whole MNIST file of {num_dims} dimensions; get the file again")


def _shifted(digit: NDArray[np.uint8], shift_px: int) -> NDArray[np.uint8]:
    """Move a digit ``(28, 28)`` down, at most so far that its ink stays inside."""
    rows = np.flatnonzero(digit.any(axis=1))
    if shift_px == 0 or not len(rows):
        return digit
    return np.roll(digit, max(-rows[0], min(shift_px, SIDE_PX - 1 - rows[-1])), axis=0)


def _side_by_side(digits: list[NDArray[np.uint8]], gaps_px: tuple[int, ...]) -> NDArray[np.uint8]:
    """Put digits ``(28, 28)``, white on black, next to each other; where they overlap, the brighter shows."""
    cut = [_cut(digit) for digit in digits]
    starts = [_MARGIN_PX]
    for left, right, gap in zip(cut, cut[1:], gaps_px, strict=False):
        overlap = min(left.shape[1], right.shape[1]) // 2
        starts.append(starts[-1] + left.shape[1] + max(gap, -overlap))
    ends = [start + digit.shape[1] for start, digit in zip(starts, cut, strict=True)]
    canvas = np.zeros((SIDE_PX, max(ends) + _MARGIN_PX), dtype=np.uint8)
    for start, end, digit in zip(starts, ends, cut, strict=True):
        np.maximum(canvas[:, start:end], digit, out=canvas[:, start:end])
    return canvas


def _cut(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut off the columns without ink; a digit without any ink stays whole."""
    columns = np.flatnonzero(digit.any(axis=0))
    return digit[:, columns[0] : columns[-1] + 1] if len(columns) else digit
