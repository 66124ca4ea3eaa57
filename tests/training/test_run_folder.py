"""A run folder belongs to one process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
from lightning.pytorch.utilities import rank_zero_only

from htr_lightning.config.schema import ConfigError
from htr_lightning.files import RunFolder
from htr_lightning.sweep.run import claim_sweep_folder
from htr_lightning.training.run_folder import RunFolderBusyError, claim_run_folder, prepare_run_folder

HOLD = """
import sys
from pathlib import Path
from htr_lightning.files import RunFolder
from htr_lightning.training.run_folder import claim_run_folder

with claim_run_folder(RunFolder(Path(sys.argv[1]))):
    print("claimed", flush=True)
    sys.stdin.readline()
"""


def test_a_second_process_is_told(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    command = [sys.executable, "-c", HOLD, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "claimed\n"
        with pytest.raises(RunFolderBusyError) as error, claim_run_folder(folder):
            pass
        assert error.value.value == folder.path and error.value.kind == "busy"
        holder.kill()
    with claim_run_folder(folder):  # the lock ended with its process
        assert folder.path.is_dir()


def test_other_processes_of_the_same_run_are_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "run")
    with claim_run_folder(folder):
        monkeypatch.setattr(rank_zero_only, "rank", 1, raising=False)
        with claim_run_folder(folder):
            pass


def test_a_second_sweep_in_the_same_folder_is_told(tmp_path: Path) -> None:
    claimed, again = claim_sweep_folder(tmp_path), claim_sweep_folder(tmp_path)
    with claimed, pytest.raises(ConfigError, match=r"hydra\.sweep\.dir"), again:
        pass


@pytest.mark.parametrize("held", ["model.safetensors", "checkpoints/last.ckpt"])
def test_a_folder_with_a_run_is_not_written_over(held: str, tmp_path: Path) -> None:
    (tmp_path / held).parent.mkdir(exist_ok=True)
    (tmp_path / held).touch()
    with pytest.raises(ConfigError, match="already holds a run"):
        prepare_run_folder(RunFolder(tmp_path), None)


@pytest.mark.parametrize("name", ["config.yaml", "run.json", "result.json"])
def test_files_of_others_are_kept(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}\n")
    with pytest.raises(ConfigError, match=name) as refused:
        prepare_run_folder(RunFolder(tmp_path), None)
    assert refused.value.key == "hydra.run.dir" and (tmp_path / name).read_text() == "{}\n"


def test_files_of_a_run_that_ended_early_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\nrun_name: a\noptim:\n  lr: 1\n")
    (tmp_path / "run.json").write_text('{\n  "version": "1"\n}\n')
    (tmp_path / "result.json").write_text('{\n  "val/cer": 0.5\n}\n')
    assert prepare_run_folder(RunFolder(tmp_path), None) is None
