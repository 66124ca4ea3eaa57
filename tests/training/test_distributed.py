"""Several processes: their scores are those of one process, and they stop and resume together."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from helpers.documentation import find_block
from helpers.runs import command, wait_for, weights_equal
from helpers.typesetting import texts, write_split

from htr_lightning.cli import evaluate

DDP = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "+loader.max_lines_per_batch=2"]
CPU = ["trainer.precision=32-true", "+trainer.enable_progress_bar=false"]


def parallel(root: Path, *more: str) -> list[str]:
    settings = [argument for argument in command(root) if not argument.startswith(("trainer.", "+trainer."))]
    return [*settings, *DDP, *CPU, *more]


def done(arguments: Sequence[str], **more: object) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=240, **more)  # type: ignore[call-overload]
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished  # type: ignore[no-any-return]


def write_odd_set(root: Path) -> None:
    """Write a dataset whose lines cannot be halved: 10 + 5 + 7."""
    for seed, (split, number) in enumerate((("train", 10), ("val", 5), ("test", 7))):
        write_split(root, texts(number, seed), split)


@pytest.fixture
def odd_set(tmp_path: Path) -> Path:
    write_odd_set(tmp_path / "set")
    return tmp_path / "set"


STOPPED = ["trainer.max_epochs=24", "checkpoint_minutes=0"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the lines of `odd_set` and the settings `STOPPED` that nothing stopped."""
    root, folder = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("run")
    write_odd_set(root)
    done(parallel(root, *STOPPED, f"hydra.run.dir={folder}"))
    return folder


def assert_measured_as_alone(folder: Path, root: Path, out: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    for split in ("val", "test"):
        evaluate.main([str(folder / "model.safetensors"), "--data", str(root / f"{split}.tsv"), "--out", str(out)])
        alone = json.loads((out / "result.json").read_text())
        for name in ("cer", "wer", "f1"):
            assert result[f"{split}/{name}"] == pytest.approx(alone[name], abs=1e-6), (split, name)


def test_two_processes_score_as_one_and_only_the_first_prints(odd_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    finished = done(parallel(odd_set, "trainer.max_epochs=2", f"hydra.run.dir={folder}"))
    said = finished.stdout + finished.stderr
    assert said.count("Done: ") == 1 and said.count("10 train + 5 val + 7 test") == 1
    assert "sync_dist" not in said and "Warning" not in said, said
    assert_measured_as_alone(folder, odd_set, tmp_path)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
        "previous.ckpt",
    ]


def test_sigterm_to_one_process_stops_all_and_they_resume(odd_set: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        parallel(odd_set, *STOPPED, f"hydra.run.dir={folder}"),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 143, output + errors
    assert "Traceback" not in errors and "SIGTERM was received" in errors
    step = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert step < 3 * 24
    done([sys.executable, "-m", "htr_lightning", f"resume={folder}"])
    assert weights_equal(whole, folder)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the other process in /proc")
def test_a_process_that_is_killed_ends_all_with_one_sentence_and_they_resume(
    odd_set: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    arguments = parallel(odd_set, *STOPPED, f"hydra.run.dir={folder}")
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    (other,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(other), signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "another process ended" in errors
    assert "Traceback" not in errors and f"resume={folder}" in errors, errors
    done([sys.executable, "-m", "htr_lightning", f"resume={folder}"])
    assert weights_equal(whole, folder)


ALIKE = """
import hashlib, sys
from pathlib import Path
import htr_lightning.training.recognition
import htr_lightning.training.run
from htr_lightning.config.compose import compose_config
from lightning.pytorch.callbacks import Callback

class Digest(Callback):
    def on_train_epoch_end(self, trainer, task):
        weights = b"".join(p.detach().numpy().tobytes() for p in task.model.backbone.parameters())
        name = f"digest-{trainer.current_epoch}-{trainer.global_rank}"
        (folder / name).write_text(hashlib.sha256(weights).hexdigest())

folder, usual = Path(sys.argv[1]), htr_lightning.training.recognition.build_callbacks
htr_lightning.training.recognition.build_callbacks = lambda *given: [*usual(*given), Digest()]
htr_lightning.training.run.run(compose_config(sys.argv[2:]), folder / "run")
"""


def test_frozen_parts_unfreeze_alike_in_all_processes(odd_set: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    done(command(odd_set, "trainer.max_epochs=1", f"hydra.run.dir={base}"))
    finetune = [
        "stage=finetune",
        f"stage.start_from={base}",
        "stage.freeze=[backbone]",
        "+stage.unfreeze_epoch.backbone=1",
        "model=loaded",
        "preprocess=loaded",
        "trainer.max_epochs=3",
    ]
    (tmp_path / "alike.py").write_text(ALIKE)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}"]
    arguments = [a for a in parallel(odd_set)[3:] if "model." not in a]
    done([*torchrun, str(tmp_path / "alike.py"), str(tmp_path), *arguments, *finetune])
    digests = [[(tmp_path / f"digest-{epoch}-{rank}").read_text() for rank in range(2)] for epoch in range(3)]
    assert all(first == second for first, second in digests)
    assert len({first for first, _ in digests}) == 3  # frozen in the first epoch, then moving


def test_a_full_disk_ends_all_processes_with_one_sentence(odd_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "checkpoints" / "best.ckpt").mkdir(parents=True)  # what cannot be replaced by a file
    arguments = parallel(odd_set, "trainer.max_epochs=2", "resume=auto", f"hydra.run.dir={folder}")
    failed = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert failed.returncode == 1 and failed.stderr.count("checkpoints cannot be written") == 1
    assert "Traceback" not in failed.stderr and "gloo" not in failed.stderr, failed.stderr


def free_port() -> str:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def test_torchrun(odd_set: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}"]
    arguments = [*torchrun, *parallel(odd_set, "trainer.max_epochs=1")[1:]]
    refused = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert refused.returncode != 0 and "hydra.run.dir" in refused.stderr and "resume=auto" in refused.stderr
    done([*arguments, "resume=auto", "run_name=mine"], cwd=tmp_path)
    assert_measured_as_alone(tmp_path / "runs" / "mine", odd_set, tmp_path)


def on_slurm(root: Path, folder: Path, *more: str) -> list[subprocess.Popen[str]]:
    """Start the two tasks of a job."""
    arguments = [a.replace("trainer=ddp", "trainer=slurm") for a in parallel(root) if a != "trainer.devices=2"]
    job = {
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODELIST": "localhost",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NAME": "job",
        "SLURM_NODEID": "0",
        "SLURM_STEP_ID": "0",
        "MASTER_PORT": free_port(),
        "MASTER_ADDR": "127.0.0.1",
    }
    return [
        subprocess.Popen(
            [*arguments, "resume=auto", "run_name=mine", *more],
            env=os.environ | job | {"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)},
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        for task in range(2)
    ]


def test_slurm(odd_set: Path, tmp_path: Path) -> None:
    folder, settings = tmp_path / "runs" / "mine", STOPPED
    tasks = on_slurm(odd_set, tmp_path, *settings)
    wait_for(folder / "checkpoints" / "last.ckpt", *tasks)
    tasks[1].send_signal(signal.SIGUSR1)  # Lightning would requeue the job, and keep a checkpoint of its own
    errors = [task.communicate(timeout=120)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [143, 138], errors
    assert not list(folder.glob("hpc_ckpt*")) and "SIGTERM was received" in errors[0]
    tasks = on_slurm(odd_set, tmp_path, *settings)
    errors = [task.communicate(timeout=240)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], errors
    assert_measured_as_alone(folder, odd_set, tmp_path)


@pytest.mark.parametrize(("status", "requeued"), [(0, False), (1, False), (138, True), (143, True)])
def test_the_script_for_slurm_tells_how_the_run_ended(status: int, requeued: bool, tmp_path: Path) -> None:
    script = find_block("docs/howto/distributed.md", "bash", "scontrol requeue")
    for name, line in (("srun", f"exit {status}"), ("scontrol", f'echo "$@" > {tmp_path}/requeued')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    assert subprocess.run(["bash", "-c", script], env=environment, check=False).returncode == status
    asked = tmp_path / "requeued"
    assert asked.exists() == requeued and (not requeued or asked.read_text() == "requeue 7\n")
