"""Imports run downhill only, and importing does nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "htr_lightning"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

FORBIDDEN = {
    "charset.py": ("torch", "lightning", "hydra", "htr_lightning.data", "htr_lightning.model"),
    "metrics.py": ("torch", "torchmetrics", "lightning", "hydra", "htr_lightning.data", "htr_lightning.model"),
    "recognition_metrics.py": ("lightning", "hydra", "htr_lightning.data", "htr_lightning.model"),
    "model_info.py": ("torch", "lightning", "hydra", "htr_lightning.data", "htr_lightning.model"),
    "recogniser.py": ("torch", "lightning", "hydra", "htr_lightning.model", "htr_lightning.decode"),
    "onnx_model.py": ("torch", "lightning", "hydra", "htr_lightning.model.file", "htr_lightning.decode"),
    "onnx_export.py": (
        "lightning",
        "hydra",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.decode",
    ),
    "readings.py": ("torch", "lightning", "hydra"),
    "data": (
        "hydra",
        "htr_lightning.model",
        "htr_lightning.training.task",
        "htr_lightning.training.run",
        "htr_lightning.model.file",
    ),
    "data/line.py": ("torch", "lightning"),
    "data/widths.py": ("torch", "lightning"),
    "data/image.py": ("torch", "lightning"),
    "data/pack.py": ("torch", "lightning"),
    "data/preprocess.py": ("torch", "lightning"),
    "data/parallel.py": ("torch", "lightning"),
    "data/sources": ("torch", "lightning", "htr_lightning.reading.lines"),
    "doctor/quick.py": ("torch", "lightning", "hydra", "htr_lightning.training.run"),
    "report": ("torch", "lightning", "hydra", "htr_lightning.data", "htr_lightning.doctor", "htr_lightning.evaluation"),
    "evaluation": (
        "torch",
        "lightning",
        "hydra",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.doctor",
    ),
    "evaluation/compare.py": ("torch", "htr_lightning.metrics", "htr_lightning.reading.lines"),
    "evaluation/difference.py": ("torch", "htr_lightning.metrics", "htr_lightning.reading.lines"),
    "explain": (
        "lightning",
        "hydra",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.data.module",
    ),
    "explain/command.py": ("captum", "lightning", "hydra", "htr_lightning.training.run", "htr_lightning.training.task"),
    "page": ("torch", "lightning", "hydra", "htr_lightning.data.sources", "htr_lightning.data.module"),
    "model": ("lightning", "hydra", "htr_lightning.data", "htr_lightning.training.task", "htr_lightning.charset"),
    "decode": ("torch", "lightning", "hydra", "htr_lightning.data", "htr_lightning.training.task"),
    "optim.py": ("lightning", "hydra", "htr_lightning"),
    "task.py": ("hydra", "htr_lightning.training.run", "htr_lightning.model.file", "htr_lightning.data.sources"),
    "checkpoint.py": ("lightning", "hydra", "htr_lightning.training.task", "htr_lightning.training.run"),
    "predict.py": (
        "torch",
        "hydra",
        "lightning",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.training.monitor",
    ),
    "evaluate.py": (
        "torch",
        "hydra",
        "lightning",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.training.monitor",
    ),
    "export.py": (
        "hydra",
        "lightning",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.training.monitor",
    ),
    "zoo": (
        "hydra",
        "lightning",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.training.monitor",
    ),
    "intervals.py": ("torch", "lightning", "hydra", "htr_lightning"),
    "reader.py": (
        "torch",
        "htr_lightning.model.file",
        "hydra",
        "lightning",
        "htr_lightning.training.run",
        "htr_lightning.training.task",
        "htr_lightning.data.module",
    ),
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("place", FORBIDDEN)
def test_imports_run_downhill(place: str) -> None:
    files = [PACKAGE / place] if place.endswith(".py") else sorted((PACKAGE / place).rglob("*.py"))
    assert files
    for file in files:
        for name in imports(file):
            for forbidden in FORBIDDEN[place]:
                assert name != forbidden and not name.startswith(f"{forbidden}."), f"{file.name} imports {name}"


@pytest.mark.parametrize(
    "module", ["reader", "readings", "predict", "evaluate", "tune", "glyphs", "panel", "model_info", "zoo.command",
               "evaluation.result", "evaluation.folder", "page.reading", "page.formats", "decode.decoder"]
)  # fmt: skip
def test_reading_never_imports_torch(module: str) -> None:
    """Nor what else takes long or is not there where models are only used."""
    heavy = {"torch", "torchmetrics", "lightning", "hydra", "omegaconf", "onnx", "onnxruntime", "pyarrow"}
    code = f"import sys, htr_lightning.{module}; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_workers_that_pack_never_import_torch() -> None:
    code = "import sys, htr_lightning.data.pack, htr_lightning.data.sources.lines; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_drawers() -> None:
    drawers = {"utils.py", "util.py", "helpers.py", "common.py", "base.py", "misc.py", "manager.py"}
    assert not [path for path in MODULES if path.name in drawers]
