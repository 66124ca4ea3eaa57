"""Compiling, and doing without."""

import json
from pathlib import Path

import pytest
import torch
from test_run import train

from htr_lightning import evaluate


def test_without_a_compiler_training_goes_on(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", broken)
    train(small_set, tmp_path / "run", "compile=true", "trainer.max_epochs=1")
    assert "compile: the compiler does not work here (No working C++ compiler found)" in caplog.text


@pytest.mark.slow
def test_a_compiled_network_trains_and_its_file_is_like_any_other(
    small_set: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scores = train(small_set, tmp_path / "run", "compile=true", "trainer.max_epochs=2")
    assert "does not work" not in caplog.text and "at most 8 widths" in caplog.text
    evaluate.main([str(tmp_path / "run"), "--data", str(small_set / "val.tsv"), "--out", str(tmp_path)])
    assert json.loads((tmp_path / "result.json").read_text())["cer"] == pytest.approx(scores["val/cer"], abs=1e-6)
