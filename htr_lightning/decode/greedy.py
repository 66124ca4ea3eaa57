"""Best-path decoding: the most probable class of every frame, by the rules of CTC."""

import numpy as np
from torch import Tensor

from htr_lightning.charset import BLANK


def greedy_decode(scores: Tensor, frame_lengths: Tensor) -> list[list[int]]:
    """Read each line along its best path (Graves et al. 2006, section 3.2).

    Of the path of each line, repeated classes are collapsed, then blanks are removed.

    Args:
        scores: ``(N, T, K)`` logits or log-probabilities, on any device.
        frame_lengths: ``(N,)`` int64 on the CPU: the frames of each line; later ones are padding, not read.

    Returns:
        The ids of the characters of each line (see `htr_lightning.charset.Charset.decode`).
    """
    num_lines, num_frames, _ = scores.shape
    assert frame_lengths.shape == (num_lines,), f"{tuple(frame_lengths.shape)} lengths, {num_lines} lines"
    path = scores.argmax(dim=-1).cpu().numpy()  # (N, T): the one transfer from the device
    kept = path != BLANK
    kept[:, 1:] &= path[:, 1:] != path[:, :-1]
    kept &= np.arange(num_frames) < frame_lengths.cpu().numpy()[:, None]
    ids = path[kept].tolist()
    ends = np.cumsum(kept.sum(axis=1)).tolist()
    return [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]
