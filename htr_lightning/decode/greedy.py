"""Best-path decoding: the most probable class of every frame, by the rules of CTC."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK


def greedy_decode(logits: NDArray[np.floating[Any]], frame_lengths: NDArray[np.int64]) -> list[list[int]]:
    """Read each line along its best path (Graves et al. 2006, section 3.2).

    Of the path of each line, repeated classes are collapsed, then blanks are removed.

    Args:
        logits: ``(N, T, K)`` logits or log-probabilities.
        frame_lengths: ``(N,)``: the frames of each line; later ones are padding, not read.

    Returns:
        The ids of the characters of each line (see `htr_lightning.charset.Charset.decode`).
    """
    num_lines, num_frames, _ = logits.shape
    assert frame_lengths.shape == (num_lines,), f"{frame_lengths.shape} lengths, {num_lines} lines"
    path = logits.argmax(axis=-1)  # (N, T)
    kept = path != BLANK
    kept[:, 1:] &= path[:, 1:] != path[:, :-1]
    kept &= np.arange(num_frames) < frame_lengths[:, None]
    ids = path[kept].tolist()
    ends = np.cumsum(kept.sum(axis=1)).tolist()
    return [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]
