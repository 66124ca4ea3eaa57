"""Lightning still has what `lightning_fixes` works around. A test that fails says that a workaround can be removed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel, RandomDataset
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.plugins.precision import MixedPrecision
from torch.optim.swa_utils import get_ema_avg_fn
from torch.utils.data import DataLoader, Sampler, SequentialSampler

from htr_lightning.training.lightning_fixes import AtomicCheckpointIO, CheckpointWriteError

pytestmark = pytest.mark.filterwarnings("ignore")


def trainer_of(folder: Path, *callbacks: Callback, **settings: Any) -> lightning.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    usual = {"max_epochs": 1, "limit_train_batches": 4, "limit_val_batches": 1, "enable_checkpointing": False}
    return lightning.Trainer(default_root_dir=folder, callbacks=[*callbacks], **(quiet | usual | settings))


class Epochs(Callback):
    """Records the epoch of each training step."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.epochs.append(trainer.current_epoch)


class SaveAt(Callback):
    """Saves a checkpoint at the end of the first epoch, or after one of its batches."""

    def __init__(self, path: Path, batch: int | None = None) -> None:
        self.path, self.batch = path, batch

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: Any) -> None:
        if args[-1] == self.batch and trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.batch is None and trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)


class StatefulLoader(DataLoader[torch.Tensor]):
    loaded = False

    def state_dict(self) -> dict[str, int]:
        return {"position": 1}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.loaded = True


def test_20550_estimating_steps_loses_the_state_of_loaders(tmp_path: Path) -> None:
    class Estimates(BoringModel):
        def configure_optimizers(self) -> Any:
            assert self.trainer.estimated_stepping_batches
            return torch.optim.SGD(self.parameters(), lr=0.1)

    for model, is_loaded in ((BoringModel(), True), (Estimates(), False)):
        path = tmp_path / f"{is_loaded}.ckpt"
        trainer_of(tmp_path, SaveAt(path, 1), max_epochs=2).fit(model, StatefulLoader(RandomDataset(32, 8)))
        loader = StatefulLoader(RandomDataset(32, 8))
        trainer_of(tmp_path, max_epochs=2).fit(model, loader, ckpt_path=path)
        assert loader.loaded == is_loaded


def test_21435_gradients_of_fused_optimizers_are_not_clipped_in_bf16() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight], fused=True)
    with pytest.raises(RuntimeError, match="does not allow for gradient clipping"):
        MixedPrecision("bf16-mixed", "cpu").clip_gradients(optimizer, clip_val=1.0)


def test_8278_a_run_that_stopped_early_trains_on_when_it_is_resumed(tmp_path: Path) -> None:
    class Constant(BoringModel):
        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            self.log("loss", 1.0)

    path = tmp_path / "last.ckpt"
    trainer = trainer_of(tmp_path, EarlyStopping("loss", patience=1), max_epochs=9)
    trainer.fit(Constant())
    assert trainer.current_epoch == 2
    trainer.save_checkpoint(path)
    epochs = Epochs()
    trainer_of(tmp_path, EarlyStopping("loss", patience=1), epochs, max_epochs=9).fit(Constant(), ckpt_path=path)
    assert epochs.epochs, "trained on"


def test_19815_a_run_by_steps_that_is_resumed_at_the_end_of_an_epoch_takes_other_steps(tmp_path: Path) -> None:
    path, whole, resumed = tmp_path / "epoch.ckpt", Epochs(), Epochs()
    settings: dict[str, Any] = {"max_steps": 12, "val_check_interval": 3, "check_val_every_n_epoch": None}
    trainer_of(tmp_path, SaveAt(path), whole, max_epochs=-1, **settings).fit(BoringModel())
    trainer_of(tmp_path, resumed, max_epochs=-1, **settings).fit(BoringModel(), ckpt_path=path)
    assert whole.epochs == 4 * [0] + 4 * [1] + 4 * [2]
    assert resumed.epochs != whole.epochs[4:]


def test_18060_accumulated_gradients_are_not_saved(tmp_path: Path) -> None:
    path, settings = tmp_path / "middle.ckpt", {"accumulate_grad_batches": 2, "limit_train_batches": 2}
    torch.manual_seed(0)
    whole, resumed = BoringModel(), BoringModel()
    resumed.load_state_dict(whole.state_dict())
    loader = DataLoader(RandomDataset(32, 8))
    trainer_of(tmp_path, SaveAt(path, 0), **settings).fit(whole, loader)
    trainer_of(tmp_path, **settings).fit(resumed, loader, ckpt_path=path)
    assert not torch.equal(whole.layer.weight, resumed.layer.weight)


def test_15705_the_best_score_is_forgotten_in_a_folder_that_was_moved(tmp_path: Path) -> None:
    before, after = (ModelCheckpoint(tmp_path / name, monitor="val/cer") for name in ("old", "new"))
    before.best_model_score = torch.tensor(0.5)
    after.load_state_dict(before.state_dict())
    assert after.best_model_score is None


class EpochSampler(Sampler[int]):
    """Draws the number of its epoch, so that batches tell it."""

    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Iterator[int]:
        yield from [self.epoch] * 4


class Seen(BoringModel):
    """Records which items it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.items.append(int(batch[0, 0]))
        return super().training_step(batch, batch_idx)


class Numbers(torch.utils.data.Dataset[torch.Tensor]):
    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((32,), float(index))

    def __len__(self) -> int:
        return 4


def test_21938_workers_of_a_resumed_run_fetch_the_first_epoch(tmp_path: Path) -> None:
    path, model = tmp_path / "epoch.ckpt", Seen()
    trainer_of(tmp_path, SaveAt(path), max_epochs=2).fit(model, DataLoader(Numbers(), sampler=EpochSampler()))
    assert model.items == 4 * [0] + 4 * [1]
    resumed, loader = Seen(), DataLoader(Numbers(), sampler=EpochSampler(), num_workers=1)
    trainer_of(tmp_path, max_epochs=2).fit(resumed, loader, ckpt_path=path)
    assert resumed.items and 0 in resumed.items


def test_21282_overfitting_replaces_samplers(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, overfit_batches=1)
    trainer.fit(BoringModel(), DataLoader(Numbers(), sampler=EpochSampler()))
    assert isinstance(trainer.train_dataloader.sampler, SequentialSampler)


def test_19970_checkpoints_are_not_flushed_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    TorchCheckpointIO().save_checkpoint({"weight": torch.zeros(1)}, tmp_path / "theirs.ckpt")
    assert not flushed
    AtomicCheckpointIO().save_checkpoint({"weight": torch.zeros(1)}, tmp_path / "ours.ckpt")
    assert len(flushed) == 1


def test_a_checkpoint_that_cannot_be_written_is_no_error_yet(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        TorchCheckpointIO().save_checkpoint({}, tmp_path / "file" / "x.ckpt")
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({}, tmp_path / "file" / "x.ckpt")
    assert isinstance(writer.error, CheckpointWriteError)


def test_20545_validating_after_training_measures_the_average_of_weights(tmp_path: Path) -> None:
    class Measured(BoringModel):
        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            self.weight = float(self.layer.weight.mean())

    trainer, model = trainer_of(tmp_path, EMAWeightAveraging(decay=0.9)), Measured()
    trainer.fit(model)
    torch.nn.init.constant_(model.layer.weight, 7.0)
    trainer.validate(model, verbose=False)
    assert model.weight != 7


def test_averages_of_equal_weights_drift() -> None:
    weights = torch.rand(1000, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(get_ema_avg_fn(0.9)(weights, weights, torch.tensor(1)), weights)


def test_19976_ctrl_c_ends_the_program_without_a_message(tmp_path: Path) -> None:
    class Interrupted(BoringModel):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        trainer_of(tmp_path).fit(Interrupted())
    assert caught.value.code == 1


def test_10601_slurm_jobs_are_requeued_unless_a_plugin_says_otherwise() -> None:
    assert SLURMEnvironment().auto_requeue and not SLURMEnvironment(auto_requeue=False).auto_requeue


def test_messages_are_printed_twice() -> None:
    code = "import lightning, logging; print(len(logging.getLogger('lightning.pytorch').handlers))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) > 0
