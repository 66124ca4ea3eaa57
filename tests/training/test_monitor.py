"""What one sees of a run: the bar, and the pictures in TensorBoard."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from htr_lightning.charset import Charset
from htr_lightning.data.batch import collate
from htr_lightning.data.packed_lines import PackedLine
from htr_lightning.image.ink import to_ink
from htr_lightning.training.monitor import ErrorPanel, ProgressBar


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "words"),
    [(-1, 300, "Epoch 2, from step 24 of 300"), (20, -1, "Epoch 2/19")],
)
def test_the_bar_says_how_much_is_left(max_epochs: int, max_steps: int, words: str) -> None:
    bar = ProgressBar()
    trainer: Any = SimpleNamespace(max_epochs=max_epochs, max_steps=max_steps, global_step=24)
    bar._trainer = trainer
    description = bar._get_train_description(2)
    assert description.rstrip() == words


def pictures_of_a_test(folder: Path, hypotheses: list[str], *, rank_zero: bool = True) -> list[str]:
    """Let the callback see a test of two lines, and return the names of the pictures it wrote."""
    charset = Charset("abc ")
    lines = [PackedLine(str(i), "ab c", "", np.full((16, 40), 255, np.uint8)) for i in range(2)]
    batch = collate(lines, 40, charset)
    object.__setattr__(batch, "images", to_ink(batch.images))
    logger = TensorBoardLogger(folder, "", version="")
    trainer: Any = SimpleNamespace(loggers=[CSVLogger(folder), logger], global_step=7, is_global_zero=rank_zero)
    task: Any = SimpleNamespace(charset=charset)
    panel = ErrorPanel(1)
    panel.on_test_epoch_start(trainer, task)
    panel.on_test_batch_end(trainer, task, {"hypotheses": hypotheses}, batch, 0)
    panel.on_test_epoch_end(trainer, task)
    logger.experiment.close()
    names: list[str] = EventAccumulator(str(folder)).Reload().Tags()["images"]
    return sorted(names)


def test_what_went_wrong_in_the_test_is_shown(tmp_path: Path) -> None:
    assert pictures_of_a_test(tmp_path / "wrong", ["ab c", "ac b"]) == ["test/confusions", "test/worst_lines"]
    assert pictures_of_a_test(tmp_path / "right", ["ab c", "ab c"]) == []
    assert pictures_of_a_test(tmp_path / "second", ["ab c", "ac b"], rank_zero=False) == []
