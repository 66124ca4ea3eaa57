"""Measure how training scales with the number of lines, and with a second process; see README.md.

    python experiments/benchmark_scaling/measure.py [--sizes 1000 10000 100000] [--processes 1 2]

Needs the extra ``synthetic``. Each run is a separate command, on lines that are already packed. Writes result.json and
result.md.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

HERE, RUNS = Path(__file__).parent, Path("runs/benchmark_scaling")
STEPS, WARM_UP, LOG_EVERY = 240, 120, 5  # each logged speed is that of the steps since the previous one


def get_command(number: int, folder: Path, *settings: str) -> list[str]:
    """Return the command that trains on ``number`` synthetic lines."""
    return [
        sys.executable,
        "-m",
        "htr_lightning",
        "dataset=synthetic",
        f"dataset.num_train={number}",
        "+dataset.num_val=100",
        "+dataset.num_test=0",
        f"hydra.run.dir={folder}",
        "loader.pixels_per_batch=290_000",
        "+trainer.enable_progress_bar=false",
        "trainer.max_epochs=1000",
        "trainer.accelerator=cpu",
        f"trainer.log_every_n_steps={LOG_EVERY}",
        *settings,
    ]


def find_process_tree(process: int) -> list[int]:
    """Return a process and all its descendants."""
    processes = [process]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                processes += find_process_tree(int(child))
    return processes


def peak_memory_mb(process: int) -> float:
    """Return the peak resident set size of a process in MB, libraries included; 0 if the process has ended."""
    with contextlib.suppress(OSError, KeyError):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        return float(fields["VmHWM"].split()[0]) / 1024
    return 0.0


def pack(number: int) -> float:
    """Pack the lines unless they are packed already; return the seconds, start-up included."""
    start = time.time()
    subprocess.run(get_command(number, RUNS / f"pack-{number}-{os.getpid()}", "+trainer.max_steps=1"), check=True)
    return time.time() - start


def train(number: int, processes: int) -> dict[str, float]:
    """Train for some steps; measure speed and memory."""
    folder = RUNS / f"{number}-{processes}-{os.getpid()}"
    ddp = [] if processes == 1 else [f"trainer.devices={processes}", "+trainer.strategy=ddp"]
    settings = [f"+trainer.max_steps={STEPS}", *ddp]
    environment = os.environ | {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes))}
    start = time.time()
    process = subprocess.Popen(get_command(number, folder, *settings), env=environment)
    peaks: dict[int, float] = {}
    while process.poll() is None:
        for each in find_process_tree(process.pid):
            peaks[each] = max(peak_memory_mb(each), peaks.get(each, 0.0))
        time.sleep(0.25)
    if process.returncode:
        raise SystemExit(f"training ended with {process.returncode}")
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    steps = events.Scalars("speed/lines_per_second")
    return {
        "lines": number,
        "processes": processes,
        "seconds_to_fifth_step": steps[0].wall_time - start,
        "lines_per_second": statistics.harmonic_mean([step.value for step in steps if step.step >= WARM_UP]),
        "megabytes_resident_peak": max(peaks.values()),
    }


def format_table(results: list[dict[str, float]]) -> str:
    """Format the results as a Markdown table."""
    rows = [
        "| lines | processes | time to the fifth step, s | lines/s | peak memory, largest process |",
        "|---" * 5 + "|",
    ]
    for result in results:
        rows.append(
            f"| {result['lines']:,} | {result['processes']} | {result['seconds_to_fifth_step']:.1f} "
            f"| {result['lines_per_second']:.1f} | {result['megabytes_resident_peak']:,.0f} MB |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Measure each size with each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    results = []
    for number in options.sizes:
        print(f"{number} lines packed in {pack(number):.0f} s", flush=True)
        for processes in options.processes:
            results.append(train(number, processes))
            print(results[-1], flush=True)
            summary = {"cores": os.cpu_count(), "runs": results}
            (HERE / "result.json").write_text(json.dumps(summary, indent=2) + "\n")
            (HERE / "result.md").write_text(format_table(results))


if __name__ == "__main__":
    main()
