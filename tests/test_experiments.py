"""Scripts in experiments/ import only names that the package has."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SCRIPTS = sorted(EXPERIMENTS.rglob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(EXPERIMENTS).as_posix())
def test_imports_from_the_package_exist(script: Path) -> None:
    nodes = [
        node for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)
    ]
    for node in nodes:
        if node.module is None or node.module.partition(".")[0] != "htr_lightning":
            continue
        module = importlib.import_module(node.module)
        missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
        assert not missing, f"{node.module} has no {', '.join(missing)}"


def test_datasets_are_built_without_the_key_of_the_direction() -> None:
    assert not [script for script in SCRIPTS if "build(cfg.dataset)" in script.read_text(encoding="utf-8")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(EXPERIMENTS).as_posix())
def test_models_that_scripts_name_ship(script: Path) -> None:
    named = set(re.findall(r"zoo:([a-z0-9-]+)", script.read_text(encoding="utf-8")))
    files = {path.name.split(".")[0] for path in (EXPERIMENTS.parent / "htr_lightning" / "zoo").rglob("*.*")}
    assert named <= files


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 10
