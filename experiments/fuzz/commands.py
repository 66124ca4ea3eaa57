"""Inputs of the other kinds, given to real processes."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

from outcome import Kind, judge_process


class Commands:
    """Real commands in processes of their own.

    Args:
        kinds: of the inputs, by name.
        model: a small model file.
    """

    name = "command"
    rewrites_input = False

    def __init__(self, kinds: dict[str, Kind], model: Path) -> None:
        self._kinds, self._model = kinds, model

    def write(self, random: Random, folder: Path) -> list[str]:
        """Write an input; return the arguments of the command that reads it."""
        name = random.choice(("image", "layout", "tables", "model", "language model", "overrides", "pdf", "parquet"))
        given: Any = self._kinds[name].write(random, folder)
        lines = ["--lines", "--device", "cpu"]
        if name == "overrides":
            return [*given, "--cfg", "job"]
        if name == "model":
            (folder / "a.png").write_bytes(b"")
            return ["predict", str(given), str(folder / "a.png"), *lines]
        if name == "language model":
            return ["tune-lm", str(self._model), "--data", str(folder / "x.tsv"), "--lm", str(given)]
        if name in ("tables", "parquet"):
            dataset = "lines" if name == "tables" else "hub"
            return ["doctor", f"dataset={dataset}", f"dataset.root={folder}", "--out", str(folder.parent / "out/d")]
        pages = ["--pages", "--out", str(folder.parent / "out/p"), "--device", "cpu", "--format", "txt,page"]
        return ["predict", str(self._model), str(folder), *(lines if name == "image" else pages)]

    def read(self, given: list[str], folder: Path, out: Path) -> str:
        """Run the command."""
        command = [sys.executable, "-m", "htr_lightning", *given]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, cwd=out, env=environment
        )
        return judge_process(done.returncode, done.stdout, done.stderr)
