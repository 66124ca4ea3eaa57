"""A sample of the mutated inputs of experiments/fuzz, and the faults that its fuzzer must notice."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZER = Path(__file__).parent.parent / "experiments" / "fuzz" / "run.py"
pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the fuzzer needs Linux")


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(FUZZER), *options], capture_output=True, text=True, check=False)


def test_a_sample_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    for module in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    done = run("--inputs", "300", "--limit-s", "120", "--out", str(tmp_path / "result.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["counts"]
    assert sum(sum(row.values()) for row in counts.values()) == 300 and len(counts) > 15


def test_every_fault_is_noticed() -> None:
    done = run("--self-check", "--limit-s", "120")
    assert done.returncode == 0, done.stdout + done.stderr
