"""The task and the data module with a trainer of one's own, as in a notebook."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from helpers.typesetting import texts
from lightning.pytorch.callbacks import BackboneFinetuning
from lightning.pytorch.tuner import Tuner

import htr_lightning
from htr_lightning.charset import Charset
from htr_lightning.data.augment import Augment
from htr_lightning.data.module import LineDataModule
from htr_lightning.data.sources.lines import Lines
from htr_lightning.errors import InputError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.training.optim import AdamW, Optimizer
from htr_lightning.training.task import RecognitionTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore:`isinstance.treespec"),
]


@pytest.fixture
def data(small_set: Path) -> LineDataModule:
    preprocess = Preprocess(height_px=32)
    module = LineDataModule(Lines(str(small_set)), preprocess, Augment(), cache_dir=str(small_set / "packed"))
    module.max_lines_per_batch = 8
    module.setup()
    return module


def network(charset: Charset | None) -> CRNN:
    assert charset is not None
    sizes: dict[str, Any] = {"channels": [16, 32], "blocks": [1, 1], "strides": [[2, 2], [2, 1]], "rnn_size": 32}
    return CRNN(charset.num_classes, height_px=32, rnn_layers=1, **sizes)


def make_trainer(folder: Path, **settings: Any) -> lightning.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return lightning.Trainer(default_root_dir=folder, **(quiet | {"max_epochs": 2} | settings))


def make_task(data: LineDataModule, optim: Any = None, **settings: Any) -> RecognitionTask:
    assert data.charset is not None
    return RecognitionTask(network(data.charset), data.charset, optim or AdamW(), **settings)


def test_a_checkpoint_is_a_model_and_a_task(data: LineDataModule, small_set: Path, tmp_path: Path) -> None:
    task, trainer = make_task(data, auxiliary_weight=0.3), make_trainer(tmp_path)
    trainer.fit(task, data)
    path = trainer.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    loaded = RecognitionTask.load_from_checkpoint(path)
    assert not loaded.training and loaded.auxiliary_weight == 0.3
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in task.state_dict().items())
    predictions = [line for batch in trainer.predict(loaded, data) or () for line in batch]
    by_name = {line.id: line for line in predictions}
    images = sorted((small_set / "test").glob("*.png"))
    read = [htr_lightning.load(path).read_line(image) for image in images]
    assert [by_name[f"test/{image.name}"].text for image in images] == [line.text for line in read]
    confidences = [by_name[f"test/{image.name}"].confidence for image in images]
    assert confidences == pytest.approx([line.confidence for line in read], rel=1e-3)
    again = RecognitionTask.load_from_checkpoint(path, model=network(data.charset), charset=data.charset, optim=AdamW())
    assert torch.equal(again.model.head.weight, task.model.head.weight)  # type: ignore[union-attr]


def test_prediction_from_a_loader_alone(data: LineDataModule, tmp_path: Path) -> None:
    task, trainer = make_task(data).eval(), make_trainer(tmp_path)
    alone, together = trainer.predict(task, data.val_dataloader()), trainer.predict(task, data)
    assert alone is not None and together is not None
    assert {line.id.split("/")[0] for batch in alone for line in batch} == {"val"}
    assert {line.id.split("/")[0] for batch in together for line in batch} == {"test"}


def test_the_learning_rate_finder(data: LineDataModule, tmp_path: Path) -> None:
    for optim in (
        AdamW(),
        functools.partial(torch.optim.SGD, lr=0.5),
        Optimizer(make=torch.optim.SGD, schedule="cosine"),
    ):
        task, trainer = make_task(data, optim), make_trainer(tmp_path, max_epochs=20)
        before = task.lr
        found = Tuner(trainer).lr_find(task, data, num_training=20, early_stop_threshold=None)
        assert found is not None and task.lr == found.suggestion() != before
        (optimizer, _) = task.optim.build(task.model, 10)
        assert optimizer.param_groups[0]["initial_lr"] == task.lr


@pytest.mark.filterwarnings("ignore:The `batch_idx` argument")
def test_the_batch_size_finder(data: LineDataModule, tmp_path: Path) -> None:
    data.max_lines_per_batch = 2
    found = Tuner(make_trainer(tmp_path)).scale_batch_size(
        make_task(data), data, init_val=2, max_trials=2, steps_per_trial=1
    )
    assert found == data.batch_size == data.max_lines_per_batch == 4
    assert max(len(batch) for batch in data.train_dataloader()) <= 4


@pytest.mark.filterwarnings("ignore:The provided params to be frozen")  # BatchNorm, which is not
def test_lightnings_backbone_finetuning(data: LineDataModule, tmp_path: Path) -> None:
    task = make_task(data)
    start = {name: value.clone() for name, value in task.model.state_dict().items()}
    make_trainer(tmp_path, max_epochs=1, callbacks=[BackboneFinetuning(unfreeze_backbone_at_epoch=1)]).fit(task, data)
    weights = {name for name, _ in task.model.named_parameters() if name.startswith("backbone") and "weight" in name}
    kept = {name for name in weights if torch.equal(start[name], task.model.state_dict()[name])}
    assert any("conv" in name or "stem" in name for name in kept)
    assert not torch.equal(start["head.weight"], task.model.state_dict()["head.weight"])
    task = make_task(data)
    make_trainer(tmp_path, max_epochs=3, callbacks=[BackboneFinetuning(unfreeze_backbone_at_epoch=1)]).fit(task, data)
    assert all(parameter.requires_grad for parameter in task.model.parameters())


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_true_precisions(precision: str, data: LineDataModule, tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, max_steps=2, precision=precision)
    trainer.fit(make_task(data), data)
    assert torch.isfinite(trainer.callback_metrics["train/loss"])


def test_a_training_without_an_end_needs_its_number_of_steps(data: LineDataModule, tmp_path: Path) -> None:
    endless = {"max_epochs": -1, "max_steps": -1, "max_time": "00:00:00:01"}
    with pytest.raises(InputError, match="num_steps"):
        make_trainer(tmp_path, **endless).fit(make_task(data), data)
    make_trainer(tmp_path, **endless).fit(make_task(data, num_steps=100), data)


def test_batch_size_before_setup(small_set: Path) -> None:
    module = LineDataModule(Lines(str(small_set)), Preprocess(height_px=32), Augment())
    with pytest.raises(AttributeError, match="setup"):
        _ = module.batch_size


Write = Callable[[Sequence[str], str], Path]


def test_without_test_lines_val_is_predicted(write_lines: Write, tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "val")):
        root = write_lines(texts(4, seed), split)
    module = LineDataModule(Lines(str(root)), Preprocess(height_px=32), Augment(), cache_dir=str(root / "packed"))
    module.setup()
    predicted = make_trainer(tmp_path).predict(make_task(module).eval(), module)
    assert predicted is not None
    assert {line.id.split("/")[0] for batch in predicted for line in batch} == {"val"}


def test_lines_of_another_height_are_refused(data: LineDataModule, tmp_path: Path) -> None:
    task = make_task(data)
    data.preprocess = Preprocess(height_px=48)
    with pytest.raises(InputError, match=r"height_px=48: CRNN takes lines of 32 px; .*Preprocess\(height_px=32\)"):
        make_trainer(tmp_path).fit(task, data)
