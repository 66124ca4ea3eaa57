"""Pack lines of noise in shards, and measure how long a run on them takes to start, and its memory.

    python experiments/large_sets/measure.py --sizes 1000 1000000 --repetitions 3

For each size, a set is written, unless the folder has it. Then the command of a run is started, alternating between the
sizes, and the time from there to its first training step is taken, with the peak of its memory. Writes result.json.

What is simulated: the lines (see `tiny_lines.py`), and their packing, except for ``--pack``: pixels go into the files
as they are, through the functions that the command ``pack`` calls, but in this process and without preprocessing. With
``--pack N``, the command packs N of these lines in two shards, one after the other.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tiny_lines import HEIGHT_PX, TinyLines

from htr_lightning.data.pack import fingerprint
from htr_lightning.data.pack_set import plan_files
from htr_lightning.data.packed_lines import set_written
from htr_lightning.data.packed_writer import write_packed_lines
from htr_lightning.files import atomic_write
from htr_lightning.image.preprocess import Preprocess

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-m", "htr_lightning"]
NETWORK = [
    "model=crnn_small",
    "model.height_px=8",
    "+model.channels=[16,32]",
    "+model.blocks=[1,1]",
    "+model.strides=[[2,1],[2,1]]",
    "+model.rnn_size=32",
    "+model.rnn_layers=1",
]
TRAINING = [
    "trainer=cpu",
    "+trainer.max_steps=20",
    "trainer.max_epochs=-1",
    "++trainer.limit_val_batches=1",
    "++trainer.limit_test_batches=1",
    "+trainer.enable_progress_bar=false",
]


def run(arguments: list[str], log: Path) -> float:
    """Run a command to its end with its output in a file; return its seconds."""
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    start = time.monotonic()
    with log.open("w") as file:
        done = subprocess.run(arguments, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"{log}: the command ended with {done.returncode}")
    return time.monotonic() - start


def pack(number: int, folder: Path, lines_per_file: int) -> dict[str, Any]:
    """Pack a set by the command, in two shards; return seconds, number of files and megabytes."""
    source = ["dataset=tiny", f"dataset.num_train={number}", "preprocess.height_px=8"]
    source += ["--config-dir", str(HERE / "conf")]
    options = ["--out", str(folder), "--lines-per-file", str(lines_per_file)]
    seconds = [
        run([*COMMAND, "pack", *source, *options, "--shard", f"{shard}/2"], folder.with_suffix(f".pack{shard}.log"))
        for shard in (1, 2)
    ]
    return {"seconds": seconds, **describe(folder)}


def write(number: int, folder: Path, lines_per_file: int) -> dict[str, Any]:
    """Write a set directly, without preprocessing."""
    preprocess = Preprocess(height_px=HEIGHT_PX)
    start = time.monotonic()
    if folder.is_dir():
        return describe(folder)
    folder.mkdir(parents=True)
    for planned in plan_files(TinyLines(number), preprocess, folder, lines_per_file):
        prepared = ([(line, line.image.read())] for line in planned.lines)
        with atomic_write(planned.path) as file:
            key = fingerprint(planned.lines, preprocess)
            written_s = write_packed_lines(file, prepared, HEIGHT_PX, key, planned.part)
        set_written(planned.path, written_s)
    return {"seconds": time.monotonic() - start, **describe(folder)}


def describe(folder: Path) -> dict[str, Any]:
    """Return the number and the size of the files of a set."""
    files = list(folder.glob("*.lines"))
    return {"files": len(files), "megabytes": sum(path.stat().st_size for path in files) / 2**20}


def start(folder: Path, out: Path) -> dict[str, Any]:
    """Start a run of 20 steps on a set; return when its first step began, and its memory."""
    figures = out / "first_step.json"
    callback = ["+callbacks.first._target_=tiny_lines.FirstStep", f"+callbacks.first.path={figures}"]
    data = ["dataset=packed", f"dataset.root={folder}"]
    begin = time.time()
    seconds = run([*COMMAND, *data, *NETWORK, *TRAINING, *callback, f"hydra.run.dir={out / 'run'}"], out / "log")
    measured = json.loads(figures.read_text())
    return measured | {"seconds_to_first_step": measured["first_step"] - begin, "seconds": seconds}


def main() -> None:
    """Pack what is missing, then start the runs in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 1_000_000])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--pack", type=int, metavar="N", help="also pack N lines by the command")
    parser.add_argument("--lines-per-file", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep the sets here (default: a temporary folder)")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    options = parser.parse_args()
    results: dict[str, Any] = {"sets": {}, "starts": {str(size): [] for size in options.sizes}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for size in options.sizes:
            results["sets"][str(size)] = write(size, folder / str(size), options.lines_per_file)
            print(size, results["sets"][str(size)], flush=True)
        if options.pack:
            results["packed"] = pack(options.pack, folder / "by_command", -(-options.pack // 4))
            print("pack", results["packed"], flush=True)
        for _ in range(options.repetitions):
            for size in options.sizes:
                with tempfile.TemporaryDirectory() as out:
                    results["starts"][str(size)].append(start(folder / str(size), Path(out)))
                print(size, results["starts"][str(size)][-1], flush=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
