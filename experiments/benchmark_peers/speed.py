"""Compare the speed of training and prediction of htr_lightning, kraken and PyLaia on the same lines; see README.md.

    python experiments/benchmark_peers/speed.py KRAKEN PYLAIA [--repetitions 3] [--only-reading]

KRAKEN and PYLAIA are their virtual environments. Needs HTR_DATA (copiste). Writes speed.json and speed.md.

Whole commands are timed, as a user would type them. To cancel out the start-up time, each runs with less and with more
work; the speed is the difference of the work divided by the difference of the times. The systems take turns.
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

from peers import RUNS, THREADS, Command, HtrLightning, HtrLightningFloat32, Kraken, PyLaia, System, load_lines, run

HERE = Path(__file__).parent
VAL_LINES, READ_LINES = 8, 500


def measure_seconds(command: Command) -> float:
    """Run a command to its end; return the seconds it took."""
    start = time.monotonic()
    run(command)
    return time.monotonic() - start


def get_folder(system: System) -> Path:
    """Return the training folder of a system."""
    return RUNS / "speed" / system.name


def measure_training(system: System, epochs: int) -> float:
    """Train a new model; return the seconds."""
    folder = get_folder(system)
    shutil.rmtree(folder, ignore_errors=True)
    system.prepare(folder)
    return measure_seconds(system.get_training_command(epochs, validate=False))


def main() -> None:
    """Measure the systems in turn, and write the results after each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kraken", type=Path, help="virtual environment of kraken")
    parser.add_argument("pylaia", type=Path, help="virtual environment of PyLaia")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--only-reading",
        action="store_true",
        help="measure prediction only, with the models of an earlier run; keep the training speeds of speed.json",
    )
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    others = load_lines("val", VAL_LINES), load_lines("val", READ_LINES)
    systems: list[System] = [
        HtrLightning(load_lines("train", HtrLightning.num_lines), *others),
        HtrLightningFloat32(load_lines("train", HtrLightning.num_lines), *others),
        Kraken(options.kraken.absolute(), load_lines("train", Kraken.num_lines), *others),
        PyLaia(options.pylaia.absolute(), load_lines("train", PyLaia.num_lines), *others),
    ]
    rates: dict[str, dict[str, list[float]]] = {system.name: {"training": [], "reading": []} for system in systems}
    if options.only_reading:
        for name, measured in json.loads((HERE / "speed.json").read_text())["all"].items():
            rates[name]["training"] = measured["training"]
    for _ in range(options.repetitions):
        for system in systems:
            if options.only_reading:
                system.folder = get_folder(system)
            elif system.measures_training:
                few, many = system.epochs
                seconds = measure_training(system, many) - measure_training(system, few)
                rates[system.name]["training"].append((many - few) * system.num_lines / seconds)
            few, many = system.prediction_sizes
            seconds = measure_seconds(system.get_prediction_command(many))
            seconds -= measure_seconds(system.get_prediction_command(few))
            rates[system.name]["reading"].append((many - few) / seconds)
            print(
                system.name,
                {work: round(measured[-1], 1) for work, measured in rates[system.name].items() if measured},
                flush=True,
            )
        write_results(rates, {system.name: system.version() for system in systems})


def write_results(rates: dict[str, dict[str, list[float]]], versions: dict[str, str]) -> None:
    """Write the medians, and the speedup of htr_lightning over each of the others."""
    medians = {
        name: {work: statistics.median(measured) for work, measured in by_work.items() if measured}
        for name, by_work in rates.items()
    }
    ours = [name for name in medians if name.startswith(HtrLightning.name)]
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
    rows = ["| | training, lines/s | prediction, lines/s |", "|---|---|---|"]
    for name, by_work in medians.items():
        cells = []
        for work in ("training", "reading"):
            cell = f"{by_work[work]:.1f}" if work in by_work else ""
            if name in ours and cell:
                times = ", ".join(f"{other} x {ratio:.1f}" for other, ratio in ratios[name][work].items())
                cell = f"{cell} ({times})"
            cells.append(cell)
        rows.append(f"| {name} {versions[name]} | {' | '.join(cells)} |")
    (HERE / "speed.md").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
