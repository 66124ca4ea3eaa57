"""Files, messages and exit statuses of runs that fail or are stopped."""

import contextlib
import errno
import math
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import torch
from helpers.runs import EPOCHS, SMALL_BATCHES, command, last_weights_equal, train, wait_for
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import OmegaConf
from PIL import Image

import htr_lightning.training.lightning_fixes
from htr_lightning.data.batch import Batch
from htr_lightning.files import RunFolder, atomic_write
from htr_lightning.training.exits import exit_of
from htr_lightning.training.finite import NonFiniteLossError
from htr_lightning.training.lightning_fixes import CheckpointWriteError
from htr_lightning.training.resume import find_damage
from htr_lightning.training.task import RecognitionTask


def test_before_the_first_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    run_exit = exit_of(KeyboardInterrupt(), RunFolder(tmp_path), OmegaConf.create())
    assert run_exit == ("The run stopped: Ctrl-C. No checkpoint was saved yet; start the run again", 130)


def test_a_loss_that_is_no_number_leaves_evidence(
    many_steps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = RecognitionTask._loss

    def infinite(task: RecognitionTask, scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        return loss(task, scores, batch) * (math.inf if task.global_step == 4 else 1)

    monkeypatch.setattr(RecognitionTask, "_loss", infinite)
    with pytest.raises(NonFiniteLossError, match="the loss is inf at step 4"):
        train(many_steps, tmp_path / "run", *EPOCHS, *SMALL_BATCHES, "+model.dropout=0.0")
    kept = torch.load(tmp_path / "run" / "non_finite" / "step.pt", weights_only=True)
    assert kept["step"] == 4 and len(kept["batch"]["ids"]) == 2 and kept["optimizer_states"][0]["state"]
    assert kept["batch"]["images"].dtype == torch.float32
    model = {name.removeprefix("model."): value for name, value in kept["state_dict"].items() if "model." in name}
    assert model["head.weight"].isfinite().all()
    with Image.open(tmp_path / "run" / "non_finite" / "lines.png") as picture:
        assert picture.size[1] > 2 * kept["batch"]["images"].shape[2]


def test_a_gradient_that_is_no_number_does_not_reach_the_weights(
    many_steps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(task: RecognitionTask) -> None:
        if task.global_step == 4:
            weight = task.get_parameter("model.head.weight")
            assert weight.grad is not None
            weight.grad[0, 0] = math.inf

    monkeypatch.setattr(RecognitionTask, "on_after_backward", spoil)
    with pytest.raises(NonFiniteLossError, match=r"its gradient is not \(norm inf\) at step 4.*Lower optim.lr"):
        train(many_steps, tmp_path / "run", *EPOCHS, *SMALL_BATCHES)
    kept = torch.load(tmp_path / "run" / "non_finite" / "step.pt", weights_only=True)
    assert kept["step"] == 4 and all(value.isfinite().all() for value in kept["state_dict"].values())


@pytest.mark.parametrize("name", ["best.ckpt", ".written.ckpt"])
def test_a_full_disk_is_a_sentence_and_keeps_the_last_state(
    name: str, many_steps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"

    @contextlib.contextmanager
    def full(path: Path) -> Iterator[IO[bytes]]:
        with atomic_write(path) as file:
            if len(list(folder.glob("checkpoints/*.ckpt"))) == 2 and path.name == name:
                file.write(b"half")
                raise OSError(errno.ENOSPC, "No space left on device")
            yield file

    monkeypatch.setattr(htr_lightning.training.lightning_fixes, "atomic_write", full)
    monkeypatch.setattr(ModelCheckpoint, "check_monitor_top_k", lambda *_: True)
    with pytest.raises(CheckpointWriteError, match=r"checkpoints cannot be written \(No space left on device\)"):
        train(many_steps, folder, *EPOCHS, *SMALL_BATCHES)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert all(find_damage(path) is None for path in (folder / "checkpoints").iterdir())
    run_exit = exit_of(CheckpointWriteError("x cannot be written"), RunFolder(folder), OmegaConf.create())
    assert run_exit and run_exit.message == f"The run stopped: x cannot be written. Resume with resume={folder}"
    monkeypatch.undo()
    train(many_steps, folder, *EPOCHS, *SMALL_BATCHES, f"resume={folder}")
    train(many_steps, tmp_path / "whole", *EPOCHS, *SMALL_BATCHES)
    assert last_weights_equal(tmp_path / "whole", folder)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the worker under /proc")
def test_a_loader_that_dies_is_a_sentence(small_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        command(small_set, "trainer.max_epochs=500", "+loader.num_workers=1", f"hydra.run.dir={folder}"),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    for worker in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if b"resource_tracker" not in Path(f"/proc/{worker}/cmdline").read_bytes():
            os.kill(int(worker), signal.SIGKILL)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "Traceback" not in errors
    assert f"Resume with resume={folder}, with fewer workers: ++loader.num_workers=0" in " ".join(errors.split())
