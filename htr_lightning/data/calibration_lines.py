"""Synthetic lines from which the ranges of 8-bit networks are taken."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Split, pixels_of
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.widths import pad_lines
from htr_lightning.image.preprocess import Preprocess


def calibration_lines(preprocess: Preprocess, width_step_px: int, split: Split) -> Iterator[NDArray[np.uint8]]:
    """Yield lines in the fonts of the packages, each ``(1, H, W)``, paper 255, as a model takes them.

    64 to take ranges from (train), and others for a check (val). Their letters are Latin, whatever the model's charset
    is: what counts is strokes.

    Args:
        preprocess: that of the model.
        width_step_px: lines are padded to multiples of this width.
        split: train or val.

    Raises:
        DataError: the packages of the extra ``synthetic`` are not installed.
    """
    source = Synthetic(num_train=64, num_val=8, num_test=1, max_length=48)
    for line in source.lines(split):
        pixels = pixels_of(line, preprocess)
        yield pad_lines([pixels], -(-pixels.shape[1] // width_step_px) * width_step_px)
