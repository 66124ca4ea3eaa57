"""What the doctor knows of a data set: everything is read once, and what is kept of a line is small."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, Split
from htr_lightning.data.pack import Progress
from htr_lightning.data.packed_lines import PackedLines
from htr_lightning.data.parallel import map_lines
from htr_lightning.image.files import DataError, UnusableImage
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.text import Normalization

Trouble = Literal["missing", "damaged", "unusable", "empty", "small", "wide"]
"""Why a line cannot be trained on: no file; an image that cannot be decoded; what its reader says; no text; fewer than
2 pixels on a side; wider than ``preprocess.max_width_px``.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line cannot be trained on.

    Attributes:
        trouble: the kind.
        reason: the sentence with which training refuses or skips the line.
    """

    trouble: Trouble
    reason: str


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What one reading of a line's image tells.

    Attributes:
        id: of the line.
        height_px: of the image as it comes; 0 if it could not be read.
        width_px: the same.
        line_px: width after preprocessing; 0 if there is none.
        digest: of the decoded pixels, before preprocessing; empty if there are none.
        ink: share of dark pixels after preprocessing, 0..1.
        problem: why the line cannot be used; None for a good line.
    """

    id: str
    height_px: int = 0
    width_px: int = 0
    line_px: int = 0
    digest: bytes = b""
    ink: float = 0.0
    problem: Problem | None = None


def _no_ints() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class SplitFacts:
    """The lines of one split, by columns, in their order.

    The columns of images are empty where only packed lines were looked at (`facts_of_packed`).

    Attributes:
        split: which.
        ids: of all lines.
        texts: as the reader gives them, without Unicode normalization.
        groups: empty strings where unknown.
        digests: of the pixels, empty for images that cannot be had.
        line_px: ``(n,)`` widths after preprocessing; 0 for lines that cannot be used.
        heights_px: ``(n,)`` of the images as they come; 0 for what cannot be read.
        widths_px: the same.
        ink: ``(n,)`` share of dark pixels.
        problems: of the lines that cannot be used, by row.
    """

    split: Split
    ids: Sequence[str]
    texts: Sequence[str]
    groups: Sequence[str]
    digests: Sequence[bytes | str]
    line_px: NDArray[np.int64] = field(default_factory=_no_ints)
    heights_px: NDArray[np.int64] = field(default_factory=_no_ints)
    widths_px: NDArray[np.int64] = field(default_factory=_no_ints)
    ink: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    problems: Mapping[int, Problem] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @functools.cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Characters of each text, ``(n,)``."""
        return np.fromiter(map(len, self.texts), np.int64, len(self.texts))

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which lines can be trained on, ``(n,)``."""
        return self.line_px > 0

    def usable_texts(self) -> list[str]:
        """Return the texts of the lines that can be trained on."""
        return [text for text, width in zip(self.texts, self.line_px, strict=True) if width]


Facts = Mapping[Split, SplitFacts]
Frames = Callable[[NDArray[np.int64]], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What of a run's configuration the findings depend on.

    Attributes:
        max_skipped: ``loader.max_skipped``.
        max_shared: ``loader.max_shared``.
        normalization: ``loader.normalization``.
        height_px: ``preprocess.height_px``.
        frames: widths of preprocessed lines -> frames that the model gives them, both ``(n,)``; None asks no model.
        groups_are_fonts: groups are fonts, which all splits share on purpose.
        known: characters that a model can write before it is trained on these lines.
    """

    max_skipped: int = 0
    max_shared: float = 0.5
    normalization: Normalization = "NFC"
    height_px: int = 48
    frames: Frames | None = None
    groups_are_fonts: bool = False
    known: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, loader: Mapping[str, Any], source: object, preprocess: Preprocess, frames: Frames | None = None
    ) -> "Settings":
        """Take them from a configuration's ``loader`` (what it leaves out has its default), and from what was made."""
        keys = ("max_skipped", "max_shared", "normalization")
        given = {key: loader[key] for key in keys if key in loader}
        fonts = type(source).__name__ == "Synthetic"
        return cls(**given, height_px=preprocess.height_px, frames=frames, groups_are_fonts=fonts)


def facts_of(
    split: Split,
    lines: Sequence[Line],
    preprocess: Preprocess,
    *,
    num_workers: int = 1,
    progress: Progress | None = None,
) -> SplitFacts:
    """Read every image of a split once, in parallel.

    Args:
        split: what the lines are.
        lines: as their source gives them.
        preprocess: of the run that is planned.
        num_workers: processes that decode and preprocess.
        progress: wraps the work, to draw a bar.
    """
    tasks: Iterable[list[LineFacts]] = map_lines(functools.partial(examine, preprocess), lines, num_workers)
    if progress is not None:
        tasks = progress(tasks, len(lines), f"Prediction {split}")
    digests: list[bytes] = []
    problems: dict[int, Problem] = {}
    numbers = np.zeros((len(lines), 3), np.int64)
    ink = np.zeros(len(lines), np.float32)
    for row, line in enumerate(line for task in tasks for line in task):
        numbers[row] = line.line_px, line.height_px, line.width_px
        ink[row] = line.ink
        digests.append(line.digest)
        if line.problem is not None:
            problems[row] = line.problem
    ids, texts, groups = ([getattr(line, name) for line in lines] for name in ("id", "text", "group"))
    line_px, heights, widths = numbers.T
    return SplitFacts(split, ids, texts, groups, digests, line_px, heights, widths, ink, problems)


def facts_of_packed(split: Split, packed: PackedLines) -> SplitFacts:
    """Take the columns of lines that are packed already; no image is read."""
    ids, texts, groups, digests = (list(packed.column(name)) for name in ("id", "text", "group", "digest"))
    return SplitFacts(split, ids, texts, groups, digests, packed.widths)


def examine(preprocess: Preprocess, line: Line) -> LineFacts:
    """Read, measure and preprocess one line; whatever is wrong with it becomes a `Problem`."""
    try:
        image = line.image.read(preprocess.max_pixels)
    except DataError as error:
        return LineFacts(line.id, problem=Problem(_trouble(line, error), _naming(line, error)))
    except Exception as error:
        error.add_note(f"while reading line {line.id}")
        raise
    height, width = image.shape[:2]
    digest = hashlib.blake2b(f"{image.shape}".encode(), digest_size=12)
    digest.update(np.ascontiguousarray(image).data)
    problem = None if line.text else Problem("empty", f"{line.id}: the text is empty")
    try:
        pixels = preprocess(image)
    except DataError as error:
        trouble: Trouble = "small" if min(height, width) < 2 else "wide"
        problem = problem or Problem(trouble, _naming(line, error))
        return LineFacts(line.id, height, width, 0, digest.digest(), 0.0, problem)
    ink = float(np.count_nonzero(pixels < 128)) / pixels.size
    return LineFacts(line.id, height, width, 0 if problem else pixels.shape[1], digest.digest(), ink, problem)


def _trouble(line: Line, error: BaseException) -> Trouble:
    """Tell a missing file from a damaged one by what the message was made from."""
    if isinstance(line.image, UnusableImage):
        return "unusable"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FileNotFoundError):
            return "missing"
        cause = cause.__context__
    return "damaged"


def _naming(line: Line, error: DataError) -> str:
    return str(error.of_line(line.id))
