import subprocess
import sys
from pathlib import Path

import pytest

from htr_lightning.__main__ import COMMANDS, main


def htr(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "htr_lightning", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_help_names_commands_groups_and_experiments() -> None:
    shown = htr("--help")
    assert shown.returncode == 0
    for word in (*COMMANDS, "copiste", "crnn_small", "synthetic", "resume=", "+experiment="):
        assert word in shown.stdout


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_needs_no_torch(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv[1:] = {arguments!r}; import htr_lightning.__main__ as m\n"
        "try: m.main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "htr_lightning" in done.stdout


@pytest.mark.parametrize(
    ("name", "remedy"), [("pradict", "'predict'"), ("train", "leave it out"), ("xyz", "choose from predict, correct")]
)
def test_unknown_command(name: str, remedy: str) -> None:
    done = htr(name)
    assert done.returncode == 2 and f"{name!r} is not a command" in done.stderr and remedy in done.stderr


def test_configuration_errors_come_all_at_once_without_a_traceback(tmp_path: Path) -> None:
    done = htr("dataset=lines", "+trainer.max_epoch=3", "+model.rnn=2", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    for text in ("is invalid", "dataset.root: required", "did you mean 'max_epochs'?", "model.rnn: "):
        assert text in done.stderr
    assert not (tmp_path / "data").exists()


def test_constructor_errors_have_no_traceback(tmp_path: Path) -> None:
    done = htr("+optim.warmup=2", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "optim: warmup (2" in done.stderr


def test_unwritable_run_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    for arguments in ([], [f"hydra.run.dir={tmp_path / 'runs' / 'mine'}"]):
        done = htr("dataset=lines", "dataset.root=nowhere", *arguments, cwd=tmp_path)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "hydra.run.dir" in done.stderr and "choose another folder" in done.stderr


def test_missing_data_is_one_sentence(tmp_path: Path) -> None:
    done = htr("dataset=lines", "dataset.root=nowhere", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "nowhere" in done.stderr and "dataset.root" in done.stderr


def test_configuration_can_be_printed() -> None:
    done = htr("--cfg", "job", "model=crnn")
    assert done.returncode == 0 and "height_px: 128" in done.stdout


def test_own_configs_are_found(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text(
        "_target_: htr_lightning.data.sources.lines.Lines\nroot: /nowhere/at/all\n"
    )
    done = htr("--config-dir", str(tmp_path), "dataset=mine", "--cfg", "job")
    assert done.returncode == 0 and "/nowhere/at/all" in done.stdout


@pytest.mark.parametrize("arguments", [["dataset=lines"], ["doctor", "dataset=lines"]])
def test_ctrl_c_ends_every_command_with_its_own_status(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    name = "train" if "=" in arguments[0] else arguments[0]
    monkeypatch.setattr(f"htr_lightning.cli.{name}.main", interrupt)
    monkeypatch.setattr(sys, "argv", ["htr_lightning", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130 and capsys.readouterr().err.startswith("Stopped")
