"""The `Line` record, which every data source yields and every later step takes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import LineImage
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.image.transform import Transform

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of handwriting.

    Attributes:
        id: unique within its dataset; messages name the line by it.
        image: reads the pixels.
        text: transcription, whitespace collapsed (see `clean_text`). Unicode normalization is up to the charset.
        group: writer, page or font: lines of one group should not be divided between splits. Empty if unknown.
        direction: base direction that its file states; empty if it states none.
    """

    id: str
    image: LineImage
    text: str
    group: str = ""
    direction: StatedDirection = ""


class Source(Protocol):
    """A dataset. A custom dataset needs to implement nothing else."""

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of one split, in a fixed order; empty if the dataset lacks that split.

        Raises:
            DataError: a file of the dataset is missing or malformed.
        """
        ...


LeftOut = Mapping[str, Sequence[str]]
"""Ids of the lines that a dataset leaves out, by reason, a phrase such as `UNTRANSCRIBED`."""

UNTRANSCRIBED = "without transcription"


@runtime_checkable
class SelectiveSource(Source, Protocol):
    """A dataset that leaves out some of the lines in its files, which the doctor counts."""

    def left_out(self, split: Split) -> LeftOut:
        """Return what the last call of `lines` with this split left out."""
        ...


@runtime_checkable
class WeightedSource(Source, Protocol):
    """A dataset that decides how often each of its training lines is drawn in an epoch."""

    def draws_per_epoch(self, ids: Iterable[str]) -> NDArray[np.float64]:
        """Return how often each of the usable training lines is drawn in an epoch, on average: ``(number of ids,)``."""
        ...


@runtime_checkable
class PreprocessedImage(LineImage, Protocol):
    """An image whose pixels are preprocessed already, as in packed files."""

    @property
    def preprocess(self) -> Preprocess:
        """What was applied to it."""
        ...


def get_source_name(source: object) -> str:
    """Return the name of the class that read a dataset; of a packed one, of the class that read it before."""
    return str(getattr(source, "source_name", "")) or type(source).__name__


def list_image_files(lines: Iterable[Line]) -> Iterator[Path]:
    """Yield the files that images of lines are read from, as far as images say so: that of the line or of its page."""
    for line in lines:
        path = getattr(getattr(line.image, "page", line.image), "path", None)
        if isinstance(path, Path):
            yield path


def list_replaced_outlines(lines: Iterable[Line]) -> dict[str, list[str]]:
    """Return the ids of lines that are not cropped by the outline of their layout, by the reason."""
    replaced: dict[str, list[str]] = {}
    for line in lines:
        if problem := getattr(line.image, "outline_problem", ""):
            replaced.setdefault(problem, []).append(line.id)
    return replaced


def load_pixels(line: Line, preprocess: Preprocess, transform: Transform | None = None) -> NDArray[np.uint8]:
    """Read and preprocess the image of one line: ``(H, W)`` uint8, paper 255.

    Args:
        line: its image is read.
        preprocess: applied to the image.
        transform: records where the pixels of the result come from, if given.

    Raises:
        DataError: the image cannot be used; names the line.
    """
    try:
        return preprocess_pixels(line.image, line.image.read(preprocess.max_pixels), preprocess, transform)
    except DataError as error:
        raise error.with_line_id(line.id) from None
    except OSError as error:  # from an image class that does not raise DataError itself
        raise DataError(f"its image cannot be read ({error})", line_id=line.id, kind="unreadable") from None
    except Exception as error:
        error.add_note(f"while preparing line {line.id}")
        raise


def preprocess_pixels(
    image: LineImage, pixels: NDArray[np.uint8], preprocess: Preprocess, transform: Transform | None = None
) -> NDArray[np.uint8]:
    """Preprocess the pixels of an image, unless they are preprocessed already: ``(H, W)`` uint8, paper 255.

    Args:
        image: that the pixels were read from.
        pixels: of the image.
        preprocess: applied to them.
        transform: records where the pixels of the result come from, if given.

    Raises:
        DataError: the image cannot be used, or was preprocessed in another way.
    """
    if not isinstance(image, PreprocessedImage):
        return preprocess(pixels, transform)
    differing = image.preprocess.find_differences(preprocess)
    if differing:
        listed = ", ".join(
            f"preprocess.{name}={getattr(image.preprocess, name)}, not {getattr(preprocess, name)}"
            for name in differing
        )
        raise DataError(f"its image was packed with {listed}", kind="preprocess")
    return pixels
