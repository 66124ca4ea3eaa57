"""What is wrong with the settings of a run is said before lines are packed; the rest before it trains."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.runs import train
from hydra.errors import InstantiationException
from safetensors.torch import load_file

from htr_lightning.errors import InputError
from htr_lightning.files import read_json


@pytest.mark.parametrize(
    "override",
    [
        "trainer.devices=0", "++trainer.max_steps=-2", "++trainer.max_time=soon", "++trainer.profiler=none_such",
        "++trainer.limit_train_batches=1.5", "++trainer.gradient_clip_algorithm=worst", "++trainer.fast_dev_run=-1",
        "++model.rnn_size=0", "++model.dropout=2", "++model.rnn_layers=0",
        "++model.strides=[[2,2],[0,1]]", "++model.stem_channels=-1", "++optim.lr=-1", "++optim.weight_decay=-1",
        "++optim.clip_norm=-1", "++optim.betas=[0.9]", "++optim.betas=[0.9,1.0]", "++optim.milestones=[3]",
        "++optim.final=-1", "++loader.num_workers=-1", "++loader.num_pack_workers=0", "++loader.max_skipped=-1",
    ],
)  # fmt: skip
def test_before_lines_are_packed(override: str, small_set: Path, tmp_path: Path) -> None:
    with pytest.raises((InputError, InstantiationException)) as error:
        train(small_set, tmp_path / "run", override)
    cause = error.value if isinstance(error.value, InputError) else error.value.__cause__
    assert isinstance(cause, ValueError) and override.lstrip("+").partition(".")[0] in str(cause)
    assert not (small_set / "packed").exists()


def test_a_network_of_another_height_is_refused_before_lines_are_packed(small_set: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"preprocess\.height_px=24: the network takes lines of \d+ px") as error:
        train(small_set, tmp_path / "run", "++preprocess.height_px=24")
    assert error.value.value == 24 and not (small_set / "packed").exists()


@pytest.mark.parametrize(
    "override",
    ["++trainer.val_check_interval=99", "++trainer.limit_test_batches=0.01", "++trainer.limit_val_batches=0.01"],
)
def test_what_the_number_of_batches_decides(override: str, small_set: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=override.lstrip("+").partition("=")[0]):
        train(small_set, tmp_path / "run", override)
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.filterwarnings("ignore:.*could not find the monitored key")
def test_a_run_without_test_or_validation_writes_its_model(
    small_set: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ["+trainer.max_steps=1", "+loader.max_lines_per_batch=4", "++trainer.limit_test_batches=0"]
    scores = train(small_set, tmp_path / "run", *settings)
    assert "val/cer" in scores and not any(name.startswith("test/") for name in scores)
    assert (tmp_path / "run" / "model.safetensors").is_file() and read_json(tmp_path / "run" / "result.json")
    assert "Nothing was validated" in caplog.text


def test_frozen_weights_do_not_move_with_an_average(
    write_lines: Callable[..., Path], small_set: Path, tmp_path: Path
) -> None:
    few = ["trainer.max_epochs=1", "+loader.max_lines_per_batch=4"]
    train(small_set, tmp_path / "base", *few)
    frozen = ["stage=finetune", "preprocess=loaded", f"stage.start_from={tmp_path / 'base'}", "stage.freeze=[backbone]"]
    train(small_set, tmp_path / "tuned", *few, *frozen, "+optim.ema_decay=0.9")
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "tuned"))
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert moved and not any(name.startswith("backbone") for name in moved)
