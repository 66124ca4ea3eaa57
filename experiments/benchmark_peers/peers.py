"""The systems that are compared, as their users run them: htr_lightning, kraken and PyLaia; see README.md."""

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
    """A line of copiste: its image and what it says."""

    image: Path
    text: str


def lines_of(split: str, number: int | None = None) -> list[Line]:
    """Take so many lines of a split, every second, third ... one of those that have an image, or all of them."""
    with (DATA / f"{split}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    lines = [Line(DATA / row["image"], row["text"]) for row in rows if (DATA / row["image"]).is_file()]
    return lines if number is None else lines[:: len(lines) // number][:number]


def environment() -> dict[str, str]:
    """Return the environment of a command: all cores."""
    return os.environ | {"OMP_NUM_THREADS": str(THREADS)}


def run(command: Command) -> str:
    """Run a command to its end; return what it printed."""
    with (RUNS / "log.txt").open("ab") as log:
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=log, env=environment())
        log.write(done.stdout)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed; see {RUNS / 'log.txt'}")
    return done.stdout.decode(errors="replace")


class System(ABC):
    """One of the systems.

    Attributes:
        name: of it.
        num_lines: that the speed of training is measured with.
        epochs: fewer and more, for the same; the difference takes half a minute or more.
        reads: fewer and more lines, for the speed of reading.
        folder: where the last training was prepared.
        trains: whether its training is measured; it is not where only the reading differs from that of another one.
    """

    name: str
    num_lines: int
    epochs: tuple[int, int]
    reads: tuple[int, int]
    folder: Path
    trains: bool = True

    @abstractmethod
    def version(self) -> str:
        """Return which version it is."""

    def prepare(self, folder: Path) -> None:
        """Do what comes before a training into a folder and is not timed."""
        self.folder = folder

    @abstractmethod
    def training(self, epochs: int, *, validate: bool) -> Command:
        """Return the command that trains a new model on the training lines; what it writes goes under the folder."""

    @abstractmethod
    def reading(self, number: int) -> Command:
        """Return the command that reads so many lines, with the model trained last or with what ships."""

    @abstractmethod
    def cer(self, state: Path, val: Sequence[Line]) -> float:
        """Return the CER, as a share, of a state of the training on the validation lines."""

    def newest(self) -> Path | None:
        """Return the state of the training that was written last, None where there is none."""
        states: dict[float, Path] = {}
        for path in self.folder.rglob("[!.]*.ckpt"):  # not one that is being written
            with contextlib.suppress(FileNotFoundError):
                states[path.stat().st_mtime] = path
        return states[max(states)] if states else None


class Ours(System):
    """htr_lightning: the experiment copiste; reading as from an installation without PyTorch."""

    name, num_lines, epochs, reads = "htr_lightning", 640, (1, 4), (100, 500)
    export_options: tuple[str, ...] = ()

    def __init__(self, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.python: Command = [sys.executable, "-m", "htr_lightning"]
        self.images = [line.image for line in read]
        self.root = RUNS / "ours"
        self.root.mkdir(parents=True, exist_ok=True)
        self.exported = RUNS / f"latin{''.join(self.export_options)}.onnx"
        self.exported.unlink(missing_ok=True)  # of an earlier revision, perhaps
        for split, lines in (("train", train), ("val", val)):
            rows = "".join(f"{line.image}\t{line.text}\n" for line in lines)
            (self.root / f"{split}.tsv").write_text("image\ttext\n" + rows, encoding="utf-8")

    def version(self) -> str:
        """Return the installed one."""
        return importlib.metadata.version("htr_lightning")

    def training(self, epochs: int, *, validate: bool) -> Command:
        """With the recipe as it is."""
        rarely = [] if validate else ["++trainer.check_val_every_n_epoch=1000"]
        return [
            *self.python, "+experiment=copiste", f"hydra.run.dir={self.folder}", "dataset=lines",
            f"dataset.root={self.root}", f"loader.cache_dir={self.folder / 'packed'}", "loader.max_shared=1",
            f"trainer.max_epochs={epochs}", "+trainer.enable_progress_bar=false", *rarely,
        ]  # fmt: skip

    def reading(self, number: int) -> Command:
        """With the small model that ships, as an ONNX file."""
        if not self.exported.is_file():
            run([*self.python, "export", "zoo:latin", "--to", "onnx", "--out", self.exported, *self.export_options])
        return [*self.python, "predict", self.exported, "--lines", *self.images[:number]]

    def cer(self, state: Path, val: Sequence[Line]) -> float:
        """Of what it reads."""
        texts = run([*self.python, "predict", state, "--lines", *(line.image for line in val)]).splitlines()
        return cer([line.text for line in val], texts)


class OursInEightBits(Ours):
    """htr_lightning, reading with convolutions in 8 bits."""

    name, trains, export_options = "htr_lightning --int8", False, ("--int8",)


class Kraken(System):
    """kraken with its default network, batches of 16 and all cores."""

    name, num_lines, epochs, reads = "kraken", 64, (1, 2), (40, 140)

    def __init__(self, home: Path, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.home = home / "bin"
        self.ketos: Command = [self.home / "ketos", "-d", "cpu", "--threads", str(THREADS)]
        self.lists = {name: self._written(name, lines) for name, lines in (("train", train), ("val", val))}
        self.stop = self._written("stop", val[:8])
        self.read_lists = {number: self._written(f"read{number}", read[:number]) for number in self.reads}

    def version(self) -> str:
        """Return the installed one."""
        return installed(self.home, "kraken")

    def _written(self, name: str, lines: Sequence[Line]) -> Path:
        folder = RUNS / "kraken" / name
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, line in enumerate(lines):
            path = folder / f"{number:05}.png"
            with Image.open(line.image) as image:
                image.save(path)
            path.with_suffix(".gt.txt").write_text(line.text, encoding="utf-8")
            paths.append(path)
        listed = folder.with_suffix(".txt")
        listed.write_text("".join(f"{path}\n" for path in paths))
        return listed

    def training(self, epochs: int, *, validate: bool) -> Command:
        """Validate on eight lines only, as reading more would take much of its time; a state is kept then."""
        often = "0.1" if validate else str(epochs)
        return [
            *self.ketos, "train", "-f", "path", "-B", "16", "-q", "fixed", "-N", str(epochs), "-F", often,
            "-t", self.lists["train"], "-e", self.stop, "-o", self.folder,
        ]  # fmt: skip

    def reading(self, number: int) -> Command:
        """With ``ketos test``, which reads lines that are cut out already."""
        return self._test(self.newest(), self.read_lists[number])

    def _test(self, state: Path | None, listed: Path) -> Command:
        assert state is not None
        return [*self.ketos, "test", "-f", "path", "-B", "16", "-m", state, "-e", listed]

    def cer(self, state: Path, val: Sequence[Line]) -> float:
        """As ``ketos test`` reports it."""
        said = run(self._test(state, self.lists["val"]))
        found = re.search(r"Character Accuracy:?\s*([-\d.]+)\s*%|([-\d.]+)%?\s+Character Accuracy", said)
        assert found, said
        return 1 - float(found[1] or found[2]) / 100


class PyLaia(System):
    """PyLaia with its default network, lines of 64 px, batches of 16 and all cores."""

    name, num_lines, epochs, reads = "PyLaia", 128, (1, 3), (40, 340)

    def __init__(self, home: Path, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.home, self.data = home / "bin", RUNS / "pylaia"
        self.images = self.data / "images"
        self.images.mkdir(parents=True, exist_ok=True)
        characters = sorted({character for line in (*train, *val) for character in line.text})
        symbols = ["<ctc>", *map(self._symbol, characters)]
        self.syms = self.data / "syms.txt"
        self.syms.write_text("".join(f"{symbol} {number}\n" for number, symbol in enumerate(symbols)), encoding="utf-8")
        for name, lines in (("train", train), ("val", val)):
            rows = [f"{self._image(line)} {' '.join(map(self._symbol, line.text))}\n" for line in lines]
            (self.data / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
        self._list("val-images", val)
        for number in self.reads:
            self._list(f"read-{number}", read[:number])

    def version(self) -> str:
        """Return the installed one."""
        return installed(self.home, "pylaia")

    def _list(self, name: str, lines: Sequence[Line]) -> None:
        (self.data / f"{name}.txt").write_text("".join(f"{self._image(line)}\n" for line in lines))

    def _image(self, line: Line) -> str:
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
        """Write the network."""
        super().prepare(folder)
        common = ["--common.train_path", folder]
        run([self.home / "pylaia-htr-create-model", self.syms, "--fixed_input_height", "64", *common])

    def training(self, epochs: int, *, validate: bool) -> Command:
        """With augmentation, as its documentation advises."""
        few = [] if validate else ["--trainer.limit_val_batches", "1"]
        return [
            self.home / "pylaia-htr-train-ctc", self.syms, f"[{self.images}]", self.data / "train.txt",
            self.data / "val.txt", "--common.train_path", self.folder, "--data.batch_size", "16",
            "--trainer.max_epochs", str(epochs), "--train.augment_training", "true",
            "--trainer.progress_bar_refresh_rate", "0", *few,
        ]  # fmt: skip

    def reading(self, number: int) -> Command:
        """With ``pylaia-htr-decode-ctc``."""
        return self._decode(self.newest(), f"read-{number}")

    def _decode(self, state: Path | None, listed: str) -> Command:
        assert state is not None
        return [
            self.home / "pylaia-htr-decode-ctc", self.syms, self.data / f"{listed}.txt", "--img_dirs",
            f"[{self.images}]", "--common.train_path", self.folder, "--common.checkpoint", state,
            "--data.batch_size", "16", "--decode.join_string", "", "--decode.convert_spaces", "true",
        ]  # fmt: skip

    def cer(self, state: Path, val: Sequence[Line]) -> float:
        """Of what it reads, measured as ours."""
        rows = run(self._decode(state, "val-images")).splitlines()
        texts = dict(row.split(" ", 1) if " " in row else (row, "") for row in rows)
        return cer([line.text for line in val], [texts.get(self._image(line), "").strip() for line in val])


def installed(home: Path, package: str) -> str:
    """Return the version of a package in a virtual environment."""
    said = subprocess.run([home / "pip", "show", package], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Version: (.*)$", said, re.MULTILINE)
    return found[1] if found else "unknown"
