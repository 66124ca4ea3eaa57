"""How fast htr_lightning, kraken and PyLaia train and read the same lines on this machine's cores; see README.md.

    python experiments/benchmark_peers/measure.py KRAKEN PYLAIA [--repetitions 3]

KRAKEN and PYLAIA are the virtual environments of the two. Needs HTR_DATA (copiste). Writes result.json and result.md.

What is timed are whole commands, as a user types them. To leave out what they need for starting, each is run with less
and with more to do, and the difference of the times is divided by the difference of the work. The systems take turns.
"""

import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

RUNS, HERE = Path("runs/benchmark_peers").absolute(), Path(__file__).parent
DATA = Path(os.environ.get("HTR_DATA", "data")).absolute() / "copiste"
THREADS = os.cpu_count() or 1
TRAIN_LINES, VAL_LINES = 64, 8


@dataclass(frozen=True)
class Line:
    """A line of copiste: its image and what it says."""

    image: Path
    text: str


def lines_of(split: str, number: int) -> list[Line]:
    """Take lines from all over a split."""
    with (DATA / f"{split}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Line(DATA / row["image"], row["text"]) for row in rows[:: len(rows) // number][:number]]


def timed(*command: str | Path) -> float:
    """Run a command to its end; return the seconds it took."""
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS)}
    with (RUNS / "log.txt").open("ab") as log:
        start = time.monotonic()
        status = subprocess.run([str(part) for part in command], stdout=log, stderr=log, env=environment).returncode
        seconds = time.monotonic() - start
    if status:
        raise SystemExit(f"{' '.join(map(str, command))} failed; see {RUNS / 'log.txt'}")
    return seconds


class System(Protocol):
    """One of the systems.

    Attributes:
        name: of it.
        epochs: fewer and more, for training; chosen so that the difference takes half a minute or more.
        reads: fewer and more lines.
    """

    name: str
    epochs: tuple[int, int]
    reads: tuple[int, int]

    def train(self, epochs: int) -> float:
        """Train on the lines; return the seconds."""
        ...

    def read(self, number: int) -> float:
        """Read so many lines with what was trained, or what ships; return the seconds."""
        ...


class Ours:
    """htr_lightning: the experiment copiste; reading as from an installation without PyTorch."""

    name, epochs, reads = "htr_lightning", (4, 44), (100, 500)

    def __init__(self, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.images = [str(line.image) for line in read]
        for split, lines in (("train", train), ("val", val)):
            rows = "".join(f"{line.image}\t{line.text}\n" for line in lines)
            (RUNS / f"{split}.tsv").write_text("image\ttext\n" + rows, encoding="utf-8")
        self.model, self.count = RUNS / "latin.onnx", 0
        timed(sys.executable, "-m", "htr_lightning", "export", "zoo:latin", "--to", "onnx", "--out", self.model)

    def train(self, epochs: int) -> float:
        """With the recipe of the experiment; validated at the end only."""
        self.count += 1
        folder = RUNS / f"ours-{self.count}"
        return timed(
            sys.executable, "-m", "htr_lightning", "+experiment=copiste", f"hydra.run.dir={folder}",
            "dataset=lines", f"dataset.root={RUNS}", f"loader.cache_dir={RUNS / 'packed'}", "loader.max_shared=1",
            f"trainer.max_epochs={epochs}", "++trainer.check_val_every_n_epoch=1000",
            "+trainer.enable_progress_bar=false",
        )  # fmt: skip

    def read(self, number: int) -> float:
        """With ``predict``, from an ONNX file."""
        return timed(sys.executable, "-m", "htr_lightning", "predict", self.model, *self.images[:number])


class Kraken:
    """kraken with its default network, batches of 16 and all cores."""

    name, epochs, reads = "kraken", (1, 2), (40, 140)

    def __init__(self, home: Path, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.ketos = [home / "bin" / "ketos", "-d", "cpu", "--threads", str(THREADS)]
        self.lists = {name: self._written(name, lines) for name, lines in (("train", train), ("val", val))}
        self.read_lists = {number: self._written(f"read{number}", read[:number]) for number in self.reads}
        self.folder = RUNS / "kraken-model"

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

    def train(self, epochs: int) -> float:
        """With ``ketos train``."""
        lists = ["-t", self.lists["train"], "-e", self.lists["val"]]
        fixed = ["-q", "fixed", "-N", str(epochs), "-F", str(epochs)]
        return timed(*self.ketos, "train", "-f", "path", "-B", "16", *fixed, *lists, "-o", self.folder)

    def read(self, number: int) -> float:
        """With ``ketos test``, which reads lines that are cut out already."""
        model = max(self.folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
        return timed(*self.ketos, "test", "-f", "path", "-B", "16", "-m", model, "-e", self.read_lists[number])


class PyLaia:
    """PyLaia with its default network, lines of 64 px, batches of 16 and all cores."""

    name, epochs, reads = "PyLaia", (1, 4), (40, 340)

    def __init__(self, home: Path, train: Sequence[Line], val: Sequence[Line], read: Sequence[Line]) -> None:
        self.home, self.folder = home / "bin", RUNS / "pylaia"
        self.images = self.folder / "images"
        self.images.mkdir(parents=True, exist_ok=True)
        characters = sorted({character for line in (*train, *val) for character in line.text})
        symbols = ["<ctc>", *(self._symbol(character) for character in characters)]
        self.syms = self.folder / "syms.txt"
        self.syms.write_text("".join(f"{symbol} {number}\n" for number, symbol in enumerate(symbols)), encoding="utf-8")
        for name, lines in (("train", train), ("val", val)):
            rows = [f"{self._image(line)} {' '.join(map(self._symbol, line.text))}\n" for line in lines]
            (self.folder / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
        for number in self.reads:
            rows = [f"{self._image(line)}\n" for line in read[:number]]
            (self.folder / f"read-{number}.txt").write_text("".join(rows))

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

    def train(self, epochs: int) -> float:
        """With ``pylaia-htr-train-ctc``, from a new model."""
        common = ["--common.train_path", self.folder, "--common.experiment_dirname", f"epochs-{epochs}"]
        timed(self.home / "pylaia-htr-create-model", self.syms, "--fixed_input_height", "64", *common)
        return timed(
            self.home / "pylaia-htr-train-ctc", self.syms, f"[{self.images}]", self.folder / "train.txt",
            self.folder / "val.txt", *common, "--data.batch_size", "16", "--trainer.max_epochs", str(epochs),
            "--train.augment_training", "true", "--trainer.progress_bar_refresh_rate", "0",
        )  # fmt: skip

    def read(self, number: int) -> float:
        """With ``pylaia-htr-decode-ctc``."""
        trained = f"epochs-{self.epochs[1]}"
        best = max((self.folder / trained).glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
        return timed(
            self.home / "pylaia-htr-decode-ctc", self.syms, self.folder / f"read-{number}.txt", "--img_dirs",
            f"[{self.images}]", "--common.train_path", self.folder, "--common.experiment_dirname", trained,
            "--common.checkpoint", best.name, "--data.batch_size", "16",
        )  # fmt: skip


def versions(kraken: Path, pylaia: Path) -> dict[str, str]:
    """Return what is compared."""
    found = {}
    for name, home in (("kraken", kraken), ("pylaia", pylaia)):
        said = subprocess.run([home / "bin" / "pip", "show", name], capture_output=True, text=True, check=True).stdout
        match = re.search(r"^Version: (.*)$", said, re.MULTILINE)
        found[name] = match[1] if match else "unknown"
    return found


def main() -> None:
    """Measure in turns, and write what was found after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kraken", type=Path, help="virtual environment of kraken")
    parser.add_argument("pylaia", type=Path, help="virtual environment of PyLaia")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    train, val, read = lines_of("train", TRAIN_LINES), lines_of("val", VAL_LINES), lines_of("val", 500)
    kraken, pylaia = options.kraken.absolute(), options.pylaia.absolute()
    systems: list[System] = [Ours(train, val, read), Kraken(kraken, train, val, read), PyLaia(pylaia, train, val, read)]
    rates: dict[str, dict[str, list[float]]] = {system.name: {"training": [], "reading": []} for system in systems}
    for _ in range(options.repetitions):
        for system in systems:
            few, many = system.epochs
            seconds = -system.train(few) + system.train(many)
            rates[system.name]["training"].append((many - few) * TRAIN_LINES / seconds)
            few, many = system.reads
            seconds = -system.read(few) + system.read(many)
            rates[system.name]["reading"].append((many - few) / seconds)
            print(system.name, {work: round(found[-1], 1) for work, found in rates[system.name].items()}, flush=True)
        write(rates, versions(kraken, pylaia))


def write(rates: dict[str, dict[str, list[float]]], compared: dict[str, str]) -> None:
    """Write the medians, and how many times as fast as the others the first system is."""
    medians = {name: {work: statistics.median(found) for work, found in by.items()} for name, by in rates.items()}
    ours, *others = medians
    ratios = {
        work: {other: medians[ours][work] / medians[other][work] for other in others}
        for work in ("training", "reading")
    }
    summary = {
        "versions": compared,
        "threads": THREADS,
        "lines_per_second": medians,
        "times_as_fast": ratios,
        "all": rates,
    }
    (HERE / "result.json").write_text(json.dumps(summary, indent=2) + "\n")
    rows = ["| | training, lines/s | reading, lines/s |", "|---|---|---|"]
    for name, by in medians.items():
        cells = [f"{by[work]:.1f}" for work in ("training", "reading")]
        if name in others:
            cells = [f"{cell} (1/{ratios[work][name]:.0f})" for cell, work in zip(cells, ratios, strict=True)]
        rows.append(f"| {name} {compared.get(name.lower(), '')} | {' | '.join(cells)} |")
    (HERE / "result.md").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
