"""The systems to compare, run as their users would: htr_lightning, kraken and PyLaia; see README.md."""

import contextlib
import csv
import importlib.metadata
import os
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from htr_lightning.metrics import cer

RUNS = Path("runs/benchmark_peers").absolute()
DATA = Path(os.environ.get("HTR_DATA", "data")).absolute() / "copiste"
THREADS = os.cpu_count() or 1

Command = list[str | Path]


@dataclass(frozen=True)
class Line:
    """A line of copiste: its image and its transcription."""

    image: Path
    text: str


def load_lines(split: str, number: int | None = None) -> list[Line]:
    """Load ``number`` evenly spaced lines of a split, of those with an image, or all of them."""
    with (DATA / f"{split}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    lines = [Line(DATA / row["image"], row["text"]) for row in rows if (DATA / row["image"]).is_file()]
    return lines if number is None else lines[:: len(lines) // number][:number]


def get_environment() -> dict[str, str]:
    """Return the environment variables of a command: all cores."""
    return os.environ | {"OMP_NUM_THREADS": str(THREADS)}


def run(command: Command) -> str:
    """Run a command to its end; return its output."""
    with (RUNS / "log.txt").open("ab") as log:
        process = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=log, env=get_environment())
        log.write(process.stdout)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed; see {RUNS / 'log.txt'}")
    return process.stdout.decode(errors="replace")


class System(ABC):
    """One of the systems.

    Attributes:
        name: in tables.
        num_lines: number of lines for measuring the training speed.
        epochs: two numbers of epochs for measuring the training speed; the difference takes half a minute or more.
        prediction_sizes: two numbers of lines for measuring the prediction speed.
        folder: folder of the last training.
        measures_training: whether to measure training; False if only prediction differs from another system.
    """

    name: str
    num_lines: int
    epochs: tuple[int, int]
    prediction_sizes: tuple[int, int]
    folder: Path
    measures_training: bool = True

    @abstractmethod
    def version(self) -> str:
        """Return its version."""

    def prepare(self, folder: Path) -> None:
        """Prepare a training in a folder; not timed."""
        self.folder = folder

    @abstractmethod
    def get_training_command(self, epochs: int, *, validate: bool) -> Command:
        """Return the command that trains a new model on the training lines and writes into the folder."""

    @abstractmethod
    def get_prediction_command(self, number: int) -> Command:
        """Return the command that predicts ``number`` lines, with the last trained model or a shipped one."""

    @abstractmethod
    def compute_cer(self, checkpoint: Path, val: Sequence[Line]) -> float:
        """Return the CER of a checkpoint on the validation lines, as a fraction."""

    def find_latest_checkpoint(self) -> Path | None:
        """Return the latest checkpoint of the training, None if there is none."""
        checkpoints: dict[float, Path] = {}
        for path in self.folder.rglob("[!.]*.ckpt"):  # not a partially written one
            with contextlib.suppress(FileNotFoundError):
                checkpoints[path.stat().st_mtime] = path
        return checkpoints[max(checkpoints)] if checkpoints else None


class HtrLightning(System):
    """htr_lightning: training with the experiment copiste; prediction as the command chooses, in 8 bits."""

    name, num_lines, epochs, prediction_sizes = "htr_lightning", 640, (1, 4), (100, 500)
    options: tuple[str, ...] = ()

    def __init__(self, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.python: Command = [sys.executable, "-m", "htr_lightning"]
        self.images = [line.image for line in read]
        self.root = RUNS / "htr_lightning"
        self.root.mkdir(parents=True, exist_ok=True)
        for split, lines in (("train", train), ("val", val)):
            rows = "".join(f"{line.image}\t{line.text}\n" for line in lines)
            (self.root / f"{split}.tsv").write_text("image\ttext\n" + rows, encoding="utf-8")
        if read:
            run(self.get_prediction_command(1))  # exports the model, which happens once for each user

    def version(self) -> str:
        """Return the installed version."""
        return importlib.metadata.version("htr_lightning")

    def get_training_command(self, epochs: int, *, validate: bool) -> Command:
        """Return the training command of the experiment, unchanged."""
        validation = [] if validate else [f"++trainer.check_val_every_n_epoch={epochs}"]
        return [
            *self.python,
            "+experiment=copiste",
            f"hydra.run.dir={self.folder}",
            "dataset=lines",
            f"dataset.root={self.root}",
            f"loader.cache_dir={self.folder / 'packed'}",
            "loader.max_shared=1",
            f"trainer.max_epochs={epochs}",
            "+trainer.enable_progress_bar=false",
            *validation,
        ]

    def get_prediction_command(self, number: int) -> Command:
        """Return the prediction command with the small shipped model."""
        return [*self.python, "predict", "zoo:latin", "--lines", *self.options, *self.images[:number]]

    def compute_cer(self, checkpoint: Path, val: Sequence[Line]) -> float:
        """Return the CER of its predictions."""
        texts = run([*self.python, "predict", checkpoint, "--lines", *(line.image for line in val)]).splitlines()
        return cer([line.text for line in val], texts)


class HtrLightningFloat32(HtrLightning):
    """htr_lightning, prediction in 32 bits."""

    name, measures_training, options = "htr_lightning --runtime onnx", False, ("--runtime", "onnx")


class Kraken(System):
    """kraken with its default network, batches of 16 and all cores."""

    name, num_lines, epochs, prediction_sizes = "kraken", 64, (1, 2), (40, 140)

    def __init__(self, home: Path, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.home = home / "bin"
        self.ketos: Command = [self.home / "ketos", "-d", "cpu", "--threads", str(THREADS)]
        self.lists = {name: self._write_lines(name, lines) for name, lines in (("train", train), ("val", val))}
        self.validation_list = self._write_lines("stop", val[:8])
        self.prediction_lists = {
            number: self._write_lines(f"read{number}", read[:number]) for number in self.prediction_sizes
        }

    def version(self) -> str:
        """Return the installed version."""
        return get_installed_version(self.home, "kraken")

    def _write_lines(self, name: str, lines: Sequence[Line]) -> Path:
        folder = RUNS / "kraken" / name
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, line in enumerate(lines):
            path = folder / f"{number:05}.png"
            with Image.open(line.image) as image:
                image.save(path)
            path.with_suffix(".gt.txt").write_text(line.text, encoding="utf-8")
            paths.append(path)
        list_path = folder.with_suffix(".txt")
        list_path.write_text("".join(f"{path}\n" for path in paths))
        return list_path

    def get_training_command(self, epochs: int, *, validate: bool) -> Command:
        """Return the training command; it validates on eight lines only, because more would take much of the time."""
        frequency = "0.1" if validate else str(epochs)
        return [
            *self.ketos,
            "train",
            "-f",
            "path",
            "-B",
            "16",
            "-q",
            "fixed",
            "-N",
            str(epochs),
            "-F",
            frequency,
            "-t",
            self.lists["train"],
            "-e",
            self.validation_list,
            "-o",
            self.folder,
        ]

    def get_prediction_command(self, number: int) -> Command:
        """Return the command ``ketos test``, which takes line images."""
        return self._get_test_command(self.find_latest_checkpoint(), self.prediction_lists[number])

    def _get_test_command(self, checkpoint: Path | None, list_path: Path) -> Command:
        assert checkpoint is not None
        return [*self.ketos, "test", "-f", "path", "-B", "16", "-m", checkpoint, "-e", list_path]

    def compute_cer(self, checkpoint: Path, val: Sequence[Line]) -> float:
        """Return the CER that ``ketos test`` reports."""
        output = run(self._get_test_command(checkpoint, self.lists["val"]))
        match = re.search(r"Character Accuracy:?\s*([-\d.]+)\s*%|([-\d.]+)%?\s+Character Accuracy", output)
        assert match, output
        return 1 - float(match[1] or match[2]) / 100


class PyLaia(System):
    """PyLaia with its default network, lines of 64 px, batches of 16 and all cores."""

    name, num_lines, epochs, prediction_sizes = "PyLaia", 128, (1, 3), (40, 340)

    def __init__(self, home: Path, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.home, self.data = home / "bin", RUNS / "pylaia"
        self.images = self.data / "images"
        self.images.mkdir(parents=True, exist_ok=True)
        characters = sorted({character for line in (*train, *val) for character in line.text})
        symbols = ["<ctc>", *map(self._symbol, characters)]
        self.syms = self.data / "syms.txt"
        self.syms.write_text("".join(f"{symbol} {number}\n" for number, symbol in enumerate(symbols)), encoding="utf-8")
        for name, lines in (("train", train), ("val", val)):
            rows = [f"{self._convert_image(line)} {' '.join(map(self._symbol, line.text))}\n" for line in lines]
            (self.data / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
        self._write_list("val-images", val)
        for number in self.prediction_sizes:
            self._write_list(f"read-{number}", read[:number])

    def version(self) -> str:
        """Return the installed version."""
        return get_installed_version(self.home, "pylaia")

    def _write_list(self, name: str, lines: Sequence[Line]) -> None:
        (self.data / f"{name}.txt").write_text("".join(f"{self._convert_image(line)}\n" for line in lines))

    def _convert_image(self, line: Line) -> str:
        name = line.image.stem
        if not (self.images / f"{name}.png").is_file():
            with Image.open(line.image) as image:
                width = max(1, round(image.width * 64 / image.height))
                image.convert("L").resize((width, 64), Image.Resampling.LANCZOS).save(self.images / f"{name}.png")
        return name

    @staticmethod
    def _symbol(character: str) -> str:
        return "<space>" if character == " " else character

    def prepare(self, folder: Path) -> None:
        """Create the network."""
        super().prepare(folder)
        common = ["--common.train_path", folder]
        run([self.home / "pylaia-htr-create-model", self.syms, "--fixed_input_height", "64", *common])

    def get_training_command(self, epochs: int, *, validate: bool) -> Command:
        """Return the training command, with augmentation as its documentation advises."""
        validation = [] if validate else ["--trainer.limit_val_batches", "1"]
        return [
            self.home / "pylaia-htr-train-ctc",
            self.syms,
            f"[{self.images}]",
            self.data / "train.txt",
            self.data / "val.txt",
            "--common.train_path",
            self.folder,
            "--data.batch_size",
            "16",
            "--trainer.max_epochs",
            str(epochs),
            "--train.augment_training",
            "true",
            "--trainer.progress_bar_refresh_rate",
            "0",
            *validation,
        ]

    def get_prediction_command(self, number: int) -> Command:
        """Return the command ``pylaia-htr-decode-ctc``."""
        return self._get_decode_command(self.find_latest_checkpoint(), f"read-{number}")

    def _get_decode_command(self, checkpoint: Path | None, list_name: str) -> Command:
        assert checkpoint is not None
        return [
            self.home / "pylaia-htr-decode-ctc",
            self.syms,
            self.data / f"{list_name}.txt",
            "--img_dirs",
            f"[{self.images}]",
            "--common.train_path",
            self.folder,
            "--common.checkpoint",
            checkpoint,
            "--data.batch_size",
            "16",
            "--decode.join_string",
            "",
            "--decode.convert_spaces",
            "true",
        ]

    def compute_cer(self, checkpoint: Path, val: Sequence[Line]) -> float:
        """Return the CER of its predictions, computed as for htr_lightning."""
        rows = run(self._get_decode_command(checkpoint, "val-images")).splitlines()
        texts = dict(row.split(" ", 1) if " " in row else (row, "") for row in rows)
        return cer([line.text for line in val], [texts.get(self._convert_image(line), "").strip() for line in val])


def get_installed_version(home: Path, package: str) -> str:
    """Return the version of a package in a virtual environment."""
    output = subprocess.run([home / "pip", "show", package], capture_output=True, text=True, check=True).stdout
    match = re.search(r"^Version: (.*)$", output, re.MULTILINE)
    return match[1] if match else "unknown"
