"""A language model from texts to better predictions: train-lm, tune-lm, evaluate, predict, training."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from helpers.typesetting import texts
from hydra import compose, initialize_config_dir
from PIL import Image, ImageFilter

from htr_lightning import load
from htr_lightning.cli import evaluate, export, predict, train_lm, tune_lm
from htr_lightning.config.compose import conf_dir
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import validate
from htr_lightning.evaluation import lm_weights
from htr_lightning.training.run import run

Write = Callable[[Sequence[str], str], Path]


@pytest.fixture
def lines(write_lines: Write) -> Path:
    return write_lines(["le chat dort sur la table", "la table est dans la nuit", "il est tard dans la nuit"], "val")


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    (tmp_path / "texts.txt").write_text("le chien dort dans la nuit\nil est sur la table\nla nuit est tard\n" * 3)
    train_lm.main([str(tmp_path / "texts.txt"), "-o", str(tmp_path / "m.arpa"), "--order", "4"])
    return tmp_path / "m.arpa"


def test_what_tune_finds_is_what_evaluate_measures(
    lines: Path, arpa: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lm_weights, "LM_WEIGHTS", (0.3, 1.0))
    monkeypatch.setattr(lm_weights, "INSERTION_BONUSES", (0.0, 1.0))
    data = ["zoo:latin", "--data", str(lines / "val.tsv")]
    tune_lm.main([*data, "--lm", str(arpa), "--out", str(tmp_path / "tuned.json")])
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "tuned.json").read_text())
    best = found["best"]
    assert len(found["tried"]) == 4 and best["cer"] == min(row["cer"] for row in found["tried"]) <= found["greedy"]
    assert f"--lm-weight {best['lm_weight']:g} --insertion-bonus {best['insertion_bonus']:g}" in shown

    weights = ["--lm-weight", str(best["lm_weight"]), "--insertion-bonus", str(best["insertion_bonus"])]
    evaluate.main([*data, "--lm", str(arpa), *weights])
    assert json.loads(capsys.readouterr().out)["cer"] == pytest.approx(best["cer"])
    evaluate.main(data)
    assert json.loads(capsys.readouterr().out)["cer"] == pytest.approx(found["greedy"])
    predict.main(["zoo:latin", str(lines / "val"), "--lm", str(arpa), *weights])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_model_is_decoded_with_the_language_model_that_its_file_names(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tmp_path / "model.safetensors")
    export.main(["zoo:latin", "--out", model, "--lm", "auto", "--languages", "fr"])
    images = sorted((lines / "val").glob("*.png"))
    for path in images:  # until they are misread
        blurred = Image.open(path).convert("L").filter(ImageFilter.GaussianBlur(3.2))
        blurred.save(path)

    def read(*arguments: str) -> str:
        capsys.readouterr()
        predict.main([*arguments, *map(str, images)])
        return capsys.readouterr().out

    def score(*arguments: str) -> float:
        capsys.readouterr()
        evaluate.main([*arguments, "--data", str(lines / "val.tsv")])
        return float(json.loads(capsys.readouterr().out)["cer"])

    greedy, beam = read("zoo:latin", "--lm", "none"), read("zoo:latin", "--lm", "zoo:lm-fr")
    assert read(model) == beam and read(model, "--lm", "none") == greedy != beam
    assert [line.text for line in load(model).read_lines(images)] == beam.splitlines()
    assert score(model) == score("zoo:latin", "--lm", "zoo:lm-fr") and score(model, "--lm", "none") == score(
        "zoo:latin"
    )


def test_language_models_that_cannot_be_used(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.arpa").write_text("nonsense")
    data = ["zoo:latin", "--data", str(lines / "val.tsv")]
    for call in (evaluate.main, tune_lm.main):
        with pytest.raises(SystemExit) as exit_:
            call([*data, "--lm", "zoo:none"])
        assert exit_.value.code == 2 and re.search(r"--lm zoo:none: .*choose from zoo:lm-", capsys.readouterr().err)
    for path, words in ((tmp_path / "none.arpa", "cannot be read"), (tmp_path / "bad.arpa", "not an ARPA file")):
        for call in (evaluate.main, tune_lm.main):
            with pytest.raises(SystemExit, match=words):
                call([*data, "--lm", str(path)])
    with pytest.raises(SystemExit) as stopped:
        evaluate.main([*data, "--beam-width", "0"])
    assert stopped.value.code == 2 and "--beam-width: '0'" in capsys.readouterr().err


def test_a_run_measures_with_its_decoder(
    small_set: Path, arpa: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.txt").write_text("\n".join(texts(40, 9)))
    train_lm.main([str(tmp_path / "words.txt"), "-o", str(tmp_path / "words.arpa")])

    def train(name: str, *decoder: str) -> dict[str, float]:
        overrides = [
            "dataset=lines",
            f"dataset.root={small_set}",
            f"loader.cache_dir={tmp_path / 'packed'}",
            "trainer.accelerator=cpu",
            "trainer.precision=32-true",
            "+trainer.enable_progress_bar=false",
            "trainer.max_epochs=3",
            "model.height_px=32",
            "+model.channels=[16]",
            "+model.blocks=[1]",
            "+model.strides=[[2,2]]",
            "+model.rnn_size=32",
            "+model.rnn_layers=1",
        ]
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            cfg = compose("config", overrides=[*overrides, *decoder])
        validate(cfg)
        return run(cfg, tmp_path / name)

    with pytest.raises(ConfigError, match=r"decoder\.lm=none\.arpa: there is no such file"):
        train("bad", "decoder=beam", "decoder.lm=none.arpa")
    assert not (tmp_path / "bad" / "checkpoints").exists()
    scores = train("good", "decoder=beam", f"decoder.lm={tmp_path / 'words.arpa'}")
    capsys.readouterr()
    evaluate.main([str(tmp_path / "good"), "--data", str(small_set / "test.tsv"), "--lm", str(tmp_path / "words.arpa")])
    assert scores["test/cer"] == pytest.approx(json.loads(capsys.readouterr().out)["cer"], abs=0.02)


@pytest.mark.parametrize(
    ("option", "part"), [("--lm-weight", "--lm"), ("--insertion-bonus", "--lm"), ("--unknown-word-cost", "--lexicon")]
)
def test_weights_without_what_they_weigh(
    option: str, part: str, lines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        evaluate.main(["zoo:latin", "--data", str(lines / "val.tsv"), option, "2"])
    assert stopped.value.code == 2 and f"no effect without {part}" in capsys.readouterr().err
