"""Options and overrides of a run, in any order."""

from pathlib import Path

import pytest

from htr_lightning.__main__ import main
from htr_lightning.cli.arguments import parse_arguments
from htr_lightning.cli.console import UsageError


@pytest.mark.parametrize(
    "argv",
    [
        ["a=1", "--multirun", "b=2"],
        ["--multirun", "a=1", "b=2"],
        ["-m", "a=1", "b=2"],
        ["a=1", "b=2", "--multirun"],
    ],
)
def test_options_may_stand_anywhere(argv: list[str]) -> None:
    assert parse_arguments(argv).for_hydra() == ["a=1", "b=2", "--multirun"]


def test_options_with_values_and_ours(tmp_path: Path) -> None:
    given = parse_arguments(
        ["--config-dir", str(tmp_path), "seed=1", "--trust", "a.B", "--cfg=job", "--trust=c", "b=2"]
    )
    assert given.for_hydra() == ["seed=1", "b=2", "trust=[a.B,c]", "--cfg", "job", "--config-dir", str(tmp_path)]
    assert given.config_dir == tmp_path and not given.is_run


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["--resolve"], "--cfg"),
        (["--multrun", "a=1"], "--multrun"),
        (["--cfg", "everything"], "everything"),
        (["--cfg"], "--cfg"),
        (["--multirun", "--cfg", "job"], "--multirun"),
        (["--cfg", "job", "--info"], "--info"),
        (["--config-dir", "nowhere"], "nowhere"),
        (["--experimental-rerun", "x.pickle"], "resume"),
    ],
)
def test_wrong_options_are_one_sentence(argv: list[str], word: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_arguments(argv)
    assert word in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("first", [True, False])
def test_help_lists_own_options(
    first: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for group, option in (("experiment", "mine"), ("dataset", "letters"), ("own_group", "x")):
        (tmp_path / group).mkdir()
        (tmp_path / group / f"{option}.yaml").touch()
    own = ["--config-dir", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["htr", *(["--help", *own] if first else [*own, "--help"])])
    main()
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("mine", "letters", "own_group", "copiste", "predict"))


@pytest.mark.parametrize("name", ["1" * 300, "dev/" + "x" * 300])
def test_a_name_that_no_folder_can_have_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["htr", "dataset=lines", "dataset.root=.", f"run_name={name}"])
    with pytest.raises(SystemExit) as stopped:
        main()
    told = f"{stopped.value.code}{capsys.readouterr().err}"
    assert "run_name=" in told and "File name too long" in told and "Traceback" not in told
    assert not list(tmp_path.iterdir())
