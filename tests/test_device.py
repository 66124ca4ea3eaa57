"""Precisions: bf16 logits are close to fp32 logits, and bf16 is refused where it is slow."""

from pathlib import Path

import numpy as np
import pytest
from helpers.typesetting import texts, typeset

import htr_lightning
from htr_lightning.cli import evaluate, predict
from htr_lightning.device import DeviceError, select_device
from htr_lightning.metrics import cer
from htr_lightning.model import file as checkpoint
from htr_lightning.model.file import load_model, with_precision
from htr_lightning.model.info import ModelFileError
from htr_lightning.model.load import load_recognizer


@pytest.fixture
def with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept bf16 on every processor, even where it is emulated."""
    monkeypatch.setattr(checkpoint, "is_bf16_fast", lambda device_type: True)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    rows = ["image\ttext"]
    for number, text in enumerate(texts(8)):
        typeset(text, height_px=48).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png\t{text}")
    (tmp_path / "lines.tsv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_bf16_reads_nearly_the_same(with_bf16: None) -> None:
    exact = load_model("zoo:latin")
    images = np.stack([np.asarray(typeset(text, 48).resize((320, 48))) for text in texts(4)])
    here, there = exact.logits(images), with_precision(exact, "bf16").logits(images)
    assert there.dtype == np.float32
    assert 1e-4 < np.abs(here - there).max() < 5
    assert (here.argmax(2) == there.argmax(2)).mean() > 0.95


def test_the_command_line_reads_in_bf16(
    with_bf16: None, lines: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    logits = checkpoint.Model.logits
    monkeypatch.setattr(
        checkpoint.Model, "logits", lambda model, images: used.append(model.precision) or logits(model, images)
    )
    images = [str(lines / f"{number}.png") for number in range(8)]
    predict.main(["zoo:latin", *images, "--lines", "--runtime", "torch"])
    exact = capsys.readouterr().out.splitlines()
    assert set(used) == {"fp32"}
    used.clear()
    predict.main(["zoo:latin", *images, "--lines", "--precision", "bf16"])
    assert cer(exact, capsys.readouterr().out.splitlines()) < 0.2
    evaluate.main(["zoo:latin", "--data", str(lines / "lines.tsv"), "--precision", "bf16"])
    htr_lightning.load("zoo:latin", "cpu", precision="bf16").read_line(lines / "0.png")
    assert set(used) == {"bf16"}


def test_bf16_is_refused_where_it_is_slow(
    lines: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "is_bf16_fast", lambda device_type: False)
    with pytest.raises(SystemExit) as ended:
        predict.main(["zoo:latin", str(lines / "0.png"), "--device", "cpu", "--precision", "bf16"])
    assert ended.value.code == 2
    assert "--precision bf16: cpu has no instructions for bf16" in capsys.readouterr().err


def test_there_are_two_precisions() -> None:
    with pytest.raises(DeviceError, match=r"precision=fp16: .*choose from fp32, bf16"):
        htr_lightning.load("zoo:latin", "cpu", precision="fp16")  # type: ignore[arg-type]


def test_an_onnx_file_has_its_own_precision(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").touch()
    with pytest.raises(ModelFileError, match=r"a\.onnx: the precision of an ONNX file is fixed"):
        load_recognizer(tmp_path / "a.onnx", precision="bf16")


def test_an_unknown_device_is_answered_with_those_there_are() -> None:
    with pytest.raises(DeviceError) as error:
        select_device("tpu")
    assert (error.value.key, error.value.value, error.value.kind) == ("--device", "tpu", "unknown")
    assert "cpu, cuda" in str(error.value) and "Expected one of" not in str(error.value)
