"""What one sees during a run whose length is given in steps."""

from types import SimpleNamespace
from typing import Any

import pytest

from htr_lightning.monitor import ProgressBar


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
