"""Sweeps as they are typed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from helpers.runs import command, wait_for

from htr_lightning.cli import sweep_report as report
from htr_lightning.cli import train as cli
from htr_lightning.sweep.trials import read_trials
from htr_lightning.training.pruning import open_storage

FAST = ["trainer.max_epochs=2", "hydra/sweeper=study"]


def sweep(root: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = command(root, *FAST, f"hydra.sweep.dir={folder}", *more, "--multirun")
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def states(folder: Path) -> list[str]:
    study = optuna.load_study(study_name="htr_lightning", storage=open_storage(f"sqlite:///{folder / 'study.db'}"))
    return [trial.state.name for trial in study.trials]


def test_a_failing_trial_is_recorded_and_the_study_goes_on(small_set: Path, tmp_path: Path) -> None:
    # The first two draws of the random sampler with seed 2 are one of each.
    drawn = ["optim.lr=tag(log,interval(1e-4,1e-2))", "++optim.warmup=0.1,2"]
    settings = ["hydra.sweeper.num_trials=3", "hydra.sweeper.sampler=random", "hydra.sweeper.seed=2"]
    done = sweep(small_set, tmp_path / "s", *drawn, *settings)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert sorted(set(states(tmp_path / "s"))) == ["COMPLETE", "FAIL"] and len(states(tmp_path / "s")) == 3
    failed = [trial for trial in read_trials(tmp_path / "s") if trial.state == "failed"]
    assert failed and all("optim: warmup (2" in trial.message for trial in failed)
    assert "The best, " in done.stdout + done.stderr


def test_a_misspelt_choice_stops_the_study_before_it_begins(small_set: Path, tmp_path: Path) -> None:
    done = sweep(small_set, tmp_path / "s", "model=crnn_small,crnnn")
    assert done.returncode == 1 and "model=crnnn" in done.stderr and not (tmp_path / "s" / "study.db").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("+optim.warmupp=0.1", "optim.warmupp"),
        ("trainer.devices=2", "trainer.devices: 2 in a sweep"),
    ],
)
def test_a_mistake_does_not_use_up_the_study(setting: str, message: str, small_set: Path, tmp_path: Path) -> None:
    done = sweep(small_set, tmp_path / "s", "seed=1,2", setting)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    assert not states(tmp_path / "s")


KILLED = """
import os, sys
import htr_lightning.training.run
usual = htr_lightning.training.run.run
def run(cfg, path):
    if cfg.seed == 2:
        os.kill(os.getpid(), 9)
    return usual(cfg, path)
htr_lightning.training.run.run = run
"""


@pytest.mark.slow
def test_a_trial_that_is_killed_is_recorded_and_the_study_goes_on(
    small_set: Path, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("hydra_plugins.hydra_joblib_launcher")
    (tmp_path / "sitecustomize.py").write_text(KILLED)
    arguments = command(
        small_set,
        *FAST,
        f"hydra.sweep.dir={tmp_path / 's'}",
        "seed=range(1,4)",
        "hydra.sweeper.num_trials=3",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "hydra.sweeper.sampler=random",
        "--multirun",
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    drawn = [trial.overrides["seed"] for trial in read_trials(tmp_path / "s")]
    assert "2" in drawn and done.returncode == int(set(drawn) == {"2"}), done.stderr
    for trial in read_trials(tmp_path / "s"):
        assert trial.state == ("failed" if trial.overrides["seed"] == "2" else "done")
        assert trial.state == "done" or "its process was killed" in trial.message


def test_a_failing_run_does_not_end_a_grid(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(
        small_set, "trainer.max_epochs=1", "++optim.warmup=2,0.1,0.2", f"hydra.sweep.dir={tmp_path / 's'}", "--multirun"
    )
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "optim: warmup (2" in done.stderr and "Traceback" not in done.stderr
    assert [trial.state for trial in read_trials(tmp_path / "s")] == ["failed", "done", "done"]
    report.main([str(tmp_path / "s")])
    assert "optim.warmup" in capsys.readouterr().out and (tmp_path / "s" / "experiment" / "best.yaml").is_file()


def test_a_study_that_is_killed_goes_on(small_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    arguments = [
        "hydra.sweeper.num_trials=3",
        "optim.lr=interval(1e-4,1e-3)",
        f"hydra.sweep.dir={folder}",
        *FAST,
        "trainer.max_epochs=30",
        "hydra.sweeper.pruner=none",
        "--multirun",
    ]
    process = subprocess.Popen(command(small_set, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(folder / "1-dev" / "checkpoints" / "last.ckpt", process)
    process.kill()
    process.wait()
    first = json.loads((folder / "0-dev" / "run.json").read_text())
    done = subprocess.run(command(small_set, *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Trial 1 stopped; resuming" in done.stdout + done.stderr, done.stderr
    assert states(folder) == ["COMPLETE"] * 3
    assert json.loads((folder / "0-dev" / "run.json").read_text()) == first
    assert len(json.loads((folder / "1-dev" / "run.json").read_text())["resumed"]) == 1
    further = [sys.executable, "-m", "htr_lightning", f"resume={folder / '2-dev'}", "trainer.max_epochs=31"]
    done = subprocess.run(further, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plugin", "settings"),
    [
        ("joblib", ["hydra/launcher=workstation"]),
        ("submitit", ["hydra/launcher=submitit_local"]),
        (
            "ray",
            [
                "hydra/launcher=ray_cluster",
                "hydra.launcher.ray.remote.num_cpus=1",
                "hydra.launcher.ray.remote.num_gpus=0",
            ],
        ),
    ],
)
def test_trials_side_by_side(
    plugin: str, settings: list[str], small_set: Path, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(f"hydra_plugins.hydra_{plugin}_launcher")
    done = sweep(
        small_set,
        tmp_path / "s",
        "seed=range(1,9)",
        "hydra.sweeper.num_trials=4",
        "hydra.sweeper.num_parallel=2",
        *settings,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(states(tmp_path / "s")) <= {"COMPLETE", "PRUNED"} and len(states(tmp_path / "s")) == 4


@pytest.mark.parametrize(
    ("launcher", "plugin", "key"),
    [
        ("workstation", "joblib", "n_jobs"),
        ("slurm", "submitit", "partition"),
        ("ray_cluster", "ray", "address"),
    ],
)
def test_launchers_compose(launcher: str, plugin: str, key: str, needs: Callable[[str], None]) -> None:
    needs(f"hydra_plugins.hydra_{plugin}_launcher")
    arguments = [sys.executable, "-m", "htr_lightning", f"hydra/launcher={launcher}", "--cfg", "hydra"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f" {key}:" in done.stdout, done.stderr


@pytest.mark.parametrize(("launcher", "package"), [("slurm", "submitit"), ("ray", "ray"), ("workstation", "joblib")])
def test_a_launcher_that_is_not_installed_is_named(
    launcher: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["htr_lightning", f"hydra/launcher={launcher}", "seed=1,2", "--multirun"])
    with pytest.raises(SystemExit, match=rf"hydra-{package}-launcher is not installed; .*\[cluster\]"):
        cli.main()


def test_a_configuration_is_shown_without_a_sweep(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["htr_lightning", "--cfg", "job", "seed=1,2", "--multirun"])
    with pytest.raises(SystemExit) as error:
        cli.main()
    assert error.value.code == 2 and "leave out --multirun" in capsys.readouterr().err


def test_a_sweep_over_several_devices_is_refused(small_set: Path, tmp_path: Path) -> None:
    sweep = ["seed=1,2", "trainer.devices=2", f"hydra.sweep.dir={tmp_path / 'sweep'}", "--multirun"]
    done = subprocess.run(command(small_set, *sweep), capture_output=True, text=True, check=False)
    assert (
        done.returncode == 1
        and "trainer.devices: 2 in a sweep; use 1, and run trials in parallel" in done.stdout + done.stderr
    )


def test_sweep(small_set: Path, tmp_path: Path) -> None:
    sweep = ["seed=1,2", "+trainer.fast_dev_run=true", f"hydra.sweep.dir={tmp_path / 'sweep'}", "--multirun"]
    done = subprocess.run(command(small_set, *sweep), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seeds = [json.loads(path.read_text())["seed"] for path in sorted((tmp_path / "sweep").glob("*/run.json"))]
    assert seeds == [1, 2]
