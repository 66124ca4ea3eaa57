"""How fast lines are packed and loaded, and how much memory that takes as the data set grows.

    python experiments/benchmark_data/measure.py [--sizes 1000 10000 100000] [--out experiments/benchmark_data]

Needs HTR_DATA/copiste for the figures on real lines. Each size is measured in a process of its own, in a fresh
folder; writes result.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEGABYTE = 2**20
REPETITIONS = 5


def synthetic(number: int) -> dict[str, float]:
    """Pack ``number`` synthetic lines, then take 100 batches of them."""
    from htr_lightning.data.augment import Augment
    from htr_lightning.data.module import LineDataModule
    from htr_lightning.data.preprocess import Preprocess
    from htr_lightning.data.sources.synthetic import Synthetic

    with tempfile.TemporaryDirectory() as folder:
        source = Synthetic(num_train=number, num_val=100, num_test=100)
        data = LineDataModule(source, Preprocess(), Augment(), cache_dir=folder)
        start = time.perf_counter()
        data.setup()
        packed = time.perf_counter() - start
        before = memory()
        start = time.perf_counter()
        second = LineDataModule(source, Preprocess(), Augment(), cache_dir=folder)
        second.setup()
        opened = time.perf_counter() - start
        for _, batch in zip(range(100), second.train_dataloader(), strict=False):
            second.on_after_batch_transfer(batch, 0)
        return {
            "lines": number,
            "seconds_to_pack": packed,
            "lines_per_second_rendered_and_packed": number / packed,
            "seconds_to_open_again": opened,
            "megabytes_on_disk": sum(p.stat().st_size for p in Path(folder).iterdir()) / MEGABYTE,
            "megabytes_own_after_packing": before,
            "megabytes_own_after_100_batches": memory(),
        }


def memory() -> float:
    """Return this process's own resident memory (MB), without the mapped file, whose pages can be dropped."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(fields["RssAnon"].split()[0]) / 1024


def copiste() -> dict[str, float]:
    """Pack the real lines, and pass over them without augmentation, and with it."""
    from hydra import compose, initialize_config_dir

    from htr_lightning.config import conf_dir
    from htr_lightning.data.augment import Augment
    from htr_lightning.run import build

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=["+experiment=copiste"])
    with tempfile.TemporaryDirectory() as folder:
        data = build(cfg.loader)(build(cfg.dataset), build(cfg.preprocess), Augment(), cache_dir=folder)
        start = time.perf_counter()
        data.setup()
        seconds = time.perf_counter() - start
        lines = sum(len(packed) for packed in data.packed.values())
        speeds = [passed(data) for _ in range(REPETITIONS)]
    return {
        "lines": lines,
        "lines_per_second_packed": lines / seconds,
        "lines_per_second_loaded_median": statistics.median(speeds),
        "lines_per_second_loaded_least": min(speeds),
    }


def passed(data: object) -> float:
    """Take every training batch to float ink once, and return lines per second."""
    start = time.perf_counter()
    lines = 0
    for batch in data.train_dataloader():  # type: ignore[attr-defined]
        data.on_after_batch_transfer(batch, 0)  # type: ignore[attr-defined]
        lines += len(batch)
    return lines / (time.perf_counter() - start)


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        result = copiste() if options.only == "copiste" else synthetic(int(options.only))
        print(json.dumps(result))
        return
    results = {}
    for name in ("copiste", *map(str, options.sizes)):
        command = [sys.executable, __file__, "--only", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
        results[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, results[name], flush=True)
    (options.out / "result.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
