"""Measure reading by whole commands, this version and an earlier one in turn; see README.md.

    python experiments/benchmark_reading/measure.py lines --before ../earlier [--model zoo:latin] [--repetitions 5]
    python experiments/benchmark_reading/measure.py pages --before ../earlier [--model zoo:latin] [--repetitions 3]

``lines`` reads lines of copiste val, ``pages`` finds and reads the lines of copiste's pages and writes ALTO. To cancel
out the start-up time, commands read less and more; the speed is the difference of the work divided by the difference of
the times. ``cpu_s`` are seconds of the processor for a line or page, which other load on the machine changes less,
``start_cpu_s`` those of a command that reads only one. --before names a checkout of an earlier version, which runs
first in each round; ratios are those of each round, so that other load affects both. Needs HTR_DATA. Writes KIND.json
after each round.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.scan import find_images

COPISTE = Path(os.environ.get("HTR_DATA", "data")).absolute() / "copiste"
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
SIZES = {"lines": (26, 526), "pages": (2, 17)}
OPTIONS = {
    "torch": ["--runtime", "torch"],
    "onnx": ["--runtime", "onnx"],
    "onnx-int8": ["--runtime", "onnx-int8"],
    "auto": [],
}


def find_files(kind: str, number: int) -> list[Path]:
    """Return the images, evenly mixed in size."""
    if kind == "pages":
        return find_images([COPISTE / "pages"], print)[:number]
    images = [line.image for line in read_manifest(COPISTE / "val.tsv")]
    return [image.path for image in images if isinstance(image, ImageFile)][:number]


def time_command(
    checkout: Path, kind: str, model: str, files: Sequence[Path], options: Sequence[str]
) -> tuple[float, float]:
    """Return the seconds of a command that reads files, by the clock and of the processor."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    environment.pop("OMP_NUM_THREADS", None)
    out = Path(tempfile.mkdtemp())
    written = ["--lines"] if kind == "lines" else ["--ignore-layouts", "--format", "alto", "--out", str(out)]
    command = [sys.executable, "-m", "htr_lightning", "predict", model, *written, *options, *map(str, files)]
    start, cpu_start = time.monotonic(), count_cpu_seconds()
    subprocess.run(command, check=True, capture_output=True, env=environment, cwd=checkout)
    seconds = time.monotonic() - start, count_cpu_seconds() - cpu_start
    shutil.rmtree(out)
    return seconds


def count_cpu_seconds() -> float:
    """Return the processor seconds of all commands so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(
    ways: dict[str, tuple[Path, list[str]]], kind: str, model: str, files: Sequence[Path], few: int
) -> dict[str, dict[str, float]]:
    """Measure each way once."""
    measured = {}
    for name, (checkout, arguments) in ways.items():
        one, less, more = (
            time_command(checkout, kind, model, files[:number], arguments) for number in (1, few, len(files))
        )
        work = len(files) - few
        cpu_s = (more[1] - less[1]) / work
        measured[name] = {"per_second": work / (more[0] - less[0]), "cpu_s": cpu_s, "start_cpu_s": one[1]}
        print(name, {key: round(value, 4) for key, value in measured[name].items()}, flush=True)
    return measured


def summarize(rounds: Sequence[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return medians over rounds, and medians of the ratios to the first way within each round."""
    first = next(iter(rounds[0]))
    result: dict[str, Any] = {"rounds": len(rounds)}
    for name in rounds[0]:
        result[name] = {key: statistics.median(r[name][key] for r in rounds) for key in rounds[0][name]}
        result[name]["speed_ratio"] = statistics.median(r[name]["per_second"] / r[first]["per_second"] for r in rounds)
        result[name]["cpu_ratio"] = statistics.median(r[first]["cpu_s"] / r[name]["cpu_s"] for r in rounds)
    return result


def main() -> None:
    """Measure all ways in turn, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=SIZES)
    parser.add_argument("--before", type=Path, required=True, help="checkout of an earlier version")
    parser.add_argument("--model", default="zoo:latin")
    parser.add_argument("--runtimes", nargs="+", choices=OPTIONS, default=["torch", "onnx", "onnx-int8"])
    parser.add_argument("--sizes", nargs=2, type=int, metavar=("LESS", "MORE"), help="lines or pages to read")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    few, many = options.sizes or SIZES[options.kind]
    files = find_files(options.kind, many)
    ways = {"before": (options.before.absolute(), list[str]())}
    ways |= {name: (REPOSITORY, OPTIONS[name]) for name in options.runtimes}
    for checkout, arguments in ways.values():  # exports, compiles and fills the caches of the system
        time_command(checkout, options.kind, options.model, files[:1], arguments)
    path = HERE / f"{options.kind}.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    rounds: list[dict[str, dict[str, float]]] = []
    for _ in range(options.repetitions):
        rounds.append(measure(ways, options.kind, options.model, files, few))
        results[options.model] = {"sizes": [few, many]} | summarize(rounds)
        path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
