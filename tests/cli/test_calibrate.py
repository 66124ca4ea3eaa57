"""A model is made as sure as it is right, and says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from htr_lightning.cli import calibrate, predict
from htr_lightning.cli.extract import main as extract
from htr_lightning.model.file import load_model, write_model
from htr_lightning.model.info import read_info


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
