"""The commands in README.md and in the pages of the experiments have options and configuration keys that exist."""

import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from htr_lightning.__main__ import COMMANDS
from htr_lightning.config.compose import compose_config

REPOSITORY = Path(__file__).parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "experiments").rglob("README.md"))]
PROGRAM = re.compile(r"^(?:cd \S+; )?(?:\w+=\S+ )?(?:python|torchrun \S+) -m htr_lightning\b ?(.*)$")


def find_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each page and the arguments of each command in it."""
    for page in PAGES:
        for block in re.findall(r"^```\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                if match := PROGRAM.match(line):
                    yield page.relative_to(REPOSITORY).as_posix(), shlex.split(match[1], comments=True)


DOCUMENTED = list(find_commands())
WITH_OPTIONS = [case for case in DOCUMENTED if case[1] and case[1][0] in COMMANDS]
RUNS = [case for case in DOCUMENTED if case not in WITH_OPTIONS and "--multirun" not in case[1]]


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
    overrides = [argument for argument in case[1] if not argument.startswith(("--", "resume=", "hydra"))]
    config_dir = None
    if "--config-dir" in case[1]:
        folder = case[1][case[1].index("--config-dir") + 1]
        if not (REPOSITORY / folder).is_dir():
            pytest.skip(f"{folder} is the reader's own folder")
        config_dir = REPOSITORY / folder
        overrides.remove(folder)
    assert compose_config(overrides, config_dir)


def test_there_are_commands() -> None:
    assert len(WITH_OPTIONS) > 20 and len(RUNS) > 10
