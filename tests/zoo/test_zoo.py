"""The models that ship: metadata, predictions, and the commands that use them."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.typesetting import texts, typeset

from htr_lightning.cli import predict
from htr_lightning.cli import zoo as command
from htr_lightning.data.line import Line
from htr_lightning.image.line_image import ImageFile
from htr_lightning.metrics import cer
from htr_lightning.model.file import load_model
from htr_lightning.model.info import list_zoo_models, read_info
from htr_lightning.reading.lines import LineReader
from htr_lightning.training.stage import build_charset, transfer_weights

MODELS = sorted(list_zoo_models())
FRENCH_AND_ENGLISH = "abcdefghijklmnopqrstuvwxyzàâçéèêëîïôùûüœABCDEFGHIJKLMNOPQRSTUVWXYZÉÀÇ0123456789.,;:!?'()-« »"


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    folder = tmp_path_factory.mktemp("lines")
    for number, text in enumerate(texts(12)):
        typeset(text, height_px=48).save(folder / f"{number}.png")
    return [Line(f"{n}", ImageFile(folder / f"{n}.png"), text) for n, text in enumerate(texts(12))]


def test_the_default_model_exists() -> None:
    assert "latin" in MODELS
    assert set(FRENCH_AND_ENGLISH) <= set(read_info(list_zoo_models()["latin"]).charset["characters"])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_small_and_has_its_metadata_and_card(name: str) -> None:
    path = list_zoo_models()[name]
    info = read_info(path)
    assert path.stat().st_size <= 12_000_000
    assert info.license and info.languages and info.commit
    assert "BAnQ" in info.attribution and "CC BY 4.0" in info.attribution
    if "Hooker" in info.attribution:  # share-alike sources
        assert info.license == "CC-BY-SA-4.0" and "Vienna" in info.attribution
        assert 0 < info.scores["archives/cer"] < 0.5
    else:
        assert info.license == "CC-BY-4.0" and "archives/cer" not in info.scores
    assert 0 < info.scores["val/cer"] < info.scores["test/cer"] < 0.5
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    for heading in ("Data", "License", "Scores", "Limits"):
        assert f"## {heading}" in card


def test_accuracy_on_typeset_lines(lines: list[Line]) -> None:
    read = [prediction.text for prediction in LineReader(load_model("zoo:latin")).read(lines)]
    assert cer([line.text for line in lines], read) < 0.2, "typeset text, although it was trained on handwriting"


def test_extending_the_charset_does_not_change_predictions(lines: list[Line]) -> None:
    model = load_model("zoo:latin")
    charset = build_charset(model, "extend", ["ĉĝĥĵŝŭ 日本"])
    assert len(charset) == len(model.charset) + 8
    network, carried = transfer_weights(model, model.info.arguments, charset)
    assert carried.added == "ĉĝĥĵŝŭ日本" and not carried.dropped
    before = [prediction.text for prediction in LineReader(model).read(lines)]
    other = type(model)(network.eval(), charset, model.preprocess, model.info)
    after = [prediction.text for prediction in LineReader(other).read(lines)]
    references = [line.text for line in lines]
    assert after == before and cer(references, after) == cer(references, before)
    assert torch.equal(network.head.weight[: model.charset.num_classes], model.network.head.weight)


def test_the_list_contains_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    command.main([])
    shown = capsys.readouterr().out
    info = read_info(list_zoo_models()["latin"])
    for name in MODELS:
        assert f"zoo:{name}" in shown
    for text in ("".join(info.charset["characters"]), info.license, info.attribution, "val/cer", "test/cer", "fr, en"):
        assert text in shown
    assert "zoo:finder\n  network    LineFinder" in shown
    command.main(["finder"])
    assert "LineFinder" in capsys.readouterr().out
    command.main(["zoo:latin"])
    assert "## Limits" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="zoo:klingon: there is no such model; choose from latin"):
        command.main(["klingon"])


def test_finetuning_on_a_folder_of_lines(small_set: Path, tmp_path: Path) -> None:
    settings = [
        f"dataset.root={small_set}",
        f"loader.cache_dir={tmp_path / 'packed'}",
        f"hydra.run.dir={tmp_path / 'run'}",
        "trainer.accelerator=cpu",
        "trainer.max_steps=4",
        "trainer.val_check_interval=2",
        "+loader.max_train_lines=10",
        "stage.freeze=[backbone]",
    ]
    command = [sys.executable, "-m", "htr_lightning", "+experiment=finetune_lines", *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    log = " ".join((tmp_path / "run" / "log.txt").read_text(encoding="utf-8").split())
    for words in (
        "10 train + 8 val",
        "backbone.stem 432 0.003 always",
        "step 2 of 4: train loss",
        "step 4 of 4: train loss",
    ):
        assert words in log
    before, after = (load_model(where).network.state_dict() for where in ("zoo:latin", tmp_path / "run"))
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("backbone."))
    assert not torch.equal(before["rnn.weight_ih_l0"], after["rnn.weight_ih_l0"])


def test_predict_with_the_name_of_a_model(lines: list[Line], tmp_path: Path) -> None:
    image = lines[0].image
    assert isinstance(image, ImageFile)
    predict.main(["zoo:latin", str(image.path), "--out", str(tmp_path / "read.txt")])
    assert len((tmp_path / "read.txt").read_text(encoding="utf-8").splitlines()) == 1
