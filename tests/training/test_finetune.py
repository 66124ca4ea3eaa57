"""Fine-tuning of the model of one run in another run."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from helpers import runs
from helpers.typesetting import texts, typeset
from safetensors.torch import load_file

from htr_lightning.config.schema import ConfigError
from htr_lightning.model.file import load_model
from htr_lightning.model.info import ModelFileError, read_info

Write = Callable[[Sequence[str], str], Path]
FINETUNE = ["stage=finetune", "model=loaded", "preprocess=loaded"]


def train(root: Path, folder: Path, *more: str) -> dict[str, float]:
    return runs.train(root, folder, *more, common=runs.CPU)


@pytest.fixture
def base(small_set: Path, tmp_path: Path) -> Path:
    train(small_set, tmp_path / "base", *runs.TINY_MODEL, "trainer.max_epochs=1", "+preprocess.deslant=true")
    return tmp_path / "base"


def write_set(root: Path, more: str = "") -> Path:
    """Write a dataset of other lines."""
    for seed, (split, number) in enumerate((("train", 12), ("val", 4)), start=7):
        (root / split).mkdir(parents=True)
        rows = ["image\ttext"]
        for place, text in enumerate(texts(number, seed)):
            typeset(text + more).save(root / split / f"{place}.png")
            rows.append(f"{split}/{place}.png\t{text}{more}")
        (root / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def test_frozen_parts_stay_to_the_last_bit_and_new_characters_are_learnt(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = write_set(tmp_path / "other", " é!")
    start = f"stage.start_from={base}"
    with caplog.at_level("INFO"):
        train(other, tmp_path / "run", *FINETUNE, start, "stage.freeze=[backbone]", "trainer.max_epochs=3")
    table = next(r.message for r in caplog.records if "frozen until" in r.message)
    rows = [line.split() for line in table.splitlines()[1:]]
    assert [(row[0], row[3]) for row in rows] == [
        ("backbone.stem", "always"),
        ("backbone.stages.0", "always"),
        ("backbone.stages.1", "always"),
        ("rnn", "-"),
        ("head", "-"),
        ("auxiliary_head", "-"),
    ]
    assert "2 characters are new: '!' (U+0021 EXCLAMATION MARK), 'é'" in caplog.text
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "run"))
    frozen = [name for name in before if name.startswith("backbone.")]
    assert len(frozen) > 20 and all(torch.equal(before[name], after[name]) for name in frozen), "statistics, too"
    assert not torch.equal(before["rnn.weight_ih_l0"], after["rnn.weight_ih_l0"])
    info = read_info(tmp_path / "run" / "model.safetensors")
    assert info.charset["characters"][-2:] == ["!", "é"] and info.preprocess["deslant"] is True
    assert after["head.weight"].shape[0] == before["head.weight"].shape[0] + 2
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    moved = len(state["optimizer_states"][0]["state"])
    assert moved == len([n for n, _ in load_model(base).network.named_parameters() if not n.startswith("backbone.")])


def test_unfrozen_parts_move_from_their_epoch_on_also_after_a_resume(base: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other")
    settings = [
        *FINETUNE,
        f"stage.start_from={base}",
        "stage.freeze=[backbone]",
        "+stage.unfreeze_epoch.backbone=2",
        "stage.layer_decay=0.5",
        "optim.lr=1e-2",
        "+optim.schedule=constant",
    ]
    train(other, tmp_path / "whole", *settings, "trainer.max_epochs=4")
    train(other, tmp_path / "run", *settings, "trainer.max_epochs=2")
    before, half = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "run"))
    assert all(torch.equal(before[name], half[name]) for name in before if name.startswith("backbone."))
    (base / "model.safetensors").unlink()  # a run resumes from its own checkpoint, without the base
    command = [sys.executable, "-m", "htr_lightning", f"resume={tmp_path / 'run'}", "trainer.max_epochs=4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    whole, resumed = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "run")
    )
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not torch.equal(whole["model.backbone.stem.0.weight"], before["backbone.stem.0.weight"])


def test_what_cannot_be_fine_tuned(base: Path, small_set: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", "é")
    start = f"stage.start_from={base}"
    for more, message in (
        ([*FINETUNE, start, "stage.charset=keep"], r"stage\.charset=keep: .*'é' \(U\+00E9 .*\) 12 times"),
        (["stage=finetune", start], r"preprocess\.height_px: 48 .*, 32 in the model"),
        ([*FINETUNE, start, "+preprocess.deslant=false"], r"preprocess\.deslant: False .*, True in the model"),
        ([*FINETUNE, start, "stage.freeze=[encoder]"], r"stage\.freeze: 'encoder' matches nothing"),
    ):
        with pytest.raises(ConfigError, match=message):
            train(other, tmp_path / "run", *more)
    with pytest.raises(ModelFileError, match="nowhere: there is no such model file"):
        train(other, tmp_path / "run", *FINETUNE, "stage.start_from=nowhere")
    assert not (tmp_path / "run" / "checkpoints").exists()
