"""Line finders are trained, resumed and fine-tuned."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
from helpers.drawn_pages import blank, write
from helpers.layouts import page_xml, points
from helpers.runs import weights_equal
from hydra import compose, initialize_config_dir
from lightning.pytorch.callbacks import Callback
from PIL import Image

import htr_lightning.training.finding
from htr_lightning.config.compose import conf_dir
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import validate
from htr_lightning.image.files import DataError
from htr_lightning.layout.page import PageLine
from htr_lightning.model.finder_file import read_finder
from htr_lightning.model.info import ModelFileError, list_finders
from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.training.finding import load_base
from htr_lightning.training.run import run

SHORT = [
    *("+preprocess.longest_px=256", "augment.crop_px=64", "logger=[csv]"),
    *("loader.crops_per_epoch=4", "loader.crops_per_batch=2", "loader.num_workers=0"),
    *("loader.synthetic=null", "loader.synthetic_fraction=0"),
    *("trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1", "+trainer.enable_progress_bar=false"),
    *("trainer.precision=32-true", "trainer.accelerator=cpu"),
]
TINY = ["+experiment=find_lines", "+model.channels=[4,4,4]", "+model.dilations=[1]", *SHORT]
QUIET = pytest.mark.filterwarnings("ignore:The .*dataloader.* does not have many workers")


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    root = tmp_path / "pages"
    for split in ("train", "val"):
        (root / split).mkdir(parents=True)
        drawn = blank(500, 400)
        write(drawn, 40, 460, 100, 4, size_px=30, pitch=60, seed=len(split))
        Image.fromarray(drawn.pixels).save(root / split / "a.png")
        lines = []
        for number, baseline in enumerate(drawn.baselines):
            (left, y), (right, _) = np.round(baseline).astype(int).tolist()
            polygon = points(left, y - 24, right, y - 24, right, y + 8, left, y + 8)
            lines.append(PageLine(f"l{number}", "", polygon, points(left, y, right, y), region="r1"))
        (root / split / "a.xml").write_text(page_xml(lines, image="a.png", size=(500, 400)))
    return root


def train(root: Path, folder: Path, *more: str, common: Sequence[str] = TINY) -> dict[str, float]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=[*common, f"dataset.root={root}", *more])
    validate(cfg)
    return run(cfg, folder)


@QUIET
def test_a_run_writes_a_line_finder_that_finds_lines_and_can_be_fine_tuned(pages: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    scores = train(pages, folder)
    assert {"val/f1", "val/precision", "val/recall"} <= scores.keys()
    assert json.loads((folder / "result.json").read_text())["val/f1"] == scores["val/f1"]
    finder = read_finder(folder / "model.safetensors")
    assert finder.info.arguments["channels"] == [4, 4, 4] and finder.info.scores["val/f1"] == scores["val/f1"]
    assert finder.info.preprocess["longest_px"] == 256 and finder.info.data
    found = load_segmenter(folder).find(np.asarray(Image.open(pages / "val" / "a.png")))
    assert found.orientation in range(4)
    last = read_finder(folder / "checkpoints" / "last.ckpt")
    assert last.info.arguments == finder.info.arguments

    tuned = [*SHORT[1:], "+experiment=finetune_finder", f"stage.start_from={folder}"]
    train(pages, tmp_path / "tuned", "trainer.max_epochs=1", common=tuned)
    after = read_finder(tmp_path / "tuned" / "model.safetensors")
    assert after.info.arguments == finder.info.arguments and after.info.preprocess == finder.info.preprocess
    assert not weights_equal(folder, tmp_path / "tuned")
    with pytest.raises(ConfigError, match=r"model\.channels=.*not that of the model to start from"):
        train(pages, tmp_path / "wider", "+model.channels=[8,8,8]", common=tuned)


class Stopped(BaseException):
    """Stands for SIGKILL."""


class StopAt(Callback):
    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == 3:
            raise Stopped


@QUIET
def test_a_stopped_run_ends_with_the_same_weights(pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(pages, tmp_path / "whole", "checkpoint_minutes=0")
    with monkeypatch.context() as patch:
        usual = htr_lightning.training.finding.build_callbacks
        patch.setattr(htr_lightning.training.finding, "build_callbacks", lambda *given: [*usual(*given), StopAt()])
        with pytest.raises(Stopped):
            train(pages, tmp_path / "stopped", "checkpoint_minutes=0")
    scores = train(pages, tmp_path / "stopped", "checkpoint_minutes=0", f"resume={tmp_path / 'stopped'}")
    assert weights_equal(tmp_path / "whole", tmp_path / "stopped") and scores == whole
    (pages / "train" / "a.xml").write_text((pages / "val" / "a.xml").read_text())
    with pytest.raises(ConfigError, match="the training pages are not those of the run"):
        train(pages, tmp_path / "stopped", f"resume={tmp_path / 'stopped'}")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("dataset=lines", "dataset._target_"),
        ("model=crnn_small", "model._target_"),
        ("preprocess=default", "preprocess.longest_px"),
        ("augment=light", "augment."),
        ("loader=default", "loader."),
        ("decoder=greedy", "decoder._target_"),
        ("compile=true", "compile"),
    ],
)
def test_parts_of_another_task_are_refused(pages: Path, tmp_path: Path, override: str, key: str) -> None:
    common = [setting for setting in TINY if not setting.startswith(("+model", "preprocess", "augment", "loader"))]
    with pytest.raises(ConfigError) as refused:
        train(pages, tmp_path / "run", override, common=common)
    assert key in str(refused.value)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_pages_are_no_dataset_of_recognizers(pages: Path, tmp_path: Path) -> None:
    common = ["dataset=pages", "trainer.accelerator=cpu", "+trainer.enable_progress_bar=false"]
    with pytest.raises(ConfigError, match=r"dataset"):
        train(pages, tmp_path / "run", common=common)


def test_a_recognizer_is_no_model_to_start_from(pages: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="a recognizer, not a line finder"):
        train(pages, tmp_path / "run", common=[*SHORT, "+experiment=finetune_finder", "stage.start_from=zoo:latin"])


def test_fine_tuning_starts_from_the_line_finder_that_ships() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=["+experiment=finetune_finder"])
    base = load_base(cfg, None)
    assert base is not None and base.info.checksum == read_finder(list_finders()["finder"]).info.checksum


def test_layouts_without_baselines_are_named(pages: Path, tmp_path: Path) -> None:
    line = PageLine("l", "", points(9, 9, 99, 9, 99, 30, 9, 30), region="r1")
    (pages / "train" / "a.xml").write_text(page_xml([line], image="a.png", size=(500, 400)))
    with pytest.raises(DataError) as refused:
        train(pages, tmp_path / "run")
    assert "a.xml" in str(refused.value) and "baseline" in str(refused.value)
