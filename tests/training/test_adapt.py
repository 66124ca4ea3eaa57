"""Adaptation of a model to few lines: ``+experiment=adapt``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from helpers import runs
from helpers.typesetting import texts, typeset
from hydra import compose, initialize_config_dir
from lightning.pytorch.callbacks import Callback
from safetensors.torch import load_file

from htr_lightning.cli import evaluate
from htr_lightning.config.compose import conf_dir
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import validate
from htr_lightning.image.files import DataError
from htr_lightning.model.file import load_model
from htr_lightning.model.info import ModelFileError, read_info
from htr_lightning.training import recognition
from htr_lightning.training.adapt import Adapt
from htr_lightning.training.finding import check_options

ADAPT = ["+experiment=adapt", *runs.CPU[1:], "stage.num_steps=[[2,3],[16,6]]", "+loader.max_lines_per_batch=4"]


def adapt(root: Path, folder: Path, base: Path | str, *more: str) -> dict[str, float]:
    return runs.train(root, folder, f"stage.start_from={base}", *more, common=ADAPT)


@pytest.fixture
def base(small_set: Path, tmp_path: Path) -> Path:
    more = ["trainer.max_epochs=1", "license=CC-BY-4.0", "languages=[fr]", "attribution=lines of a friend"]
    runs.train(small_set, tmp_path / "base", *runs.TINY_MODEL, *more, common=runs.CPU)
    return tmp_path / "base"


def write_lines(root: Path, number: int, more: str = "", *, split: str = "train", seed: int = 5) -> Path:
    """Write a table of lines and their images."""
    (root / split).mkdir(parents=True)
    rows = ["image\ttext"]
    for place, text in enumerate(texts(number, seed)):
        typeset(text + more).save(root / split / f"{place}.png")
        rows.append(f"{split}/{place}.png\t{text}{more}")
    (root / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def write_text_files(root: Path, number: int) -> Path:
    """Write images with a text file beside each."""
    root.mkdir()
    for place, text in enumerate(texts(number, 5)):
        typeset(text).save(root / f"{place}.png")
        (root / f"{place}.gt.txt").write_text(text, encoding="utf-8")
    return root


def test_the_number_of_steps_grows_with_the_number_of_lines() -> None:
    stage = Adapt(start_from="somewhere", num_steps=[[64, 200], [16, 100], [256, 800]])
    assert [stage.count_steps(number) for number in (1, 16, 64, 256, 5000)] == [100, 100, 200, 800, 800]
    assert stage.count_steps(32) == 141 == round(100 * 2**0.5), "halfway on a logarithmic scale"
    assert stage.count_steps(128) == 400
    steps = [stage.count_steps(number) for number in range(1, 300)]
    assert steps == sorted(steps)
    assert Adapt(start_from="somewhere", num_steps=[[10, 7]]).count_steps(1000) == 7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": []}, r"^stage\.num_steps=\[\]: out of range"),
        ({"num_steps": [[16, 0]]}, r"^stage\.num_steps=\[\[16, 0\]\]: out of range"),
        ({"num_steps": [[0, 5]]}, r"^stage\.num_steps="),
        ({"num_steps": [[16, 2.5]]}, r"^stage\.num_steps="),
        ({"num_steps": [[16, 5, 6]]}, r"^stage\.num_steps="),
        ({"num_steps": [[16, 5], [16, 6]]}, r"^stage\.num_steps="),
        ({"interpolation": 0.0}, r"^stage\.interpolation=0\.0: out of range"),
        ({"interpolation": 1.5}, r"^stage\.interpolation=1\.5: out of range"),
        ({"layer_decay": 0.0}, r"^stage\.layer_decay=0\.0: out of range"),
    ],
)
def test_settings_out_of_range_are_refused_by_their_key(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Adapt(start_from="somewhere", **settings)  # type: ignore[arg-type]


def test_lines_without_a_validation_set_give_a_model(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    with caplog.at_level("INFO"):
        scores = adapt(write_lines(tmp_path / "mine", 16), folder, base)
    assert scores == {}
    assert "16 training lines: 6 optimizer steps" in caplog.text
    assert "step 6 of 6: train loss" in caplog.text
    assert not [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert json.loads((folder / "result.json").read_text()) == {"lines/train": 16, "lines/val": 0, "lines/test": 0}
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 6
    before, tuned = load_file(base / "model.safetensors"), state["state_dict"]
    for name, after in load_file(folder / "model.safetensors").items():
        if after.is_floating_point():
            mean = 0.25 * before[name] + 0.75 * tuned[f"model.{name}"]
            torch.testing.assert_close(after, mean, msg=name)
    assert not torch.equal(before["rnn.weight_ih_l0"], tuned["model.rnn.weight_ih_l0"])
    info, of_base = (read_info(path / "model.safetensors") for path in (folder, base))
    assert (info.license, info.languages, info.attribution) == ("CC-BY-4.0", ["fr"], "lines of a friend")
    assert info.temperature == of_base.temperature, "nothing to fit another one on"


def test_text_files_are_all_training_lines_and_one_line_is_enough(base: Path, tmp_path: Path) -> None:
    for number, steps in ((1, 3), (6, 4)):
        folder = tmp_path / f"run{number}"
        adapt(write_text_files(tmp_path / f"mine{number}", number), folder, base)
        assert json.loads((folder / "result.json").read_text())["lines/train"] == number
        assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == steps


def test_validation_lines_are_read_before_and_after(base: Path, tmp_path: Path) -> None:
    mine = write_lines(tmp_path / "mine", 16)
    write_lines(mine, 4, split="val", seed=6)
    scores = adapt(mine, tmp_path / "run", base, "optim.lr=0.02", "trainer.max_steps=25", "stage.interpolation=1")
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 25, "trainer.max_steps goes before stage.num_steps"
    assert not (tmp_path / "run" / "checkpoints" / "best.ckpt").exists(), "nothing is chosen on val"
    assert scores["val/cer_base"] == pytest.approx(measure(base, mine)), "of the model to start from"
    assert scores["val/cer"] == pytest.approx(measure(tmp_path / "run", mine))
    assert read_info(tmp_path / "run" / "model.safetensors").scores == pytest.approx(scores)


def measure(model: Path, root: Path) -> float:
    """Return the CER on val by another way: the command ``evaluate``."""
    out = root / f"of-{model.name}"
    evaluate.main([str(model), "--data", str(root / "val.tsv"), "--out", str(out)])
    return float(json.loads((out / "result.json").read_text())["cer"])


def test_new_characters_are_learned_and_keep_their_weights_in_the_mean(base: Path, tmp_path: Path) -> None:
    more = ["stage.interpolation=0.5", "+optim.ema_decay=0.5"]
    adapt(write_lines(tmp_path / "mine", 12, " é!"), tmp_path / "run", base, *more)
    before, after = load_model(base), load_model(tmp_path / "run")
    assert after.charset.characters == (*before.charset.characters, "!", "é")
    tuned = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    weight = after.network.state_dict()["head.weight"]
    num_known = len(before.charset.characters) + 1
    assert torch.equal(weight[num_known:], tuned["model.head.weight"][num_known:]) and weight[num_known:].any()
    known = (before.network.state_dict()["head.weight"] + tuned["model.head.weight"][:num_known]) / 2
    torch.testing.assert_close(weight[:num_known], known)


class StoppedError(BaseException):
    """Stands for SIGKILL: nobody catches it, nothing is written after it."""


class StopAt(Callback):
    """Stops a run after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise StoppedError


@pytest.mark.parametrize("when", ["within", "after"])
def test_a_stopped_run_resumes_to_the_same_model_without_its_base(
    when: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the training, or when it has ended and nothing is written yet."""
    mine, run = write_lines(tmp_path / "mine", 16, "é"), tmp_path / "run"
    more = ["+optim.ema_decay=0.9", "checkpoint_minutes=0"]
    adapt(mine, tmp_path / "whole", base, *more)
    usual = recognition.build_callbacks
    with monkeypatch.context() as patch:
        if when == "within":
            patch.setattr(recognition, "build_callbacks", lambda *given: [*usual(*given), StopAt(3)])
        else:
            patch.setattr(recognition, "write_model", lambda *_: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            adapt(mine, run, base, *more)
    assert not (run / "model.safetensors").exists()
    shutil.rmtree(base)
    done = subprocess.run(
        [sys.executable, "-m", "htr_lightning", f"resume={run}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert runs.weights_equal(tmp_path / "whole", run)
    whole, resumed = (read_info(path / "model.safetensors") for path in (tmp_path / "whole", run))
    assert (whole.license, whole.temperature) == (resumed.license, resumed.temperature)


def test_what_cannot_be_adapted_to(base: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    silent = write_text_files(tmp_path / "silent", 3)
    for file in silent.glob("*.gt.txt"):
        file.write_text("  \n", encoding="utf-8")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "train.tsv").write_text("image\ttext\n", encoding="utf-8")
    for root, message in (
        (tmp_path / "empty", r"empty: there are no manifests .*; set dataset\.manifest"),
        (tmp_path / "nowhere", r"dataset\.root=.*nowhere"),
        (silent, r"(?s)3 lines cannot be used:.*the text is empty"),
        (bare, r"(train split is empty|bare.*train\.tsv)"),
    ):
        with pytest.raises(DataError, match=message):
            adapt(root, tmp_path / "run", base)
    mine = write_lines(tmp_path / "mine", 3, "é")
    with pytest.raises(ModelFileError, match="nowhere: there is no such model file"):
        adapt(mine, tmp_path / "run", "nowhere")
    with pytest.raises(ConfigError, match=r"stage\.charset=keep: .*'é'"):
        adapt(mine, tmp_path / "run", base, "stage.charset=keep")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_wrong_settings_are_refused_before_anything_is_read() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        settings = ["+stage.num_step=2", "+loader.needs_val=true", "dataset.root=mine"]
        cfg = compose("config", overrides=["+experiment=adapt", *settings])
    with pytest.raises(ConfigError) as caught:
        validate(cfg)
    problems = dict(line.split(": ", 1) for line in str(caught.value).splitlines())
    assert problems.keys() == {"stage.num_step", "loader.needs_val"}
    assert "did you mean 'num_steps'?" in problems["stage.num_step"]


def test_a_line_finder_is_not_adapted() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=["+experiment=finetune_finder", "stage=adapt"])
    with pytest.raises(ConfigError, match=r"stage\._target_=.*Adapt: this does not go with task=find_lines"):
        check_options(cfg)
