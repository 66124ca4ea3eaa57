"""Synthetic lines that calibrate 8-bit quantization."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Split, load_pixels
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.widths import pad_line
from htr_lightning.image.preprocess import Preprocess


def render_calibration_lines(preprocess: Preprocess, width_step_px: int, split: Split) -> Iterator[NDArray[np.uint8]]:
    """Yield lines in the packaged fonts, each ``(1, H, W)``, paper 255, preprocessed and padded for a model.

    Split ``train`` has 64 lines for calibration, ``val`` 8 others for a check. Their letters are Latin whatever the
    charset of the model is: the activation ranges depend on the strokes, not on the alphabet.

    Args:
        preprocess: preprocessing of the model.
        width_step_px: lines are padded to multiples of this width.
        split: ``train`` or ``val``.

    Raises:
        DataError: the packages of the extra ``synthetic`` are not installed.
    """
    source = Synthetic(num_train=64, num_val=8, num_test=1, max_length=48)
    for line in source.lines(split):
        yield pad_line(load_pixels(line, preprocess), width_step_px)
