import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from helpers.runs import TINY, command, train, wait_for, weights_equal
from helpers.typesetting import texts, typeset
from hydra import compose, initialize_config_dir
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from htr_lightning.cli import evaluate, predict
from htr_lightning.config.compose import conf_dir
from htr_lightning.config.schema import ConfigError
from htr_lightning.files import OutputError
from htr_lightning.image.files import DataError
from htr_lightning.model.info import read_info
from htr_lightning.training.run import run
from htr_lightning.training.task import RecognitionTask

Write = Callable[[Sequence[str], str], Path]


def test_eight_lines_overfit_to_cer_0(write_lines: Write, tmp_path: Path) -> None:
    for split in ("train", "val"):
        root = write_lines(texts(8), split)
    scores = train(
        root,
        tmp_path / "run",
        "trainer.max_epochs=240",
        "augment=none",
        "+loader.max_lines_per_batch=4",
        "optim.lr=5e-3",
        "+model.dropout=0.0",
        "+trainer.check_val_every_n_epoch=40",
        "loader.max_shared=1",
    )
    assert scores["val/cer"] == 0.0 and scores["val/accuracy"] == 1.0


def test_gradients_are_clipped_in_bf16(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms = []
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *given: norms.append(given[1]) or clip(*given))
    train(small_set, tmp_path / "run", "trainer.precision=bf16-mixed", "+trainer.max_steps=2", "+optim.clip_norm=0.5")
    assert norms == [0.5, 0.5]


def test_story_train_evaluate_predict(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    scores = train(small_set, folder, "trainer.max_epochs=3", "+optim.ema_decay=0.5", "early_stopping=2")
    for name in ("config.yaml", "run.json", "result.json", "model.safetensors", "checkpoints/last.ckpt", "tensorboard"):
        assert (folder / name).exists(), name
    result = json.loads((folder / "result.json").read_text())
    assert result["val/cer"] == scores["val/cer"] and result["lines/test"] == 8
    provenance = json.loads((folder / "run.json").read_text())
    assert provenance["seed"] == 1 and provenance["libraries"]["torch"] and provenance["end"] >= provenance["start"]
    assert "${" not in (folder / "config.yaml").read_text()
    model = folder / "model.safetensors"
    info = read_info(model)
    assert info.scores["test/cer"] == scores["test/cer"] and 0.3 <= info.temperature != 1.0

    evaluate.main([str(model), "--data", str(small_set / "test.tsv"), "--out", str(tmp_path / "measured")])
    measured = json.loads((tmp_path / "measured" / "result.json").read_text())
    assert measured["cer"] == pytest.approx(scores["test/cer"], abs=1e-6) and measured["lines"] == 8
    capsys.readouterr()

    predict.main([str(model), str(small_set / "test"), "--format", "json", "--visualize", str(tmp_path / "read.png")])
    readings = json.loads(capsys.readouterr().out)
    assert [Path(r["image"]).name for r in readings] == sorted(f"{i}.png" for i in range(8))
    assert all(0 <= r["confidence"] <= 1 for r in readings)
    assert (tmp_path / "read.png").stat().st_size > 1000


def test_same_seed_same_weights_and_other_seed_others(small_set: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(small_set, tmp_path / name, "trainer.max_epochs=2", f"seed={seed}")
    assert weights_equal(tmp_path / "a", tmp_path / "b")
    assert not weights_equal(tmp_path / "a", tmp_path / "c")


def test_worker_processes_change_nothing(small_set: Path, tmp_path: Path) -> None:
    for name, workers in (("a", 0), ("b", 2)):
        train(small_set, tmp_path / name, "trainer.max_epochs=2", f"+loader.num_workers={workers}")
    assert weights_equal(tmp_path / "a", tmp_path / "b")


def test_tensorboard_shows_what_a_run_is_and_how_it_learns(small_set: Path, tmp_path: Path) -> None:
    settings = ["trainer.max_epochs=2", "trainer.log_every_n_steps=1", "consistency_weight=0.2"]
    scores = train(small_set, tmp_path / "run", *settings)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    speed = {"speed/lines_per_second", "speed/fraction_waiting", "train/lines_per_second", "train/fraction_waiting"}
    losses = {f"train/{name}_{per}" for name in ("loss", "auxiliary", "consistency") for per in ("step", "epoch")}
    shown = {"val/cer", "val/wer", "val/f1", "val/f1_macro", "val/loss", "lr-AdamW/pg1", "train/gradient_norm"}
    assert speed | losses | shown <= set(events.Tags()["scalars"])
    assert 0 < events.Scalars("speed/fraction_waiting")[-1].value < 1
    assert all(event.value > 0 for event in events.Scalars("train/gradient_norm"))
    assert len(events.Images("val/lines")) == len(events.Images("val/confusions")) == 2
    assert len(events.Images("test/confusions")) == len(events.Images("test/worst_lines")) == 1
    assert events.Tags()["graph"] and b"backbone" in events.Graph().SerializeToString()
    summaries = events.PluginTagToContent("hparams")
    assert any(b"optim.lr" in content for content in summaries.values())
    # The final measurement stands beside the hyperparameters, and is no point of the curve.
    assert len(events.Scalars("val/cer")) == 2
    assert [event.value for event in events.Scalars("final/val/cer")] == pytest.approx([scores["val/cer"]])
    assert any(b"final/test/cer" in content for content in summaries.values())


def test_hyperparameters_of_a_run_that_fails_are_known(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecognitionTask, "training_step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(small_set, tmp_path / "run", "trainer.max_epochs=2")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert any(b"optim.lr" in content for content in events.PluginTagToContent("hparams").values())


def test_killed_and_resumed_is_uninterrupted(small_set: Path, tmp_path: Path) -> None:
    settings = ["trainer.max_epochs=30", "+optim.ema_decay=0.9"]
    train(small_set, tmp_path / "whole", *settings)
    killed = tmp_path / "killed"
    process = subprocess.Popen(command(small_set, *settings, f"hydra.run.dir={killed}"), stderr=subprocess.DEVNULL)
    wait_for(killed / "checkpoints" / "last.ckpt", process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "model.safetensors").exists()
    resume = [sys.executable, "-m", "htr_lightning", f"resume={killed}"]
    done = subprocess.run(resume, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert weights_equal(tmp_path / "whole", killed)
    provenance = json.loads((killed / "run.json").read_text())
    assert len(provenance["resumed"]) == 1


def htr(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "htr_lightning", *arguments], capture_output=True, text=True, check=False
    )


def test_resume_refuses_what_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, problem in (("empty", "not a run folder"), ("typo", "there is no such folder")):
        done = htr(f"resume={tmp_path / name}")
        assert done.returncode == 1 and "Traceback" not in done.stderr and problem in done.stderr
    assert not (tmp_path / "typo").exists()


def test_a_refused_resume_changes_nothing(small_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(small_set, folder, "trainer.max_epochs=1")
    before = {name: (folder / name).read_bytes() for name in ("config.yaml", "run.json", "result.json")}
    for override, message in (
        ("model=crnn", "model: a resumed run keeps its model"),
        ("++optim.warmup=2", "optim: warmup (2"),
        ("++dataset.root=nowhere", "nowhere"),
    ):
        done = htr(f"resume={folder}", override)
        assert done.returncode == 1 and "Traceback" not in done.stderr and message in done.stderr
    typeset("other").save(small_set / "train" / "0.png")
    done = htr(f"resume={folder}")
    assert done.returncode == 1 and "the training lines are not those of the run in" in done.stderr
    assert before == {name: (folder / name).read_bytes() for name in before}


def test_a_resumed_run_can_go_on_for_longer(small_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(small_set, folder, "trainer.max_epochs=1")
    done = htr(f"resume={folder}", "trainer.max_epochs=2", "++loader.max_skipped=1")
    assert done.returncode == 0, done.stderr
    assert "max_skipped: 1" in (folder / "config.yaml").read_text()
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1


def test_scores_are_those_of_the_exported_weights(small_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    # An average that lags so far behind that the last one differs much from the best one.
    scores = train(small_set, folder, "trainer.max_epochs=6", "+optim.ema_decay=0.9", "+loader.max_lines_per_batch=4")
    evaluate.main([str(folder / "model.safetensors"), "--data", str(small_set / "val.tsv"), "--out", str(tmp_path)])
    assert json.loads((tmp_path / "result.json").read_text())["cer"] == pytest.approx(scores["val/cer"], abs=1e-6)
    state = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    best = next(value for name, value in state["callbacks"].items() if "'val/cer'" in name)["best_model_score"]
    assert scores["val/cer"] == pytest.approx(float(best), abs=1e-6)


def test_a_run_folder_is_not_overwritten(small_set: Path, tmp_path: Path) -> None:
    train(small_set, tmp_path / "run", "trainer.max_epochs=1")
    with pytest.raises(ConfigError, match="already holds a run; resume it"):
        train(small_set, tmp_path / "run", "trainer.max_epochs=1")


def test_unwritable_run_folder(small_set: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"hydra\.run\.dir=.*: cannot be written"):
        train(small_set, tmp_path / "file" / "run")


def test_damaged_lines_stop_the_run_or_are_left_out(small_set: Path, tmp_path: Path) -> None:
    (small_set / "train" / "3.png").write_bytes(b"")
    (small_set / "train" / "5.png").unlink()
    with pytest.raises(DataError, match=r"2 lines cannot be used:(.|\n)*3\.png(.|\n)*5\.png(.|\n)*max_skipped=2"):
        train(small_set, tmp_path / "a")
    assert not (tmp_path / "a" / "checkpoints").exists()
    train(small_set, tmp_path / "b", "trainer.max_epochs=1", "loader.max_skipped=2")
    assert json.loads((tmp_path / "b" / "result.json").read_text())["lines/train"] == 22


def test_lines_too_short_for_their_text_are_named(write_lines: Write, tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "val")):
        root = write_lines(texts(4, seed), split)
    manifest = root / "train.tsv"
    manifest.write_text(manifest.read_text().replace("train/2.png\t", "train/2.png\t" + 100 * "bel "))
    reason = r"train/2\.png: its \d+ characters need 4\d\d frames"
    with pytest.raises(DataError, match=rf"1 line of train with a text(.|\n)*{reason}"):
        train(root, tmp_path / "a")
    train(root, tmp_path / "b", "trainer.max_epochs=1", "loader.max_skipped=1")


def test_line_in_two_splits_is_warned_of(small_set: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = (small_set / "train.tsv").read_text().splitlines()
    with (small_set / "val.tsv").open("a") as file:
        file.write(rows[1] + "\n")
    train(small_set, tmp_path / "run", "trainer.max_epochs=1")
    assert re.search(r"of val \(\d+%\) (is|are) also in train.*train/0\.png", caplog.text)
    assert caplog.text.count("python -m htr_lightning doctor") == 1


def test_validating_on_the_training_lines_is_refused(write_lines: Write, tmp_path: Path) -> None:
    for split in ("train", "val"):
        root = write_lines(texts(4), split)
    with pytest.raises(DataError, match=r"4 lines of val \(100%\) are also in train(.|\n)*loader\.max_shared=1"):
        train(root, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_one_batch_is_learnt_by_heart(small_set: Path, tmp_path: Path) -> None:
    settings = ["trainer=overfit", "trainer.precision=32-true", "+loader.max_lines_per_batch=4", "optim.lr=5e-3"]
    tiny = [option for option in TINY if "precision" not in option]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        places = [f"dataset.root={small_set}", f"loader.cache_dir={small_set}", "+model.dropout=0.0"]
        cfg = compose("config", overrides=[*settings, *tiny, *places])
    assert run(cfg, tmp_path / "run")["val/cer"] == 0.0


def test_dry_run(small_set: Path, tmp_path: Path) -> None:
    assert "val/cer" in train(small_set, tmp_path / "run", "+trainer.fast_dev_run=true")


def test_the_large_network_trains(small_set: Path, tmp_path: Path) -> None:
    large = [option for option in TINY if "model" not in option]
    settings = [*large, f"dataset.root={small_set}", f"loader.cache_dir={small_set}", "model=crnn", "augment=strong"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=[*settings, "+trainer.fast_dev_run=true"])
    assert "test/cer" in run(cfg, tmp_path / "run")


def test_checkpoints_say_what_the_model_is(small_set: Path, tmp_path: Path) -> None:
    train(small_set, tmp_path / "run", "trainer.max_epochs=1")
    for name in ("best", "last"):
        state = torch.load(tmp_path / "run" / "checkpoints" / f"{name}.ckpt", weights_only=True)
        info = state["htr_lightning"]
        assert info["preprocess"]["height_px"] == 32 and "b" in info["charset"]["characters"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_missing_gpu_is_one_sentence(small_set: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command(small_set, "trainer=gpu", "trainer.accelerator=gpu", f"hydra.run.dir={tmp_path / 'run'}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr and "trainer: " in done.stderr


def test_no_val_lines(write_lines: Write, tmp_path: Path) -> None:
    root = write_lines(texts(4), "train")
    (root / "val.tsv").write_text("image\ttext\n")
    with pytest.raises(DataError, match="the val split is empty"):
        train(root, tmp_path / "run")
