"""Training on a packed set is training on its dataset."""

from pathlib import Path

import pytest
from helpers.runs import SMALL_BATCHES, train, weights_equal

from htr_lightning.cli import pack
from htr_lightning.config.schema import ConfigError
from htr_lightning.image.files import DataError

PACKED = ["dataset=packed", "trainer.max_epochs=2", *SMALL_BATCHES]


@pytest.fixture
def packed_set(small_set: Path, tmp_path: Path) -> Path:
    """The lines of `small_set` in five files."""
    arguments = ["dataset=lines", f"dataset.root={small_set}", "preprocess.height_px=32", "--lines-per-file", "10"]
    pack.main([*arguments, "--out", str(tmp_path / "packed")])
    return tmp_path / "packed"


def test_the_weights_are_those_of_a_run_on_the_dataset(small_set: Path, packed_set: Path, tmp_path: Path) -> None:
    one = train(small_set, tmp_path / "one", "trainer.max_epochs=2", *SMALL_BATCHES)
    other = train(packed_set, tmp_path / "other", *PACKED)
    assert one == other and weights_equal(tmp_path / "one", tmp_path / "other")
    assert not (packed_set / "packed").exists(), "nothing is cached"


def test_a_run_is_resumed_as_one_on_the_dataset(small_set: Path, packed_set: Path, tmp_path: Path) -> None:
    for root, name, dataset in ((small_set, "plain", "lines"), (packed_set, "packed", "packed")):
        settings = [f"dataset={dataset}", *SMALL_BATCHES]
        train(root, tmp_path / name, *settings, "trainer.max_epochs=1")
        train(root, tmp_path / name, *settings, "trainer.max_epochs=2", f"resume={tmp_path / name}")
    assert weights_equal(tmp_path / "plain", tmp_path / "packed")
    with pytest.raises(ConfigError, match="the training lines are not those of the run"):
        more = ["trainer.max_epochs=3", "+loader.max_train_lines=20"]
        train(packed_set, tmp_path / "packed", *PACKED, *more, f"resume={tmp_path / 'packed'}")


def test_another_height_is_refused_before_training(packed_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"preprocess\.height_px=32, not 48; set \+\+preprocess\.height_px=32"):
        train(packed_set, tmp_path / "run", *PACKED, "model.height_px=48")
    assert not list((tmp_path / "run").glob("checkpoints/*"))
