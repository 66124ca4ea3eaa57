"""Parts of one's own, added by configuration: used, and refused with what they lack before lines are packed."""

import contextlib
import importlib.util
import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.runs import overrides, train
from hydra import compose, initialize_config_dir
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from htr_lightning.config.compose import conf_dir
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import validate
from htr_lightning.errors import InputError
from htr_lightning.training.run import run

SHORT = ["trainer.max_epochs=2", "+loader.max_lines_per_batch=8", "trainer.log_every_n_steps=1"]
MODULE = """
import lightning, numpy, torch
from lightning.pytorch.loggers import Logger

class Counter(lightning.Callback):
    seen = []
    def __init__(self, note: str = ""): self.note, self.number = note, 0
    def on_train_batch_end(self, *given): self.number += 1; Counter.seen.append((self.note, self.number))
    def state_dict(self): return {"number": self.number}
    def load_state_dict(self, state): self.number = state["number"]

class Noise:
    def __init__(self, amount: float = 0.1): self.amount = amount
    def __call__(self, images, generator): return images + self.amount * torch.rand(images.shape, generator=generator)

class Flat:
    def __call__(self, images, generator): return images[:, 0]

class Lost:
    def __call__(self, images, widths, generator, num_views=1): return images

class Silent:
    pass

class Length:
    def __init__(self): self.reset()
    def reset(self): self.total = 0
    def update(self, predictions, references): self.total += sum(map(len, references))
    def compute(self): return {"references": self.total}

class Half:
    def update(self, predictions, references): pass

class Text(Half):
    def compute(self): return "much"
    def reset(self): pass

class Short(Text):
    def update(self, predictions, references): len(predictions[0] + 1)

class Alone:
    def build(self, module, total_steps, rates=None): return torch.optim.SGD(module.parameters(), lr=0.1)

class Momentum:
    def __init__(self, rate: float = 0.05): self.rate = rate
    def build(self, module, total_steps, rates=None):
        return torch.optim.SGD(module.parameters(), lr=self.rate, momentum=0.9), None

def greedy(charset):
    def decode(logits, lengths):
        best = [line[:n].argmax(-1) for line, n in zip(logits, lengths)]
        return [ids[(ids != 0) & (numpy.diff(ids, prepend=0) != 0)].tolist() for ids in best]
    return decode

class Falling(torch.optim.lr_scheduler.LRScheduler):
    def get_lr(self):
        if self.last_epoch: raise RuntimeError("no rate")
        return self.base_lrs

def spelled(charset): return lambda logits, lengths: ["a", "b"]
def nothing(charset): return None
number = 3
"""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of the user's."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    yield
    sys.modules.pop("mine", None)


def train_with(root: Path, folder: Path, **nodes: object) -> dict[str, float]:
    """Train with some nodes of the configuration replaced."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=overrides(root, *SHORT))
    for key, node in nodes.items():
        cfg[key] = node
    validate(cfg)
    return run(cfg, folder)


SCHEDULES = [
    ("cosine", [0.01]),
    ({"_target_": "htr_lightning.training.schedule.Schedule", "shape": "constant", "warmup": 0.0}, [1.0]),
    ({"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1, "gamma": 0.5}, [1.0, 0.5]),
    ({"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 2, "interval": "step"}, [1.0, 0.1, 0.01]),
    ({"_target_": "torch.optim.lr_scheduler.OneCycleLR"}, [0.04]),
    ({"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR"}, [1.0, 0.5]),
    ({"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "patience": 5}, [1.0]),
]


@pytest.mark.parametrize(("schedule", "fractions"), SCHEDULES)
def test_an_optimizer_of_torch_with_any_schedule(
    schedule: object, fractions: list[float], small_set: Path, tmp_path: Path
) -> None:
    optim = {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9, "clip_norm": 1.0, "schedule": schedule}
    train_with(small_set, tmp_path / "run", optim=optim)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    rates = [event.value for event in events.Scalars("lr-SGD/pg1")]
    assert len(rates) == 6
    for fraction in fractions:
        assert any(rate == pytest.approx(0.05 * fraction, rel=1e-3) for rate in rates), rates
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["optimizer_states"][0]["param_groups"][0]["momentum"] >= 0.85  # OneCycleLR cycles it


def test_an_optimizer_on_the_command_line_and_one_with_build(small_set: Path, tmp_path: Path) -> None:
    train(small_set, tmp_path / "a", *SHORT, "optim._target_=torch.optim.Adagrad", "optim.lr=0.01")
    train_with(small_set, tmp_path / "b", optim={"_target_": "mine.Momentum"})
    for name, kind in (("a", "sum"), ("b", "momentum_buffer")):
        state = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["optimizer_states"][0]
        assert all(kind in parameter for parameter in state["state"].values())


def test_rates_by_block_and_freezing_with_an_optimizer_of_torch(small_set: Path, tmp_path: Path) -> None:
    train(small_set, tmp_path / "base", *SHORT)
    stage = ["stage=finetune", "preprocess=loaded", f"stage.start_from={tmp_path / 'base'}", "stage.layer_decay=0.5"]
    optim = ["optim._target_=torch.optim.SGD", "optim.lr=0.1", "+optim.schedule=constant"]
    train(small_set, tmp_path / "tuned", *SHORT, *stage, *optim, "stage.freeze=[backbone.stem]")
    events = EventAccumulator(str(tmp_path / "tuned" / "tensorboard")).Reload()
    names = {name for name in events.Tags()["scalars"] if name.startswith("lr-SGD")}
    assert {"lr-SGD/rnn", "lr-SGD/rnn/no_decay", "lr-SGD/backbone.stages.0"} <= names
    assert events.Scalars("lr-SGD/rnn")[-1].value == pytest.approx(0.05)


def test_callbacks_are_added_and_resumed(small_set: Path, tmp_path: Path) -> None:
    node = {"mine": {"_target_": "mine.Counter", "note": "x"}, "left_out": None}
    train_with(small_set, tmp_path / "run", callbacks=node)
    import mine  # type: ignore[import-not-found]

    assert mine.Counter.seen == [("x", number) for number in range(1, 7)]
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["callbacks"]["Counter"] == {"number": 6}


def test_metrics_are_logged_and_written(small_set: Path, tmp_path: Path) -> None:
    metrics = {"edits": {"_target_": "torchmetrics.text.EditDistance"}, "length": {"_target_": "mine.Length"}}
    scores = train_with(small_set, tmp_path / "run", metrics=metrics)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    for split in ("val", "test"):
        texts = [row.split("\t")[1] for row in (small_set / f"{split}.tsv").read_text().splitlines()[1:]]
        assert result[f"{split}/length_references"] == sum(map(len, texts))
        assert (
            result[f"{split}/edits"]
            == scores[f"{split}/edits"]
            == pytest.approx(scores[f"{split}/cer"] * sum(map(len, texts)) / len(texts), rel=1e-4)
        )
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert len(events.Scalars("val/edits")) == 2


COMPOSE = {
    "_target_": "torchvision.transforms.v2.Compose",
    "transforms": [
        {"_target_": "torchvision.transforms.v2.RandomAffine", "degrees": 2},
        {"_target_": "torchvision.transforms.v2.GaussianBlur", "kernel_size": 3},
    ],
}


@pytest.mark.parametrize(
    "augment",
    [COMPOSE, COMPOSE["transforms"][0], {"_target_": "mine.Noise", "amount": 0.2}],
    ids=["all", "one", "mine"],
)
def test_augmentations_depend_on_the_seed_only(augment: object, small_set: Path, tmp_path: Path) -> None:
    weights = []
    for name in ("a", "b"):
        torch.rand(1)
        train_with(small_set, tmp_path / name, augment=augment)
        weights.append(torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    train_with(small_set, tmp_path / "plain", augment={"_target_": "htr_lightning.data.augment.Augment"})
    plain = torch.load(tmp_path / "plain" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert any(not torch.equal(weights[0][key], plain[key]) for key in plain)


def test_a_decoder_of_ones_own(small_set: Path, tmp_path: Path) -> None:
    greedy = train_with(small_set, tmp_path / "a")
    for partial in ({}, {"_partial_": True}):
        folder = tmp_path / f"b{len(partial)}"
        assert train_with(small_set, folder, decoder={"_target_": "mine.greedy"} | partial) == greedy


LR = "torch.optim.lr_scheduler"
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}
REFUSED = [
    ("optim", {"_target_": "mine.Silent"}, r"optim"),
    ("optim", {"_target_": "mine.Alone"}, r"optim: build returned SGD; return \(torch\.optim\.Optimizer, "),
    (
        "optim",
        {"_target_": "torch.optim.LBFGS"},
        r"optim: a trial failed \(ValueError: .*parameter groups.*\); correct its settings",
    ),
    ("optim", SGD | {"lr": -1.0}, r"optim: a trial failed \(ValueError: Invalid learning rate: -1.0\); correct"),
    (
        "optim",
        SGD | {"schedule": {"_target_": f"{LR}.OneCycleLR", "pct_start": 2.0}},
        r"optim\.schedule: it cannot be built \(ValueError.*\); correct",
    ),
    (
        "optim",
        SGD | {"schedule": {"_target_": "mine.Falling"}},
        r"optim\.schedule: a trial failed \(RuntimeError: no rate, line \d+ of .*mine\.py\); correct",
    ),
    ("optim", SGD | {"momentun": 1}, r"optim\.momentun: .*did you mean 'momentum'"),
    ("optim", SGD | {"schedule": "cosin"}, r"optim\.schedule=cosin: .*one_cycle, cosine"),
    (
        "optim",
        SGD | {"schedule": {"_target_": "torch.optim.lr_scheduler.StepLR"}},
        r"optim\.schedule\.step_size: required",
    ),
    ("optim", SGD | {"clip_norm": "much"}, r"optim\.clip_norm=much: "),
    ("augment", {"_target_": "mine.Flat"}, r"augment: mine\.Flat returned .*\(2, 32, 64\); return .*\(2, 1, 32, any"),
    ("augment", {"_target_": "mine.Lost"}, r"augment: it returned Tensor of \(2, 1, 32, 64\).*widths \(2,\)"),
    ("augment", {"_target_": "mine.Silent"}, r"augment: mine\.Silent cannot be called.*\(images, generator\)"),
    ("decoder", {"_target_": "mine.spelled"}, r"decoder: it returned \['a', 'b'\]; .*class ids"),
    ("decoder", {"_target_": "mine.nothing"}, r"decoder: it made None of a charset"),
    ("metrics", {"half": {"_target_": "mine.Half"}}, r"metrics\.half: Half has no compute, reset; .*update\("),
    ("metrics", {"short": {"_target_": "mine.Short"}}, r"metrics\.short: .*\(TypeError: .*mine\.py\); .*two lists"),
    ("metrics", {"text": {"_target_": "mine.Text"}}, r"metrics\.text: compute returned 'much'"),
    ("metrics", {"cer": {"_target_": "mine.Length"}}, r"metrics\.cer: there is a score of this name"),
    ("metrics", {"_target_": "mine.Length"}, r"metrics: each part needs a name of its own"),
    ("callbacks", {"mine": {"_target_": "mine.Silent"}}, r"callbacks\.mine=mine\.Silent: is no Callback"),
    ("callbacks", {"mine": {"_target_": "mine.Missing"}}, r"callbacks\.mine\._target_: cannot import 'mine\.Missing'"),
    ("callbacks", {"mine": {"_target_": "mine.number"}}, r"callbacks\.mine\._target_: 'mine\.number' is a int"),
    ("callbacks", {"mine": {"note": "x"}}, r"callbacks\.mine\._target_: required"),
    ("callbacks", {n: {"_target_": "mine.Counter"} for n in "ab"}, r"callbacks\.b: another callback .* Counter"),
    ("logger", {"mine": {"_target_": "mine.Silent"}}, r"logger\.mine=mine\.Silent: is no Logger"),
]


@pytest.mark.parametrize(("key", "node", "message"), REFUSED)
def test_what_a_part_lacks_is_said_before_lines_are_packed(
    key: str, node: object, message: str, small_set: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"(?s){message}"):
        train_with(small_set, tmp_path / "run", **{key: node})
    assert not (small_set / "packed").exists() and not (tmp_path / "run" / "checkpoints").exists()


def test_two_views_need_an_augmentation_that_knows_them(small_set: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"consistency_weight: two views of a line need the same geometry"):
        train_with(small_set, tmp_path / "run", augment=COMPOSE, consistency_weight=0.2)


@pytest.mark.parametrize("module", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed(
    module: str, small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *given: None if name == module else find(name, *given)
    )
    with pytest.raises(
        ConfigError, match=rf"logger\.{module}=.*: {module} is not installed; run: pip install {module}"
    ):
        train(small_set, tmp_path / "run", f"logger=[csv,{module}]")
    assert not (small_set / "packed").exists()


def test_loggers_are_chosen_by_name(small_set: Path, tmp_path: Path) -> None:
    train(small_set, tmp_path / "a", *SHORT, "logger=csv", "+logger.mine._target_=lightning.pytorch.loggers.CSVLogger",
          f"+logger.mine.save_dir={tmp_path / 'other'}")  # fmt: skip
    assert not (tmp_path / "a" / "tensorboard").exists() and list((tmp_path / "a" / "csv").rglob("metrics.csv"))
    assert "val/cer" in next((tmp_path / "other").rglob("metrics.csv")).read_text()
    train(small_set, tmp_path / "b", *SHORT, "logger=[]")
    assert not (tmp_path / "b" / "csv").exists() and (tmp_path / "b" / "model.safetensors").exists()


@pytest.mark.filterwarnings("default")  # those of wandb are not ours
def test_wandb_without_a_network(small_set: Path, tmp_path: Path, needs, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    needs("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"logger\.wandb=.*no key.*WANDB_API_KEY.*logger\.wandb\.offline=true"):
        train(small_set, tmp_path / "a", "logger=wandb")
    train(small_set, tmp_path / "b", *SHORT, "logger=[csv,wandb]", "logger.wandb.offline=true")
    assert list((tmp_path / "b" / "wandb").glob("offline-run-*/run-*.wandb"))


@pytest.mark.filterwarnings("default")  # those of MLflow and SQLAlchemy are not ours
def test_mlflow_without_a_server(small_set: Path, tmp_path: Path, needs, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    needs("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    scores = train(small_set, tmp_path / "run", *SHORT, "logger=[mlflow]")
    with contextlib.closing(sqlite3.connect(tmp_path / "run" / "mlflow.db")) as database:
        logged = dict(database.execute("SELECT key, value FROM latest_metrics").fetchall())
        parameters = dict(database.execute("SELECT key, value FROM params").fetchall())
    assert logged["final/val/cer"] == scores["val/cer"] and parameters["optim.lr"] == "0.003"
