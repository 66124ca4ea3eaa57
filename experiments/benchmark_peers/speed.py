"""How fast htr_lightning, kraken and PyLaia train on and read the same lines on this machine's cores; see README.md.

    python experiments/benchmark_peers/speed.py KRAKEN PYLAIA [--repetitions 3] [--only-reading]

KRAKEN and PYLAIA are the virtual environments of the two. Needs HTR_DATA (copiste). Writes speed.json and speed.md.

What is timed are whole commands, as a user types them. To leave out what they need for starting, each is run with less
and with more to do, and the difference of the times is divided by the difference of the work. The systems take turns.
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

from peers import RUNS, THREADS, Command, Kraken, Ours, OursInEightBits, PyLaia, System, lines_of, run

HERE = Path(__file__).parent
VAL_LINES, READ_LINES = 8, 500


def timed(command: Command) -> float:
    """Run a command to its end; return the seconds it took."""
    start = time.monotonic()
    run(command)
    return time.monotonic() - start


def folder_of(system: System) -> Path:
    """Return where a system trains."""
    return RUNS / "speed" / system.name


def training(system: System, epochs: int) -> float:
    """Train a new model; return the seconds."""
    folder = folder_of(system)
    shutil.rmtree(folder, ignore_errors=True)
    system.prepare(folder)
    return timed(system.training(epochs, validate=False))


def main() -> None:
    """Measure in turns, and write what was found after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kraken", type=Path, help="virtual environment of kraken")
    parser.add_argument("pylaia", type=Path, help="virtual environment of PyLaia")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only-reading", action="store_true", help="with the models trained before; what speed.json "
                        "has of training stays")  # fmt: skip
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    others = lines_of("val", VAL_LINES), lines_of("val", READ_LINES)
    systems: list[System] = [
        Ours(lines_of("train", Ours.num_lines), *others),
        OursInEightBits(lines_of("train", Ours.num_lines), *others),
        Kraken(options.kraken.absolute(), lines_of("train", Kraken.num_lines), *others),
        PyLaia(options.pylaia.absolute(), lines_of("train", PyLaia.num_lines), *others),
    ]
    rates: dict[str, dict[str, list[float]]] = {system.name: {"training": [], "reading": []} for system in systems}
    if options.only_reading:
        for name, found in json.loads((HERE / "speed.json").read_text())["all"].items():
            rates[name]["training"] = found["training"]
    for _ in range(options.repetitions):
        for system in systems:
            if options.only_reading:
                system.folder = folder_of(system)
            elif system.trains:
                few, many = system.epochs
                seconds = -training(system, few) + training(system, many)
                rates[system.name]["training"].append((many - few) * system.num_lines / seconds)
            few, many = system.reads
            seconds = -timed(system.reading(few)) + timed(system.reading(many))
            rates[system.name]["reading"].append((many - few) / seconds)
            print(
                system.name,
                {work: round(found[-1], 1) for work, found in rates[system.name].items() if found},
                flush=True,
            )
        write(rates, {system.name: system.version() for system in systems})


def write(rates: dict[str, dict[str, list[float]]], versions: dict[str, str]) -> None:
    """Write the medians, and how many times as fast as the others each of ours is."""
    medians = {
        name: {work: statistics.median(found) for work, found in by.items() if found} for name, by in rates.items()
    }
    ours = [name for name in medians if name.startswith(Ours.name)]
    others = [name for name in medians if name not in ours]
    ratios = {
        name: {
            work: {other: rate / medians[other][work] for other in others if work in medians[other]}
            for work, rate in medians[name].items()
        }
        for name in ours
    }
    summary = {
        "versions": versions,
        "threads": THREADS,
        "lines_per_second": medians,
        "times_as_fast": ratios,
        "all": rates,
    }
    (HERE / "speed.json").write_text(json.dumps(summary, indent=2) + "\n")
    rows = ["| | training, lines/s | reading, lines/s |", "|---|---|---|"]
    for name, by in medians.items():
        cells = []
        for work in ("training", "reading"):
            cell = f"{by[work]:.1f}" if work in by else ""
            if name in ours and cell:
                times = ", ".join(f"{other} x {ratio:.1f}" for other, ratio in ratios[name][work].items())
                cell = f"{cell} ({times})"
            cells.append(cell)
        rows.append(f"| {name} {versions[name]} | {' | '.join(cells)} |")
    (HERE / "speed.md").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
