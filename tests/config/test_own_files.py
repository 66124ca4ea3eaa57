"""Files of the user's own, in the folder that --config-dir names, with mistakes."""

import sys
from pathlib import Path

import pytest

from htr_lightning.cli.arguments import parse_arguments
from htr_lightning.config.compose import compose_config
from htr_lightning.config.schema import ConfigError


def write_option(folder: Path, text: str) -> list[str]:
    (folder / "dataset").mkdir()
    (folder / "dataset" / "mine.yaml").write_text(text, encoding="utf-8")
    return ["dataset=mine"]


def test_invalid_yaml_is_named_by_file_and_line(tmp_path: Path) -> None:
    overrides = write_option(tmp_path, "root: x\nlist: [\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: not valid YAML in line 3") as caught:
        compose_config(overrides, tmp_path)
    assert caught.value.file == tmp_path / "dataset" / "mine.yaml"
    with pytest.raises(ConfigError, match=r"mine\.yaml: not valid YAML"):
        parse_arguments(["--config-dir", str(tmp_path), *overrides])


def test_a_group_without_a_target_is_refused(tmp_path: Path) -> None:
    overrides = write_option(tmp_path, "root: x\n")
    with pytest.raises(ConfigError, match=r"dataset\._target_: required"):
        compose_config(overrides, tmp_path)


def test_a_target_that_cannot_be_imported_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    overrides = write_option(tmp_path, "_target_: nowhere.Letters\n")
    with pytest.raises(ConfigError, match=r"dataset\._target_: cannot import 'nowhere.Letters'"):
        compose_config(overrides, tmp_path)
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("nowhere.Letters", "run in the folder that holds the module"),
        ("torch.optim.SGDD", "did you mean torch.optim.SGD?"),
        ("own_broken.Letters", "correct own_broken"),
        ("own_outdated.Letters", "correct the import in own_outdated: htr_lightning has no such module"),
        ("own_needing.Letters", "install no_such_package, which own_needing needs"),
        ("own_fine.Litters", "did you mean own_fine.Letters?"),
        ("own_fine.Words", "name something that own_fine has"),
    ],
)
def test_what_to_do_about_a_target_that_cannot_be_imported(
    name: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for module, source in (
        ("broken", "class A"),
        ("needing", "import no_such_package"),
        ("outdated", "import htr_lightning.nothing"),
        ("fine", "class Letters: pass"),
    ):
        (tmp_path / f"own_{module}.py").write_text(source, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        compose_config(write_option(tmp_path, f"_target_: {name}\n"), tmp_path)
    assert f"dataset._target_: cannot import {name!r}" in str(caught.value) and remedy in str(caught.value)
    sys.modules.pop("own_fine", None)


@pytest.mark.parametrize("content", [b"root: \xe8\n", b"a\tb: [\n", b"%x\n"])
def test_a_damaged_file_that_only_an_experiment_names(content: bytes, tmp_path: Path) -> None:
    write_option(tmp_path, "")
    (tmp_path / "dataset" / "mine.yaml").write_bytes(content)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_text(
        "# @package _global_\ndefaults:\n- override /dataset: mine\n- _self_\n"
    )
    with pytest.raises(ConfigError) as caught:
        parse_arguments(["--config-dir", str(tmp_path), "+experiment=own"])
    assert caught.value.file == tmp_path / "dataset" / "mine.yaml"


@pytest.mark.parametrize(
    "defaults",
    [
        *("3", "{dataset: lines}", "[3]", "[[x]]", "[{}]", "[{3: lines}]", "[{override /dataset: 3}]"),
        *("[{override /dataset: [3]}]", "[{override /dataset: {a: b}}]"),
        "[{override /dataset: lines, override /model: small}]",
    ],
)
def test_what_is_no_defaults_list_is_named(defaults: str, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    path = tmp_path / "experiment" / "own.yaml"
    path.write_text(f"# @package _global_\ndefaults: {defaults}\n")
    with pytest.raises(ConfigError) as caught:
        parse_arguments(["--config-dir", str(tmp_path), "+experiment=own"])
    assert (caught.value.file, caught.value.key) == (path, "defaults")


@pytest.mark.parametrize("entry", ["_self_", "override /dataset: lines", "override /logger: [csv, tensorboard]"])
def test_entries_of_a_defaults_list_are_taken(entry: str, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_text(f"# @package _global_\ndefaults:\n- {entry}\n")
    overrides = ["+experiment=own", "dataset=lines", "dataset.root=x"]
    assert "own" not in compose_config(overrides, tmp_path)
