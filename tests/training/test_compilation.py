"""Compiling, and doing without."""

import json
from pathlib import Path

import pytest
import torch
from helpers.runs import train
from helpers.typesetting import write_split

from htr_lightning.cli import evaluate
from htr_lightning.model.crnn import CRNN
from htr_lightning.training.compilation import compile_network


def test_without_a_compiler_training_goes_on(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", broken)
    train(small_set, tmp_path / "run", "compile=true", "trainer.max_epochs=1")
    assert "compile: the compiler does not work here (No working C++ compiler found)" in caplog.text


def test_a_network_that_cannot_be_compiled_runs_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(graph: object, inputs: object) -> None:
        raise RuntimeError("no kernel for this")

    usual = torch.nn.Module.compile
    caplog.set_level("WARNING", "htr_lightning")
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: usual(self, backend=refuse, **how))
    model = CRNN(7, height_px=48).eval()
    images = torch.rand(2, 1, 48, 64)
    expected = model(images).logits
    compile_network(model)
    for _ in range(2):
        assert torch.equal(model(images).logits, expected)
    assert caplog.text.count("compile: falling back to eager mode") == 1 and "no kernel for this" in caplog.text


@pytest.mark.slow
def test_a_compiled_network_trains_and_its_file_is_like_any_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "set"
    for split in ("train", "val", "test"):  # of one width: each width is compiled for itself, which takes half a minute
        write_split(root, ["le roi dit non"] * 8, split)
    caplog.set_level("INFO")
    logits = train(root, tmp_path / "run", "compile=true", "trainer.max_epochs=2", "loader.max_shared=1")
    assert "does not work" not in caplog.text and "at most 8 widths" in caplog.text
    evaluate.main([str(tmp_path / "run"), "--data", str(root / "val.tsv"), "--out", str(tmp_path)])
    assert json.loads((tmp_path / "result.json").read_text())["cer"] == pytest.approx(logits["val/cer"], abs=1e-6)
