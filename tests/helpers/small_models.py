"""Model files with a small network that has learned nothing."""

from pathlib import Path
from typing import Any

import torch

from htr_lightning.charset import Charset
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import write_model
from htr_lightning.model.info import ModelInfo
from htr_lightning.model.network import get_class_path

CHARSET = Charset.from_texts(["abcdefghijklmnopqrstuvwxyz "])


def write_small_model(path: Path, seed: int = 0, **metadata: Any) -> Path:
    """Write a model file; ``metadata`` are fields of `ModelInfo`."""
    torch.manual_seed(seed)
    network = CRNN(
        CHARSET.num_classes, height_px=32, channels=[8], blocks=[1], strides=[[2, 2]], stem_channels=4, rnn_size=8
    )
    info = ModelInfo(
        get_class_path(CRNN),
        network.arguments,
        CHARSET.to_dict(),
        Preprocess(height_px=32).to_dict(),
        32,
        **metadata,
    )
    write_model(path, network.state_dict(), info)
    return path
