"""A model is made as sure as it is right, and says so."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from htr_lightning.cli import calibrate, predict
from htr_lightning.cli.extract import main as extract
from htr_lightning.model.file import load_model, write_model
from htr_lightning.model.info import read_info
from htr_lightning.reading import quantization
from htr_lightning.reading.runtime import choose_runtime


@pytest.fixture(scope="module")
def val(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    settings = ["dataset.num_train=1", "+dataset.num_val=40", "--split", "val"]
    extract([str(folder), *settings])
    return folder


def test_a_model_that_is_too_sure_is_told(val: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_model("zoo:latin")
    sure, out = tmp_path / "sure.safetensors", tmp_path / "calibrated.safetensors"
    write_model(sure, model.network.state_dict(), replace(model.info, temperature=0.3))
    calibrate.main([str(sure), "--data", str(val / "val.tsv"), "--out", str(out)])
    before, after, written = capsys.readouterr().out.splitlines()
    assert before.startswith("before: temperature 0.3;") and after.startswith("after: temperature ")
    assert written == f"{out}: written"
    temperature = read_info(out).temperature
    assert temperature > 0.5
    error = [float(line.split("calibration error ")[1].split("%")[0]) for line in (before, after)]
    assert error[1] < error[0]
    image = str(next((val / "val").glob("*.png")))
    confidences = []
    for path in (sure, out):
        predict.main([str(path), image, "--format", "json"])
        confidences.append(json.loads(capsys.readouterr().out)[0]["confidence"])
    assert confidences[1] < confidences[0]


def test_eight_bits_are_noted_only_where_they_read_as_well(
    val: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    out = tmp_path / "measured.safetensors"
    call = ["zoo:latin", "--data", str(val / "val.tsv"), "--int8", "--out", str(out)]
    found = set()
    for limit in (-1.0, 1.0):
        monkeypatch.setattr(quantization, "MAX_CER_INCREASE", limit)
        calibrate.main(call)
        told = capsys.readouterr().out.splitlines()[2]
        match = re.match(
            r"CER of 40 lines: ([\d.]+)% in 32 bits, ([\d.]+)% in 8 bits, \d+ lines? read otherwise; ", told
        )
        assert match and 0 < float(match[1]) < 50 and abs(float(match[1]) - float(match[2])) < 5
        found.add((told.partition("; ")[2], read_info(out).int8, choose_runtime(out, "cpu")))
    assert found == {
        ("too much: predict reads in 32 bits", False, "onnx"),
        ("predict reads in 8 bits on CPUs", True, "onnx-int8"),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.safetensors", "--data", "{val}/val.tsv"], "there is no such model file"),
        (["zoo:latin", "--data", "none.tsv"], r"none\.tsv"),
        (["zoo:latin", "--data", "{val}/val.tsv", "--out", "{val}/no/folder/x.safetensors"], "cannot be written"),
    ],
)
def test_calibrate_refuses(arguments: list[str], message: str, val: Path) -> None:
    with pytest.raises(SystemExit, match=message):
        calibrate.main([argument.format(val=val) for argument in arguments])
