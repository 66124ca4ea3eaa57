"""What is not imported where models are only used; who imports whom is for import-linter (pyproject.toml)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "htr_lightning"
HEAVY = {
    "torch",
    "torchmetrics",
    "lightning",
    "hydra",
    "omegaconf",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "optuna",
    "captum",
    "fsspec",
}


@pytest.mark.parametrize(
    "module",
    [
        "charset",
        "cli.compare",
        "cli.doctor",
        "cli.evaluate",
        "cli.explain",
        "cli.export",
        "cli.predict",
        "cli.segment",
        "cli.tune_lm",
        "cli.zoo",
        "decode.decoder",
        "evaluation.files",
        "evaluation.result",
        "layout.formats",
        "metrics",
        "model.finder_info",
        "model.info",
        "model.load",
        "reading.api",
        "reading.character_crops",
        "reading.line_formats",
        "reading.folder",
        "reading.layouts",
        "reading.lines",
        "reading.page",
        "reading.pages",
        "reading.segmenters",
        "reading.storage.run",
        "report.panel",
        "segmentation.finder",
        "segmentation.segmenter",
    ],
)
def test_heavy_libraries_are_imported_only_where_they_are_used(module: str) -> None:
    code = f"import sys, htr_lightning.{module}; print(*sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_only_torch_errors_reads_the_text_of_errors() -> None:
    pattern = re.compile(r"(\bin |== |startswith\(|match\(|search\().{0,30}str\((error|exc\w*|exception)\)")
    found = {path.name for path in PACKAGE.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))}
    assert found == {"torch_errors.py"}


def test_workers_that_preprocess_never_import_torch() -> None:
    code = "import sys, htr_lightning.data.pack, htr_lightning.data.sources.lines; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_drawers() -> None:
    drawers = {"utils.py", "util.py", "helpers.py", "common.py", "base.py", "misc.py", "manager.py"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.name in drawers]


def test_the_hall_is_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 10
