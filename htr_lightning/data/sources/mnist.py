"""MNIST (LeCun, Cortes, Burges 1998): handwritten digits, one per line, or strings of them."""

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
from htr_lightning.image.files import MAX_PIXELS, DataError
from htr_lightning.image.line_image import ImageFile

SIDE_PX = 28
_MARGIN_PX = 4  # the white border of a digit in the original images
_IMAGES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
_LABELS = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}
_MAX_COMPRESSION = 1100  # of gzip, whose limit is 1032
_DOWNLOAD_AGAIN = "download the file again"


@dataclass(frozen=True, slots=True)
class MnistImage:
    """One digit of an idx file, or several side by side.

    A single digit keeps its original size, 28 x 28 px. In a string, each digit is cropped to its columns with ink, and
    the string gets a margin of 4 px on either side; the height is always 28 px.

    Attributes:
        path: the idx file of the images, compressed with gzip or not.
        indices: of the images in the file, from left to right.
        gaps_px: white columns between each digit and the next. A negative gap is an overlap, limited to half of the
            narrower digit, so that the order stays recognizable.
        shifts_px: how far each digit is moved down, at most to the edge.
    """

    path: Path
    indices: tuple[int, ...]
    gaps_px: tuple[int, ...] = ()
    shifts_px: tuple[int, ...] = (0,)

    @property
    def fingerprint(self) -> str:
        """Of the idx file (path, size, modification time), the digits and their places."""
        return f"{ImageFile(self.path).fingerprint}:{self.indices}:{self.gaps_px}:{self.shifts_px}"

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return ``(28, W)`` gray, dark ink on white paper.

        Raises:
            DataError: the idx file is missing or damaged.
        """
        images = _read_idx(self.path, num_dims=3)
        digits = [_shift(images[i], s) for i, s in zip(self.indices, self.shifts_px, strict=True)]
        ink = digits[0] if len(digits) == 1 else _concatenate(digits, self.gaps_px)
        return np.ascontiguousarray(255 - ink)


class Mnist:
    """The digits of MNIST, or lines composed of them.

    The validation split is the end of the 60,000 training images, the test split the 10,000 test images. The strings
    of a split contain only its own digits. They do not depend on the number of lines: a larger dataset starts with
    the lines of a smaller one.

    Args:
        root: the folder with ``MNIST/raw/train-images-idx3-ubyte`` and so on, uncompressed or with the suffix ``.gz``.
        num_val: number of training images used for validation.
        download: download missing files with torchvision.
        digits_per_line: the minimum and maximum number of digits in a line. ``[1, 1]`` gives the original images in
            their order; otherwise the numbers and the digits are sampled uniformly.
        num_train_lines: number of lines in the training split; None for as many as it has digits.
        num_val_lines: number of lines in the validation split, likewise.
        num_test_lines: number of lines in the test split, likewise.
        spacing_px: the minimum and maximum number of white columns between the digits of a string; they overlap if it
            is negative.
        jitter_px: maximum vertical shift of a digit in a string, up or down.
        seed: of the strings.

    Raises:
        DataError: an argument is out of range.
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
        self._digits_per_line = _check_range("digits_per_line", digits_per_line, 1)
        self._spacing_px = _check_range("spacing_px", spacing_px, -SIDE_PX)
        self._jitter_px = jitter_px
        self._seed = seed
        self._num_lines = {"train": num_train_lines, "val": num_val_lines, "test": num_test_lines}
        counts = {f"num_{split}_lines": num for split, num in self._num_lines.items()}
        for name, value in {**counts, "num_val": num_val, "jitter_px": jitter_px, "seed": seed}.items():
            if value is not None and value < 0:
                raise DataError("the number is negative", key=f"dataset.{name}", value=value, remedy="give 0 or more")

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of one split.

        Raises:
            DataError: a file is missing or damaged, or the split has fewer digits than the configured number of lines.
        """
        part = "test" if split == "test" else "train"
        images_file, digits = self._find_idx(_IMAGES[part]), _read_idx(self._find_idx(_LABELS[part]), num_dims=1)
        if len(digits) != len(_read_idx(images_file, num_dims=3)):
            problem = f"the file does not have one image for each label in {_LABELS[part]}"
            raise DataError(problem, file=images_file, remedy="download both files again", kind="damaged")
        if split != "test" and self._num_val >= len(digits):
            problem = f"none of the {len(digits)} digits are left for training"
            raise DataError(problem, key="dataset.num_val", value=self._num_val, remedy="lower it")
        indices = range(len(digits))
        if split != "test":
            first_val = len(digits) - self._num_val
            indices = indices[:first_val] if split == "train" else indices[first_val:]
        if self._digits_per_line == (1, 1):
            return self._build_single_digits(split, images_file, digits, indices)
        return self._build_strings(split, images_file, digits, indices) if indices else []

    def _build_single_digits(
        self, split: Split, images_file: Path, digits: NDArray[np.uint8], indices: range
    ) -> list[Line]:
        num = self._num_lines[split]
        if num is not None and num > len(indices):
            remedy = "lower it, or set it to null to use all of them"
            problem = f"the split has only {len(indices)} digits"
            raise DataError(problem, key=f"dataset.num_{split}_lines", value=num, remedy=remedy)
        return [Line(f"{split}-{i:05d}", MnistImage(images_file, (i,)), str(digits[i])) for i in indices[:num]]

    def _build_strings(self, split: Split, images_file: Path, digits: NDArray[np.uint8], indices: range) -> list[Line]:
        num = self._num_lines[split]
        num = len(indices) if num is None else num
        min_digits, max_digits = self._digits_per_line
        size = (num, max_digits)
        # One generator for each property, and one row of numbers for each line, so that no line depends on later ones.
        generators = [np.random.default_rng([self._seed, SPLITS.index(split), i]) for i in range(4)]
        lengths = generators[0].integers(min_digits, max_digits, size=num, endpoint=True).tolist()
        images = generators[1].integers(indices.start, indices.stop, size=size).tolist()
        gaps = generators[2].integers(*self._spacing_px, size=size, endpoint=True).tolist()
        jitter = self._jitter_px
        shifts = generators[3].integers(-jitter, jitter, size=size, endpoint=True).tolist()
        texts = [str(digit) for digit in digits.tolist()]
        lines = []
        for i, n in enumerate(lengths):
            chosen = tuple(images[i][:n])
            image = MnistImage(images_file, chosen, tuple(gaps[i][: n - 1]), tuple(shifts[i][:n]))
            lines.append(Line(f"{split}-string-{i:06d}", image, "".join([texts[j] for j in chosen])))
        return lines

    def _find_idx(self, name: str) -> Path:
        """Return the path of an idx file; download it if it is missing and ``download`` is set."""
        folder = self.root / "MNIST" / "raw"
        candidates = (folder / name, folder / f"{name}.gz")
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None and self._download:
            _download_mnist(self.root)
            path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            problem = f"there is no {name} in this folder, compressed (.gz) or not"
            remedy = "put the four files of MNIST there, or set dataset.download=true"
            raise DataError(problem, file=folder, remedy=remedy, kind="missing")
        return path


def _download_mnist(root: Path) -> None:
    from torchvision.datasets import MNIST  # here, as it takes seconds to import

    try:
        MNIST(str(root), download=True)
    except (OSError, RuntimeError) as error:
        problem = f"MNIST cannot be downloaded to this folder ({error})"
        remedy = "try again online, or put the four files of MNIST into its folder MNIST/raw"
        raise DataError(problem, file=root, remedy=remedy, kind="download") from error


def _check_range(argument: str, values: Sequence[int], lower_limit: int) -> tuple[int, int]:
    low, high = values if len(values) == 2 else (1, 0)
    if not lower_limit <= low <= high:
        remedy = f"give [minimum, maximum], both {lower_limit} or more"
        raise DataError("this is not a range", key=f"dataset.{argument}", value=list(values), remedy=remedy)
    return low, high


@lru_cache(maxsize=4)  # the images and labels of both parts, opened once in each process
def _read_idx(path: Path, num_dims: int) -> NDArray[np.uint8]:
    """Return an idx file as a read-only array of its own shape; memory-mapped unless it is compressed."""
    header_size = 4 + 4 * num_dims
    open_file = gzip.open if path.suffix == ".gz" else open
    try:
        with open_file(path, "rb") as file:
            header = file.read(header_size)
            shape = tuple(np.frombuffer(header[4:], dtype=">u4").tolist())
            is_mnist = header[:4] == bytes((0, 0, 8, num_dims)) and shape[1:] in ((), (SIDE_PX, SIDE_PX))
            if is_mnist and path.suffix == ".gz" and math.prod(shape) <= path.stat().st_size * _MAX_COMPRESSION:
                return np.frombuffer(file.read(math.prod(shape) + 1), dtype=np.uint8).reshape(shape)
        is_plain = is_mnist and path.suffix != ".gz"
        if is_plain and path.stat().st_size == header_size + math.prod(shape):
            return np.memmap(path, dtype=np.uint8, mode="r", offset=header_size, shape=shape)
    except FileNotFoundError:
        problem, remedy = "the file has disappeared since the run started", "restore it, and start the run again"
        raise DataError(problem, file=path, remedy=remedy, kind="missing") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"cannot be read ({error})", file=path, remedy=_DOWNLOAD_AGAIN, kind="damaged") from error
    problem = f"this is not a complete MNIST file of {num_dims} dimensions"
    raise DataError(problem, file=path, remedy=_DOWNLOAD_AGAIN, kind="damaged")


def _shift(digit: NDArray[np.uint8], shift_px: int) -> NDArray[np.uint8]:
    """Move a digit ``(28, 28)`` down, at most until its ink touches the edge."""
    rows = np.flatnonzero(digit.any(axis=1))
    if shift_px == 0 or not len(rows):
        return digit
    return np.roll(digit, max(-rows[0], min(shift_px, SIDE_PX - 1 - rows[-1])), axis=0)


def _concatenate(digits: list[NDArray[np.uint8]], gaps_px: tuple[int, ...]) -> NDArray[np.uint8]:
    """Put digits ``(28, 28)``, white on black, side by side; the brighter pixel wins where they overlap."""
    cropped = [_crop(digit) for digit in digits]
    starts = [_MARGIN_PX]
    for left, right, gap in zip(cropped, cropped[1:], gaps_px, strict=False):
        overlap = min(left.shape[1], right.shape[1]) // 2
        starts.append(starts[-1] + left.shape[1] + max(gap, -overlap))
    ends = [start + digit.shape[1] for start, digit in zip(starts, cropped, strict=True)]
    canvas = np.zeros((SIDE_PX, max(ends) + _MARGIN_PX), dtype=np.uint8)
    for start, end, digit in zip(starts, ends, cropped, strict=True):
        np.maximum(canvas[:, start:end], digit, out=canvas[:, start:end])
    return canvas


def _crop(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop a digit to its columns with ink; a digit without ink is returned unchanged."""
    columns = np.flatnonzero(digit.any(axis=0))
    return digit[:, columns[0] : columns[-1] + 1] if len(columns) else digit
