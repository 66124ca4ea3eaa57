"""Measure reading by whole commands, this version and an earlier one in turn; see README.md.

    python experiments/benchmark_reading/measure.py lines --before ../earlier [--model zoo:latin] [--repetitions 5]
    python experiments/benchmark_reading/measure.py pages --before ../earlier [--model zoo:latin] [--repetitions 3]

``lines`` reads the lines of copiste val, ``pages`` finds and reads the lines of copiste's pages and writes ALTO. To
cancel out the start-up time, commands read less and more; the speed is the difference of the work divided by the
difference of the times. ``cpu_s`` are seconds of the processor for a line or page, which other load on the machine changes
less, ``start_cpu_s`` those of a command that reads only one. --before names a checkout of an earlier version,
which runs first in each round; ratios are those of each round, so that other load affects both. Needs HTR_DATA. Writes
KIND.json.
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
SIZES = {"lines": (26, 326), "pages": (2, 12)}
OPTIONS = {
    "torch": ["--runtime", "torch"],
    "onnx": ["--runtime", "onnx"],
    "onnx-int8": ["--runtime", "onnx-int8"],
    "auto": [],
}


def find_files(kind: str) -> list[Path]:
    """Return the images, evenly mixed in size."""
    if kind == "pages":
        return find_images([COPISTE / "pages"], print)[: SIZES[kind][1]]
    images = [line.image for line in read_manifest(COPISTE / "val.tsv")]
    return [image.path for image in images if isinstance(image, ImageFile)][: SIZES[kind][1]]


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


def main() -> None:
    """Measure all ways in turn, print each, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=SIZES)
    parser.add_argument("--before", type=Path, required=True, help="checkout of an earlier version")
    parser.add_argument("--model", default="zoo:latin")
    parser.add_argument("--runtimes", nargs="+", choices=OPTIONS, default=["torch", "onnx", "onnx-int8"])
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    files = find_files(options.kind)
    few = SIZES[options.kind][0]
    ways = {"before": (options.before.absolute(), list[str]())}
    ways |= {name: (REPOSITORY, OPTIONS[name]) for name in options.runtimes}
    for checkout, arguments in ways.values():  # exports, compiles and fills the caches of the system
        time_command(checkout, options.kind, options.model, files[:few], arguments)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    starts: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repetitions):
        for name, (checkout, arguments) in ways.items():
            one, less, more = (
                time_command(checkout, options.kind, options.model, files[:number], arguments)
                for number in (1, few, len(files))
            )
            starts[name].append(one[1])
            rates[name].append((len(files) - few) / (more[0] - less[0]))
            cpu[name].append((more[1] - less[1]) / (len(files) - few))
            print(
                f"{name}: {rates[name][-1]:.2f} {options.kind}/s, {cpu[name][-1]:.4f} s of the processor each",
                flush=True,
            )
    path = HERE / f"{options.kind}.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    results[options.model] = {
        name: {
            "per_second": statistics.median(rates[name]),
            "all": rates[name],
            "ratio": statistics.median(a / b for a, b in zip(rates[name], rates["before"], strict=True)),
            "cpu_s": statistics.median(cpu[name]),
            "cpu_ratio": statistics.median(a / b for a, b in zip(cpu["before"], cpu[name], strict=True)),
            "start_cpu_s": statistics.median(starts[name]),
        }
        for name in ways
    }
    path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
