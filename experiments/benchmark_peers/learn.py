"""Compare the CER of htr_lightning, kraken and PyLaia on unseen writers after the same time; see README.md.

    python experiments/benchmark_peers/learn.py --kraken KRAKEN --pylaia PYLAIA --ours [--minutes 10 20 30]

KRAKEN and PYLAIA are their virtual environments; the results of systems that are not named stay. Needs HTR_DATA
(copiste). Writes learn.json and learn.md.

Each system trains from scratch on the lines of copiste's training split, one system at a time, and is stopped after the
last of the given minutes. At each of them its latest checkpoint is copied; afterwards all checkpoints are evaluated on
the same lines of val.
"""

import argparse
import json
import shutil
import subprocess
import time
from pathlib import Path

from peers import RUNS, THREADS, HtrLightning, Kraken, PyLaia, System, get_environment, load_lines

HERE = Path(__file__).parent
VAL_LINES = 200
EPOCHS = {"htr_lightning": 20, "kraken": 100, "PyLaia": 100}  # the schedule of htr_lightning ends with its last epoch


def main() -> None:
    """Train and evaluate one system after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kraken", type=Path, help="virtual environment of kraken")
    parser.add_argument("--pylaia", type=Path, help="virtual environment of PyLaia")
    parser.add_argument("--ours", action="store_true", help="train with htr_lightning")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 20, 30])
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    train_lines, val = load_lines("train"), load_lines("val", VAL_LINES)
    systems: list[System] = []
    if options.kraken:
        systems.append(Kraken(options.kraken.absolute(), train_lines, val, []))
    if options.pylaia:
        systems.append(PyLaia(options.pylaia.absolute(), train_lines, val, []))
    if options.ours:
        systems.append(HtrLightning(train_lines, val, []))
    for system in systems:
        checkpoints = train(system, options.minutes)
        cers = {
            f"{minutes:g}": system.compute_cer(checkpoint, val) if checkpoint else None
            for minutes, checkpoint in checkpoints.items()
        }
        print(system.name, cers, flush=True)
        write_results(system, cers)


def train(system: System, minutes: list[float]) -> dict[float, Path | None]:
    """Train for the last of the given minutes; return the latest checkpoint at each, None if there is none."""
    folder = RUNS / "learn" / system.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    system.prepare(folder)
    checkpoints: dict[float, Path | None] = {}
    with (RUNS / f"learn-{system.name}.txt").open("wb") as log:
        command = list(map(str, system.get_training_command(EPOCHS[system.name], validate=True)))
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=get_environment())
        for minute in sorted(minutes):
            while (left := start + minute * 60 - time.monotonic()) > 0 and process.poll() is None:
                time.sleep(min(left, 1))
            if process.poll():
                raise SystemExit(f"{' '.join(command)} failed; see {log.name}")
            checkpoint = system.find_latest_checkpoint()
            copy = RUNS / "learn" / f"{system.name}-{minute:g}.ckpt"
            checkpoints[minute] = Path(shutil.copy(checkpoint, copy)) if checkpoint else None
        process.kill()
        process.wait()
    return checkpoints


def write_results(system: System, cers: dict[str, float | None]) -> None:
    """Add the results of a system to learn.json, and write the table."""
    path = HERE / "learn.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    results[system.name] = {"version": system.version(), "threads": THREADS, "val_lines": VAL_LINES, "cer": cers}
    path.write_text(json.dumps(results, indent=2) + "\n")
    minutes = sorted({minute for result in results.values() for minute in result["cer"]}, key=float)
    rows = [f"| CER of val, % | {' | '.join(f'{m} min' for m in minutes)} |", "|---" * (len(minutes) + 1) + "|"]
    for name, result in results.items():
        values = [result["cer"].get(minute) for minute in minutes]
        cells = ["no checkpoint yet" if value is None else f"{value:.1%}".rstrip("%") for value in values]
        rows.append(f"| {name} {result['version']} | {' | '.join(cells)} |")
    (HERE / "learn.md").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
