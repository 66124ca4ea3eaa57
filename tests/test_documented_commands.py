"""The commands in the documentation and in the pages of the experiments have options and keys that exist."""

import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.documentation import DOCS, EXPERIMENTS, READMES, REPOSITORY, list_commands

from htr_lightning.__main__ import COMMANDS
from htr_lightning.config.compose import compose_config

PROGRAM = re.compile(r"^(?:cd \S+; )?(?:srun |\w+=\S+ )?(?:python|torchrun \S+) -m htr_lightning\b ?(.*)$")


def find_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each page and the arguments of each command in it."""
    for page, line in list_commands(*READMES, *DOCS, *EXPERIMENTS):
        if match := PROGRAM.match(line):
            yield page.relative_to(REPOSITORY).as_posix(), shlex.split(match[1], comments=True)


DOCUMENTED = list(find_commands())
WITH_OPTIONS = [case for case in DOCUMENTED if case[1] and case[1][0] in COMMANDS]
RUNS = [case for case in DOCUMENTED if case not in WITH_OPTIONS]
TAKES_A_VALUE = ("--config-dir", "--cfg", "--trust")


def name(case: tuple[str, list[str]]) -> str:
    return " ".join(case[1])


@pytest.mark.parametrize("case", WITH_OPTIONS, ids=name)
def test_options_exist(
    case: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *arguments = case[1]
    monkeypatch.setattr(sys, "argv", ["htr_lightning", "--help"])
    with pytest.raises(SystemExit):
        importlib.import_module(COMMANDS[command][0]).main()
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", capsys.readouterr().out))
    used = {argument for argument in arguments if re.match(r"--?[a-z]", argument)}
    assert used <= known, f"{case[0]}: {command} has no {', '.join(sorted(used - known))}"


@pytest.mark.parametrize("case", RUNS, ids=name)
def test_configurations_compose(case: tuple[str, list[str]], tmp_path: Path) -> None:
    overrides, config_dir = [], None
    arguments = iter(case[1])
    for argument in arguments:
        value = next(arguments) if argument in TAKES_A_VALUE else ""
        if argument == "--config-dir":
            config_dir = REPOSITORY / value
        elif not argument.startswith(("--", "resume=", "hydra")):
            overrides.append(choose_value(argument) if "--multirun" in case[1] else argument)
    if config_dir is not None and not config_dir.is_dir():
        pytest.skip(f"{config_dir.name} is the reader's own folder")
    if any("_target_=my_" in override for override in overrides):
        pytest.skip("the class is the reader's own")  # tests/docs runs these commands
    assert compose_config(overrides, config_dir)


def choose_value(override: str) -> str:
    """Return the override of one trial of a sweep."""
    key, _, values = override.partition("=")
    numbers = re.findall(r"\d[\d.e-]*", values)
    return f"{key}={numbers[0] if '(' in values else values.split(',')[0]}"


def test_there_are_commands() -> None:
    assert len(WITH_OPTIONS) > 20 and len(RUNS) > 10
