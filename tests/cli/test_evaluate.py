"""The command line of evaluate, from images to a folder."""

import json
from pathlib import Path

import pytest
import torch
from helpers.typesetting import typeset

from htr_lightning.charset import Charset
from htr_lightning.cli import evaluate
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import write_model
from htr_lightning.model.info import ModelInfo
from htr_lightning.model.network import get_class_path


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    charset = Charset.from_texts(["abc "])
    torch.manual_seed(0)
    network = CRNN(
        charset.num_classes, height_px=32, channels=[8], blocks=[1], strides=[[2, 2]], stem_channels=4, rnn_size=8
    )
    info = ModelInfo(get_class_path(CRNN), network.arguments, charset.to_dict(), Preprocess(height_px=32).to_dict(), 32)
    write_model(tmp_path / "model.safetensors", network.state_dict(), info)
    for row in range(4):
        typeset("abc " * (row + 1)).save(tmp_path / f"{row}.png")
    rows = "".join(f"{row}.png\t{'abc ' * (row + 1)}\tw{row % 2}\n" for row in range(4))
    (tmp_path / "test.tsv").write_text(f"image\ttext\twriter\n{rows}gone.png\tabc\tw1\n")
    return [str(tmp_path / "model.safetensors"), "--data", str(tmp_path / "test.tsv"), "--max-skipped", "1"]


def test_a_single_group_has_no_intervals(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "test.tsv"
    table.write_text(table.read_text().replace("w1", "w0"))
    evaluate.main([*arguments, "--out", str(tmp_path / "out")])
    printed = capsys.readouterr()
    assert printed.err.count("no intervals, since all lines are of one group") == 1
    assert "cer" in json.loads(printed.out) and "_low" not in printed.out
    result = (tmp_path / "out" / "result.json").read_text()
    assert json.loads(result)["bootstrap"] is None and "cer_low" in result and "wer_low" not in result
    assert "The scores have no intervals, since" in (tmp_path / "out" / "report.html").read_text()


def test_a_folder_is_filled(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out" / "deep"
    evaluate.main([*arguments, "--out", str(folder)])
    printed = json.loads(capsys.readouterr().out)
    result = json.loads((folder / "result.json").read_text())
    for name in (
        "cer",
        "cer_low",
        "cer_high",
        "wer",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "precision_macro",
        "recall_macro",
        "f1_macro",
        "lines",
        "skipped",
        "groups",
    ):
        assert printed[name] == result[name], name
    assert (result["lines"], result["skipped"], result["groups"]) == (4, 1, 2)
    assert (result["model"], result["data"]) == (arguments[0], arguments[2])
    assert "gone.png" in (folder / "report.html").read_text()
    assert len((folder / "lines.tsv").read_text().splitlines()) == 5


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_read(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"--out .*file/out: cannot be written .*; choose another"):
        evaluate.main(["no.safetensors", "--data", "no.tsv", "--out", str(tmp_path / "file" / "out")])


def test_a_folder_that_goes_away_is_said_in_a_sentence(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("htr_lightning.evaluation.files.write_text", full)
    with pytest.raises(SystemExit, match=r"cannot be written \(No space left on device\)"):
        evaluate.main([*arguments, "--out", str(tmp_path / "out")])
    assert not list((tmp_path / "out").iterdir())
