"""Measure how fast pages are read, and lines packed and loaded, and how much memory that takes as the dataset grows.

    python experiments/benchmark_data/measure.py [--sizes 1000 10000 100000] [--out experiments/benchmark_data]

Needs HTR_DATA/copiste for the figures on real lines. Each measurement runs in its own process, in a new folder. Writes
result.json.
"""

import argparse
import contextlib
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


def measure_synthetic(number: int) -> dict[str, float]:
    """Pack ``number`` synthetic lines, then load 100 batches of them."""
    from htr_lightning.data.augment import Augment
    from htr_lightning.data.module import LineDataModule
    from htr_lightning.data.sources.synthetic import Synthetic
    from htr_lightning.image.preprocess import Preprocess

    with tempfile.TemporaryDirectory() as folder:
        source = Synthetic(num_train=number, num_val=100, num_test=100)
        data = LineDataModule(source, Preprocess(), Augment(), cache_dir=folder)
        start = time.perf_counter()
        data.setup()
        packing_s = time.perf_counter() - start
        after_packing = peak_memory_mb()
        start = time.perf_counter()
        second = LineDataModule(source, Preprocess(), Augment(), cache_dir=folder)
        second.setup()
        opening_s = time.perf_counter() - start
        for _, batch in zip(range(100), second.train_dataloader(), strict=False):
            second.on_after_batch_transfer(batch, 0)
        return {
            "lines": number,
            "seconds_to_pack": packing_s,
            "lines_per_second_rendered_and_packed": number / packing_s,
            "seconds_to_open_again": opening_s,
            "megabytes_on_disk": sum(p.stat().st_size for p in Path(folder).iterdir()) / MEGABYTE,
            "megabytes_resident_after_packing": after_packing,
            "megabytes_resident_after_100_batches": peak_memory_mb(),
        }


def peak_memory_mb(process: int | str = "self") -> float:
    """Return the peak resident set size of a process in MB, libraries included; 0 if the process has ended."""
    with contextlib.suppress(OSError, KeyError):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        return float(fields["VmHWM"].split()[0]) / 1024
    return 0.0


def find_process_tree(process: int) -> list[int]:
    """Return a process and all its descendants."""
    processes = [process]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                processes += find_process_tree(int(child))
    return processes


def measure_training(number: int) -> dict[str, float]:
    """Pack ``number`` synthetic lines and train on them for 100 steps; measure the memory of every process."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [
            "dataset=synthetic",
            f"dataset.num_train={number}",
            "+trainer.max_steps=100",
            "trainer.max_epochs=1",
        ]
        command = [sys.executable, "-m", "htr_lightning", *settings, f"hydra.run.dir={folder}/run"]
        environment = {**os.environ, "HTR_CACHE": f"{folder}/packed"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        peaks: dict[int, float] = {}
        while process.poll() is None:
            for each in find_process_tree(process.pid):
                peaks[each] = max(peak_memory_mb(each), peaks.get(each, 0.0))
            time.sleep(0.25)
    if process.returncode:
        raise SystemExit(f"training ended with {process.returncode}")
    own = peaks.pop(process.pid)
    return {
        "lines": number,
        "megabytes_resident_peak": own,
        "megabytes_resident_peak_of_workers": max(peaks.values(), default=0.0),
    }


def measure_pages() -> dict[str, float]:
    """Read the 15 pages, cut out and preprocess all their lines, several times."""
    from htr_lightning.data.pack import pack
    from htr_lightning.data.sources.pages import Pages
    from htr_lightning.image.preprocess import Preprocess

    root = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "pages"
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        source = Pages(str(root), format="alto")
        lines = [line for split in ("train", "val", "test") for line in source.lines(split)]
        with tempfile.TemporaryDirectory() as folder:
            packed = pack(lines, Preprocess(), Path(folder), num_workers=os.cpu_count() or 1)
        seconds.append(time.perf_counter() - start)
    assert not packed.skipped
    return {"lines": len(packed), "seconds_median": statistics.median(seconds), "seconds_most": max(seconds)}


def measure_copiste() -> dict[str, float]:
    """Pack the real lines, with and without deslanting, and load them without augmentation."""
    from hydra import compose, initialize_config_dir

    from htr_lightning.config.build import build, build_dataset
    from htr_lightning.config.compose import conf_dir
    from htr_lightning.data.augment import Augment
    from htr_lightning.image.preprocess import Preprocess

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=["+experiment=copiste"])
    with tempfile.TemporaryDirectory() as folder:
        data = build(cfg.loader)(build_dataset(cfg), build(cfg.preprocess), Augment(), cache_dir=folder)
        start = time.perf_counter()
        data.setup()
        seconds = time.perf_counter() - start
        plain_seconds = []
        for number in range(REPETITIONS):
            cache_dir = f"{folder}/{number}"
            without_deslanting = build(cfg.loader)(build_dataset(cfg), Preprocess(), Augment(), cache_dir=cache_dir)
            start = time.perf_counter()
            without_deslanting.setup()
            plain_seconds.append(time.perf_counter() - start)
        lines = sum(len(packed) for packed in data.packed.values())
        speeds = [measure_loading(data) for _ in range(REPETITIONS)]
    return {
        "lines": lines,
        "lines_per_second_packed_with_deslanting": lines / seconds,
        "lines_per_second_packed_median": lines / statistics.median(plain_seconds),
        "lines_per_second_packed_least": lines / max(plain_seconds),
        "lines_per_second_loaded_median": statistics.median(speeds),
        "lines_per_second_loaded_least": min(speeds),
    }


def measure_loading(data: object) -> float:
    """Load every training batch once, as floats, and return lines per second."""
    start = time.perf_counter()
    lines = 0
    for batch in data.train_dataloader():  # type: ignore[attr-defined]
        data.on_after_batch_transfer(batch, 0)  # type: ignore[attr-defined]
        lines += len(batch)
    return lines / (time.perf_counter() - start)


def main() -> None:
    """Run each measurement in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        name, _, number = options.only.partition(":")
        measurements = {
            "pages": measure_pages,
            "copiste": measure_copiste,
            "synthetic": measure_synthetic,
            "training": measure_training,
        }
        measure = measurements[name]
        result = measure(int(number)) if number else measure()  # type: ignore[operator]
        print(json.dumps(result))
        return
    results = {}
    sizes = [f"synthetic:{size}" for size in options.sizes]
    for name in ("pages", "copiste", *sizes, f"training:{max(options.sizes)}"):
        command = [sys.executable, __file__, "--only", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
        results[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, results[name], flush=True)
    (options.out / "result.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
