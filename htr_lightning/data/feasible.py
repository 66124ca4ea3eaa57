"""Which lines have enough frames for their texts."""

from collections.abc import Iterator
from itertools import islice
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.data.batch import count_required_frames
from htr_lightning.data.packed_lines import PackedSequence
from htr_lightning.directions.bidi import StatedDirection

_LINES_PER_STEP = 4096  # the classes of all texts of a large dataset would fill the memory


def find_infeasible(lines: PackedSequence, charset: Charset, frames: NDArray[np.int64]) -> dict[int, str]:
    """Return the lines with fewer frames than CTC needs for their text, by row, each with a sentence.

    A text needs a frame for each character, and one more between two equal adjacent characters.

    Args:
        lines: of the train split.
        charset: turns their texts into classes.
        frames: of each line, ``(number of lines,)``.
    """
    infeasible: dict[int, str] = {}
    doubtful = _find_doubtful(lines, charset, frames)
    while step := list(islice(doubtful, _LINES_PER_STEP)):
        targets = [target for _, target in step]
        lengths = torch.tensor([len(target) for target in targets])
        joined = torch.tensor([label for target in targets for label in target], dtype=torch.int64)
        for (row, target), needed in zip(step, count_required_frames(joined, lengths).tolist(), strict=True):
            if needed > frames[row]:
                problem = f"its {len(target)} characters need {needed} frames, the line has {frames[row]}"
                infeasible[row] = f"{lines.column('id')[row]}: {problem}"
    return infeasible


def _find_doubtful(
    lines: PackedSequence, charset: Charset, frames: NDArray[np.int64]
) -> Iterator[tuple[int, list[int]]]:
    """Yield row and classes of the texts that would not fit if all their characters were equal."""
    columns = zip(lines.column("text"), lines.column("direction"), frames, strict=True)
    for row, (text, stated, number) in enumerate(columns):
        if 2 * len(text if text.isascii() else charset.normalize(text)) > number:
            yield row, charset.encode_known(text, cast(StatedDirection, stated))
