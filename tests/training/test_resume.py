"""A run that was stopped, however and whenever, resumes exactly."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from helpers.runs import EPOCHS, SMALL_BATCHES, command, last_weights_equal, train, wait_for, weights_equal
from lightning.pytorch.callbacks import Callback

import htr_lightning.training.recognition
import htr_lightning.training.resume
from htr_lightning.config.schema import ConfigError
from htr_lightning.files import RunFolder
from htr_lightning.image.files import DataError
from htr_lightning.training.resume import PreemptedError, find_checkpoint, find_damage
from htr_lightning.training.task import RecognitionTask


class Stopped(BaseException):
    """Stands for SIGKILL: nobody catches it, nothing is written after it."""


class StopAt(Callback):
    """Stops the run once, when it has come to a step."""

    def __init__(self, step: int, how: str) -> None:
        self.step, self.how, self.armed = step, how, True

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if not self.armed or trainer.global_step < self.step:
            return
        self.armed = False
        if self.how == "TERM":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            raise Stopped


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts a `StopAt` into the runs to come."""

    usual = htr_lightning.training.recognition.build_callbacks

    def put(step: int, how: str) -> None:
        callback = StopAt(step, how)
        monkeypatch.setattr(
            htr_lightning.training.recognition, "build_callbacks", lambda *given: [*usual(*given), callback]
        )

    return put


STEPS = [
    "trainer.max_epochs=-1",
    "+trainer.max_steps=17",
    "+trainer.val_check_interval=4",
    "+trainer.check_val_every_n_epoch=null",
]
GATHERED = ["trainer.max_epochs=3", "trainer.accumulate_grad_batches=2"]
WORKERS = ["trainer.max_epochs=3", "+loader.num_workers=2"]
AVERAGED = ["trainer.max_epochs=3", "+optim.ema_decay=0.9"]
ONE_BATCH = ["trainer.max_epochs=4", "++loader.max_lines_per_batch=14"]


@pytest.mark.parametrize(
    ("settings", "steps", "how", "minutes"),
    [
        (EPOCHS, (3, 7, 12), "TERM", 10),
        (EPOCHS, (4, 9), "KILL", 0),
        (EPOCHS, (9,), "KILL", 10),
        (STEPS, (3, 4, 7, 14, 16), "TERM", 10),
        (STEPS, (5, 8, 15), "KILL", 0),
        (STEPS, (9,), "KILL", 10),
        (GATHERED, (3, 6), "TERM", 10),
        (GATHERED, (4,), "KILL", 0),
        (WORKERS, (3, 9), "TERM", 10),
        (WORKERS, (9,), "KILL", 10),
        (AVERAGED, (9,), "TERM", 10),
        (ONE_BATCH, (2,), "KILL", 10),
    ],
)
def test_stopped_runs_end_with_the_same_weights(
    settings: Sequence[str],
    steps: Sequence[int],
    how: str,
    minutes: int,
    many_steps: Path,
    tmp_path: Path,
    stop_at: Any,
) -> None:
    settings = [*SMALL_BATCHES, *settings, f"checkpoint_minutes={minutes}"]
    whole = train(many_steps, tmp_path / "whole", *settings)
    folder, resume = tmp_path / "stopped", "null"
    for step in steps:
        stop_at(step, how)
        with pytest.raises(PreemptedError if how == "TERM" else Stopped):
            train(many_steps, folder, *settings, f"resume={resume}")
        resume = str(folder)
    stop_at(99, how)
    scores = train(many_steps, folder, *settings, f"resume={resume}")
    assert weights_equal(tmp_path / "whole", folder) and scores == whole
    assert last_weights_equal(tmp_path / "whole", folder)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_being_asked_to_stop_while_it_measures(
    split: str, small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    name = f"{split}_step"
    step = getattr(RecognitionTask, name)

    def stopped(task: RecognitionTask, batch: Any, batch_idx: int) -> Any:
        if task.trainer.state.fn != "fit":
            os.kill(os.getpid(), signal.SIGTERM)
        return step(task, batch, batch_idx)

    monkeypatch.setattr(RecognitionTask, name, stopped)
    with pytest.raises(PreemptedError, match=r"SIGTERM was received while .* was measured; .*last.ckpt is saved"):
        train(small_set, folder, "trainer.max_epochs=1")
    assert not RunFolder(folder).scores()
    monkeypatch.undo()
    scores = train(small_set, folder, "trainer.max_epochs=1", f"resume={folder}")
    assert scores == train(small_set, tmp_path / "whole", "trainer.max_epochs=1")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once instead of sending it a signal")
@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGUSR1", 138), ("SIGINT", 130)])
def test_being_asked_to_stop_is_a_sentence_and_a_status(
    name: str, status: int, small_set: Path, tmp_path: Path
) -> None:
    settings = ["trainer.max_epochs=500"]
    folder = tmp_path / "run"
    process = subprocess.Popen(
        command(small_set, *settings, f"hydra.run.dir={folder}"), stderr=subprocess.PIPE, text=True
    )
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.Signals[name])
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == status and "Traceback" not in errors
    assert re.search(rf"The run stopped: {name} was received after step \d+; .*last.ckpt is saved", errors)
    assert f"resume={folder}" in errors


def test_auto_begins_goes_on_and_ends(small_set: Path, tmp_path: Path) -> None:
    settings = ["trainer.max_epochs=20", "run_name=mine", "checkpoint_minutes=0"]
    train(small_set, tmp_path / "whole", *settings)
    automatic = command(small_set, *settings, "resume=auto")
    folder = tmp_path / "runs" / "mine"
    for written in (folder / "run.json", folder / "checkpoints" / "last.ckpt", folder / "checkpoints" / "best.ckpt"):
        process = subprocess.Popen(automatic, cwd=tmp_path, stderr=subprocess.DEVNULL, text=True)
        wait_for(written, process)
        process.kill()
        process.wait()
    for said in ("Done: ", "is complete; nothing to do"):
        done = subprocess.run(automatic, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and said in " ".join((done.stdout + done.stderr).split())
    assert weights_equal(tmp_path / "whole", folder) and last_weights_equal(tmp_path / "whole", folder)
    other = subprocess.run([*automatic, "optim.lr=1e-4"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert other.returncode == 1 and "optim.lr: 0.003 in the run, 0.0001 now" in other.stderr


@pytest.mark.parametrize("damage", [lambda data: data[:1000], lambda data: b"", lambda data: b"no archive" + data])
def test_a_damaged_checkpoint_is_passed_over(
    damage: Callable[[bytes], bytes], many_steps: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = [*EPOCHS, *SMALL_BATCHES]
    train(many_steps, tmp_path / "whole", *settings)
    folder = tmp_path / "run"
    train(many_steps, folder, *settings)
    checkpoints = folder / "checkpoints"
    (checkpoints / "last.ckpt").write_bytes(damage((checkpoints / "last.ckpt").read_bytes()))
    train(many_steps, folder, *settings, f"resume={folder}")
    assert weights_equal(tmp_path / "whole", folder) and last_weights_equal(tmp_path / "whole", folder)
    assert re.search(r"last\.ckpt is damaged \(.*\); resuming from .*previous\.ckpt", caplog.text)
    for name in ("last.ckpt", "previous.ckpt"):
        (checkpoints / name).write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"last\.ckpt is damaged .*previous\.ckpt is damaged .*start a new run"):
        find_checkpoint(RunFolder(folder))


def test_a_single_changed_bit_of_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    state = {"state_dict": {"weight": torch.arange(1000.0)}, "loops": {}, "optimizer_states": [], "htr_lightning": {}}
    torch.save(state, path)
    assert find_damage(path) is None
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(1000.0).numpy().tobytes()) + 2001] ^= 1
    path.write_bytes(content)
    assert "checksum" in (find_damage(path) or "")


def test_a_damaged_checkpoint_does_not_displace_the_sound_one(many_steps: Path, tmp_path: Path, stop_at: Any) -> None:
    folder, settings = tmp_path / "run", [*EPOCHS, *SMALL_BATCHES, "checkpoint_minutes=0"]
    stop_at(9, "KILL")
    with pytest.raises(Stopped):
        train(many_steps, folder, *settings)
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"PK")
    stop_at(9, "KILL")  # goes on from step 7, keeps step 8, and is killed again
    with pytest.raises(Stopped):
        train(many_steps, folder, *settings, f"resume={folder}")
    assert [find_damage(path) for path in RunFolder(folder).resumable] == [None, None]


def test_early_stopping_is_remembered(many_steps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ["trainer.max_epochs=50", *SMALL_BATCHES, "early_stopping=1", "optim.lr=1e-9"]
    train(many_steps, tmp_path / "whole", *settings)

    def killed(*_: Any, **__: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(htr_lightning.training.recognition, "measure", killed)
        with pytest.raises(Stopped):
            train(many_steps, tmp_path / "run", *settings)
    train(many_steps, tmp_path / "run", *settings, f"resume={tmp_path / 'run'}")
    steps = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
        for folder in (tmp_path / "whole", tmp_path / "run")
    ]
    assert steps[0] == steps[1] < 350 and weights_equal(tmp_path / "whole", tmp_path / "run")


def test_a_moved_run_knows_its_best_weights(many_steps: Path, tmp_path: Path, stop_at: Any) -> None:
    settings = [*EPOCHS, *SMALL_BATCHES]
    train(many_steps, tmp_path / "whole", *settings)
    stop_at(16, "KILL")
    with pytest.raises(Stopped):
        train(many_steps, tmp_path / "here", *settings)
    there = (tmp_path / "here").rename(tmp_path / "there")
    stop_at(99, "KILL")
    train(many_steps, there, *settings, f"resume={there}")
    assert weights_equal(tmp_path / "whole", there)
    state = torch.load(there / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    (path,) = [value["best_model_path"] for name, value in state.items() if "val/cer" in name]
    assert path == str(there / "checkpoints" / "best.ckpt")


def test_other_batches_in_the_middle_of_an_epoch_are_refused(many_steps: Path, tmp_path: Path, stop_at: Any) -> None:
    folder = tmp_path / "run"
    stop_at(9, "TERM")
    with pytest.raises(PreemptedError):
        train(many_steps, folder, *EPOCHS, *SMALL_BATCHES)
    with pytest.raises(DataError, match=r"in the middle of an epoch of 7 batches, and now there are 5; restore"):
        train(many_steps, folder, *EPOCHS, "+loader.max_lines_per_batch=3", f"resume={folder}")


def test_a_run_that_goes_on_for_longer_is_not_complete(many_steps: Path, tmp_path: Path, stop_at: Any) -> None:
    folder = tmp_path / "run"
    train(many_steps, folder, *EPOCHS, *SMALL_BATCHES)
    assert RunFolder(folder).scores()
    stop_at(24, "KILL")
    with pytest.raises(Stopped):
        train(many_steps, folder, "trainer.max_epochs=9", *SMALL_BATCHES, f"resume={folder}")
    assert RunFolder(folder).scores() is None


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(many_steps: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    assert find_checkpoint(RunFolder(tmp_path / "run")) is None
    with pytest.raises(ConfigError, match=r"no checkpoint was saved yet.*start the run again"):
        train(many_steps, tmp_path / "run", f"resume={tmp_path / 'run'}")
    train(many_steps, tmp_path / "run", "resume=auto", "trainer.max_epochs=1")
