"""Runs of seconds, in this process or in one of their own."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from safetensors.torch import load_file

from htr_lightning.config.compose import conf_dir
from htr_lightning.config.validate import validate
from htr_lightning.training.run import run

CPU = ["dataset=lines", "trainer.precision=32-true", "trainer.accelerator=cpu", "+trainer.enable_progress_bar=false"]
TINY_MODEL = [
    "model.height_px=32",
    "+model.channels=[16,32]",
    "+model.blocks=[1,1]",
    "+model.strides=[[2,2],[2,1]]",
    "+model.rnn_size=32",
    "+model.rnn_layers=1",
]
TINY = [*CPU, *TINY_MODEL]


def overrides(root: Path, *more: str, common: Sequence[str] = TINY) -> list[str]:
    return [*common, f"dataset.root={root}", f"loader.cache_dir={root / 'packed'}", *more]


def train(root: Path, folder: Path, *more: str, common: Sequence[str] = TINY) -> dict[str, float]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=overrides(root, *more, common=common))
    validate(cfg)
    return run(cfg, folder)


def command(root: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "htr_lightning", *overrides(root, *more)]


def weights_equal(a: Path, b: Path) -> bool:
    first, second = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


EPOCHS = ["trainer.max_epochs=3"]


SMALL_BATCHES = ["+loader.max_lines_per_batch=2"]


def last_weights_equal(a: Path, b: Path) -> bool:
    """Whether two runs ended with the same weights; their model files may be of an earlier epoch."""
    first, second = (torch.load(f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for f in (a, b))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def wait_for(path: Path, *processes: subprocess.Popen[Any]) -> None:
    """Wait until processes have written a file, however slow the machine is; fail once one of them has ended."""
    while not path.exists():
        assert all(process.poll() is None for process in processes) or path.exists()
        time.sleep(0.02)
