"""Facts about every line of a dataset: each image is read once, and only small values are kept."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, Split, get_source_name, preprocess_pixels
from htr_lightning.data.pack import Progress
from htr_lightning.data.packed_lines import PackedSequence
from htr_lightning.data.parallel import map_lines
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import UnusableImage
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.text import Normalization

ProblemKind = Literal["missing", "damaged", "unusable", "empty", "too_small", "too_wide"]
"""Why a line cannot be trained on: its file does not exist; its image cannot be decoded or cropped; its layout file has
no usable shape or image; its text is empty; its image is less than 2 px wide or high; or it is wider than
``preprocess.max_width_px``.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line cannot be trained on.

    Attributes:
        kind: of the problem.
        message: the sentence with which training refuses or skips the line.
    """

    kind: ProblemKind
    message: str


@dataclass(frozen=True, slots=True)
class LineFacts:
    """Facts about the image of a line.

    Attributes:
        id: of the line.
        height_px: of the original image; 0 if it cannot be read.
        width_px: of the original image; 0 if it cannot be read.
        input_width_px: after preprocessing; 0 for an unusable line.
        digest: of the decoded pixels before preprocessing; empty if there are none.
        ink: fraction of dark pixels after preprocessing, 0..1.
        problem: why the line is unusable; None for a usable line.
    """

    id: str
    height_px: int = 0
    width_px: int = 0
    input_width_px: int = 0
    digest: bytes = b""
    ink: float = 0.0
    problem: Problem | None = None


def _no_ints() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class SplitFacts:
    """Facts about the lines of one split, by columns, in their order.

    Of packed lines (`collect_packed_facts`), the columns of the original images are empty.

    Attributes:
        split: of the lines.
        ids: of all n lines.
        texts: as the dataset has them, without Unicode normalization.
        groups: empty strings where unknown.
        digests: of the decoded pixels; empty for unreadable images.
        input_widths_px: after preprocessing, ``(n,)``; 0 for unusable lines.
        heights_px: of the original images, ``(n,)``; 0 for unreadable ones.
        widths_px: of the original images, ``(n,)``; 0 for unreadable ones.
        ink: fraction of dark pixels after preprocessing, ``(n,)``.
        problems: of the unusable lines, by row.
    """

    split: Split
    ids: Sequence[str]
    texts: Sequence[str]
    groups: Sequence[str]
    digests: Sequence[bytes | str]
    input_widths_px: NDArray[np.int64] = field(default_factory=_no_ints)
    heights_px: NDArray[np.int64] = field(default_factory=_no_ints)
    widths_px: NDArray[np.int64] = field(default_factory=_no_ints)
    ink: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    problems: Mapping[int, Problem] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @functools.cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of characters of each text, ``(n,)``."""
        return np.fromiter(map(len, self.texts), np.int64, len(self.texts))

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Mask of the lines that can be trained on, ``(n,)``."""
        return self.input_widths_px > 0

    def get_usable_texts(self) -> list[str]:
        """Return the texts of the usable lines."""
        return [text for text, width in zip(self.texts, self.input_widths_px, strict=True) if width]


Facts = Mapping[Split, SplitFacts]
CountFrames = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""From widths of preprocessed lines in px to their numbers of frames, both ``(n,)``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration values that findings depend on.

    Attributes:
        max_skipped: ``loader.max_skipped``.
        max_shared: ``loader.max_shared``.
        normalization: ``loader.normalization``.
        height_px: ``preprocess.height_px``.
        count_frames: of the model; None skips the checks that need a model.
        groups_are_fonts: groups are fonts, which all splits share intentionally.
        known_characters: those that a pretrained model has in its charset.
    """

    max_skipped: int = 0
    max_shared: float = 0.5
    normalization: Normalization = "NFC"
    height_px: int = 48
    count_frames: CountFrames | None = None
    groups_are_fonts: bool = False
    known_characters: frozenset[str] = frozenset()

    @classmethod
    def from_config(
        cls,
        loader: Mapping[str, Any],
        source: object,
        preprocess: Preprocess,
        count_frames: CountFrames | None = None,
    ) -> "Settings":
        """Create an instance from a configuration's ``loader``, whose missing keys have defaults, and built objects.

        Args:
            loader: the node of the configuration.
            source: of the dataset.
            preprocess: of the run.
            count_frames: of the model.
        """
        keys = ("max_skipped", "max_shared", "normalization")
        values = {key: loader[key] for key in keys if key in loader}
        are_fonts = get_source_name(source) == "Synthetic"
        return cls(**values, height_px=preprocess.height_px, count_frames=count_frames, groups_are_fonts=are_fonts)


def collect_facts(
    split: Split,
    lines: Sequence[Line],
    preprocess: Preprocess,
    *,
    num_workers: int = 1,
    progress: Progress | None = None,
) -> SplitFacts:
    """Read every image of a split once, in parallel.

    Args:
        split: of the lines.
        lines: of the dataset.
        preprocess: of the run.
        num_workers: processes that decode and preprocess.
        progress: wraps the results to show a progress bar.
    """
    tasks: Iterable[list[LineFacts]] = map_lines(functools.partial(examine_line, preprocess), lines, num_workers)
    if progress is not None:
        tasks = progress(tasks, len(lines), f"Reading {split}")
    digests: list[bytes] = []
    problems: dict[int, Problem] = {}
    sizes = np.zeros((len(lines), 3), np.int64)
    ink = np.zeros(len(lines), np.float32)
    for row, line in enumerate(line for task in tasks for line in task):
        sizes[row] = line.input_width_px, line.height_px, line.width_px
        ink[row] = line.ink
        digests.append(line.digest)
        if line.problem is not None:
            problems[row] = line.problem
    ids, texts, groups = ([getattr(line, name) for line in lines] for name in ("id", "text", "group"))
    input_widths, heights, widths = sizes.T
    return SplitFacts(split, ids, texts, groups, digests, input_widths, heights, widths, ink, problems)


def collect_packed_facts(split: Split, packed: PackedSequence) -> SplitFacts:
    """Return the columns of packed lines without reading an image; they are read from the file when needed."""
    ids, texts, groups, digests = (packed.column(name) for name in ("id", "text", "group", "digest"))
    return SplitFacts(split, ids, texts, groups, digests, packed.widths)


def examine_line(preprocess: Preprocess, line: Line) -> LineFacts:
    """Read, measure and preprocess one line; an error of its data becomes a `Problem`."""
    try:
        image = line.image.read(preprocess.max_pixels)
    except DataError as error:
        return LineFacts(line.id, problem=_build_problem(line, error))
    except Exception as error:
        error.add_note(f"while reading line {line.id}")
        raise
    height, width = image.shape[:2]
    digest = hashlib.blake2b(f"{image.shape}".encode(), digest_size=12)
    digest.update(np.ascontiguousarray(image).data)
    problem = None if line.text else Problem("empty", f"{line.id}: the text is empty")
    try:
        pixels = preprocess_pixels(line.image, image, preprocess)
    except DataError as error:
        problem = problem or _build_problem(line, error)
        return LineFacts(line.id, height, width, 0, digest.digest(), 0.0, problem)
    ink = float(np.count_nonzero(pixels < 128)) / pixels.size
    return LineFacts(line.id, height, width, 0 if problem else pixels.shape[1], digest.digest(), ink, problem)


def _build_problem(line: Line, error: DataError) -> Problem:
    kind: ProblemKind = "damaged"
    if isinstance(line.image, UnusableImage):
        kind = "unusable"
    elif error.kind == "missing":
        kind = "missing"
    elif error.kind == "too_small":
        kind = "too_small"
    elif error.kind == "too_wide":
        kind = "too_wide"
    return Problem(kind, str(error.with_line_id(line.id)))
