"""The record that joins every reader to everything that follows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.files import DataError, LineImage
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.image.transform import Transform

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of handwriting.

    Attributes:
        id: unique within its data set; what messages call this line.
        image: where its pixels come from.
        text: what it says; whitespace collapsed (see `clean_text`). Unicode normalization is the charset's.
        group: writer, page or font; what must not be shared between splits. Empty when unknown.
    """

    id: str
    image: LineImage
    text: str
    group: str = ""


class Source(Protocol):
    """A data set: all that a reader of one's own has to offer."""

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of one split, in a fixed order; empty when the data set lacks that split.

        Raises:
            DataError: a file that the data set needs is missing or malformed.
        """
        ...


@runtime_checkable
class DrawnSource(Source, Protocol):
    """A data set that says how often each of its training lines is seen in an epoch."""

    def draws(self, ids: Iterable[str]) -> NDArray[np.float64]:
        """Return, for each training line that can be used, how often it is drawn in an epoch, on average."""
        ...


def pixels_of(line: Line, preprocess: Preprocess, transform: Transform | None = None) -> NDArray[np.uint8]:
    """Read and preprocess one line: ``(H, W)`` uint8, paper 255; a transform follows the preprocessing.

    Raises:
        DataError: the image cannot be used; names the line.
    """
    try:
        return preprocess(line.image.read(preprocess.max_pixels), transform)
    except DataError as error:
        raise error.of_line(line.id) from None
    except OSError as error:  # of a reader that did not say it in a sentence
        raise DataError(f"{line.id}: its image cannot be read ({error})") from None
    except Exception as error:
        error.add_note(f"while preparing line {line.id}")
        raise
