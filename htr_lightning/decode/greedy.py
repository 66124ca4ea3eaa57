"""Greedy (best-path) CTC decoding."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK


def greedy_decode(logits: NDArray[np.floating[Any]], frame_lengths: NDArray[np.int64]) -> list[list[int]]:
    """Decode each line along its most probable path (Graves et al. 2006, section 3.2).

    Repeated classes of the path are collapsed, then blanks are removed.

    Args:
        logits: ``(N, T, K)`` logits or log-probabilities.
        frame_lengths: ``(N,)`` number of frames of each line; later frames are padding and ignored.

    Returns:
        The character ids of each line (see `htr_lightning.charset.Charset.decode`).
    """
    num_lines, num_frames, _ = logits.shape
    assert frame_lengths.shape == (num_lines,), f"{frame_lengths.shape} lengths, {num_lines} lines"
    path = logits.argmax(axis=-1)  # (N, T)
    is_kept = path != BLANK
    is_kept[:, 1:] &= path[:, 1:] != path[:, :-1]
    is_kept &= np.arange(num_frames) < frame_lengths[:, None]
    ids = path[is_kept].tolist()
    ends = np.cumsum(is_kept.sum(axis=1)).tolist()
    return [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]
