"""Command lines of runs, their configuration files, and run folders to resume: composed and validated, not trained."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from mutate import mutate_text
from omegaconf import OmegaConf
from outcome import run_command
from seeds import write_files

import htr_lightning.training.run
from htr_lightning.cli.train import main as train
from htr_lightning.config.compose import compose_config

COMMANDS = (
    "dataset=lines dataset.root=ROOT model=crnn optim.lr=1e-3 trainer.max_epochs=5",
    "+experiment=finetune_lines dataset.root=ROOT stage.model=zoo:latin seed=3",
    "dataset=alto dataset.root=ROOT dataset.split_ratios=[0.8,0.1,0.1] dataset.padding_px=4",
    "dataset=synthetic dataset.num_train=10 loader.max_skipped=5 augment=light",
    "dataset=iam dataset.root=ROOT dataset.split=aachen preprocess.height_px=64",
    "dataset=mix +dataset.sources.a._target_=htr_lightning.data.sources.lines.Lines +dataset.sources.a.root=ROOT",
    "dataset=lines dataset.root='Été (1923)' run_name=2024_05 early_stopping=3 ++loader.num_workers=0",
    "dataset=lines dataset.root=ROOT --cfg job --resolve",
    "dataset=lines dataset.root=ROOT --multirun optim.lr=1e-3,3e-4 seed=range(1,3)",
    "dataset=pylaia dataset.root=ROOT dataset.symbols=['@= ','<gap>='] ~augment",
    "stage=finetune stage.model=ROOT/model.safetensors +stage.freeze=[backbone] trainer=cpu decoder=beam",
)
VALUES = (
    *(
        "",
        "null",
        "???",
        "[",
        "]",
        "{",
        "{a:1}",
        "[1,2,3]",
        "1e999",
        "nan",
        "-1",
        "0",
        "0x1F",
        "1_000",
        "true",
        "007",
        "1.5",
    ),
    *(
        "'",
        '"',
        "'a",
        "\\",
        "a b",
        "é",
        "${seed}",
        "${nothing}",
        "${oc.env:NONE}",
        "${",
        "$",
        "}",
        "a=b",
        "a,b",
        "(1)",
        "#",
    ),
    *(
        "range(1,3)",
        "choice(a,b)",
        "interval(0,1)",
        "glob(*)",
        "sort(3,1)",
        "str(1)",
        "int(x)",
        "shuffle(1,2)",
        "tag(a,1)",
    ),
    *(
        "\n",
        "\t",
        "\u202e",
        "x" * 3000,
        "1" * 400,
        "[" * 60,
        "../..",
        "/",
        "torch.load",
        "os.system",
        "htr_lightning.data",
    ),
)
KEYS = (
    *(
        "",
        "=",
        "+",
        "++",
        "~",
        "@",
        "/",
        ".",
        "..",
        "seed",
        "hydra",
        "hydra.run.dir",
        "hydra/launcher",
        "hydra/sweeper",
    ),
    *(
        "_target_",
        "dataset._target_",
        "model.channels",
        "loader.seed",
        "trainer.callbacks",
        "resume",
        "dataset@x",
        "a/b",
        "0",
    ),
    *(
        "hydra.searchpath",
        "hydra.job.chdir",
        "defaults",
        "experiment",
        "trainer.precision",
        "preprocess",
        "stage.freeze",
    ),
)
FLAGS = (
    "--cfg",
    "job",
    "--multirun",
    "-m",
    "--resolve",
    "--info",
    "--package",
    "--config-dir",
    "--trust",
    "--x",
    "-",
    "--",
)


class Overrides:
    """Command lines."""

    name = "overrides"
    rewrites_input = False

    def write(self, random: Random, folder: Path) -> list[str]:
        """Return a command line."""
        command = random.choice(COMMANDS).replace("ROOT", str(folder)).replace("Été (1923)", "Été_(1923)")
        arguments = [part.strip("'").replace("Été_(", "Été (") for part in command.split()]
        for _ in range(random.choice((1, 1, 2, 3))):
            at = random.randrange(len(arguments))
            key, sign, value = arguments[at].partition("=")
            match random.randrange(9):
                case 0:
                    arguments.append(random.choice(KEYS) + "=" + random.choice(VALUES))
                case 1:
                    arguments.insert(at, random.choice(FLAGS))
                case 2:
                    arguments[at] = random.choice(("+", "++", "~")) + arguments[at]
                case 3:
                    arguments[at] = mutate_text(random, arguments[at], "=.,[/").decode("utf-8", "surrogateescape")
                case 4:
                    arguments[at] = f"{key}.{random.choice(KEYS)}{sign}{value}"
                case 5:
                    arguments[at] = key[: random.randrange(len(key) + 1)] + sign + value
                case _:
                    arguments[at] = f"{key}={random.choice((value, ''))}{random.choice(VALUES)}"
        return [argument.replace("\0", "") for argument in arguments]  # a command line holds no NUL

    def read(self, given: list[str], folder: Path, out: Path) -> str:
        """Compose and validate what the command line says."""
        return run_train(given, out)


class ConfigFiles:
    """Files of ``--config-dir``, and run folders to resume."""

    name = "config files"
    rewrites_input = False

    def __init__(self) -> None:
        cfg = compose_config(["dataset=lines", "dataset.root=x"])
        self._run = OmegaConf.to_yaml(cfg)
        self._dataset = "_target_: htr_lightning.data.sources.lines.Lines\nroot: x\nmanifest: a.tsv\n"
        self._dataset += "split_ratios: [0.8, 0.1, 0.1]\n"
        self._experiment = "# @package _global_\ndefaults:\n- override /dataset: mine\nseed: 4\noptim: {lr: 0.001}\n"

    def write(self, random: Random, folder: Path) -> list[str]:
        """Write configuration files; return the command line."""
        if random.random() < 0.5:
            write_files(
                folder, {"run/config.yaml": mutate_text(random, self._run, "\n: -"), "run/checkpoints/last.ckpt": b"x"}
            )
            return [f"resume={folder / 'run'}"]
        files = {"dataset/mine.yaml": self._dataset, "experiment/mine.yaml": self._experiment}
        changed = random.choice(sorted(files))
        write_files(folder, files | {changed: mutate_text(random, files[changed], "\n: -,")})  # type: ignore[arg-type]
        return ["+experiment=mine", "--config-dir", str(folder)]

    def read(self, given: list[str], folder: Path, out: Path) -> str:
        """Compose and validate the configuration."""
        return run_train(given, out)


def run_train(arguments: list[str], out: Path) -> str:
    """Run the command that trains, in a folder, without the training itself."""
    with _without_training(), _working_in(out):
        return run_command(train, ["htr_lightning", *arguments])


@contextmanager
def _without_training() -> Iterator[None]:
    def return_scores(cfg: Any, folder: Path) -> dict[str, float]:
        return {"val/cer": 0.5}

    before = htr_lightning.training.run.run
    htr_lightning.training.run.run = return_scores  # type: ignore[assignment]
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        htr_lightning.training.run.run = before


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
