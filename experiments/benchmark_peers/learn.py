"""How low htr_lightning, kraken and PyLaia bring the CER of unseen writers in the same time; see README.md.

    python experiments/benchmark_peers/learn.py --kraken KRAKEN --pylaia PYLAIA --ours [--minutes 10 20 30]

KRAKEN and PYLAIA are the virtual environments of the two; a system that is not named keeps its result of before. Needs
HTR_DATA (copiste). Writes learn.json and learn.md.

Each system trains from nothing on the lines of copiste's training split, alone on the machine, and is ended after the
last of the minutes. At each of them its newest state is put aside; afterwards the states read the same lines of val.
"""

import argparse
import json
import shutil
import subprocess
import time
from pathlib import Path

from peers import RUNS, THREADS, Kraken, Ours, PyLaia, System, environment, lines_of

HERE = Path(__file__).parent
VAL_LINES = 200
EPOCHS = {"htr_lightning": 20, "kraken": 100, "PyLaia": 100}  # ours follows a schedule, which is to end in time


def main() -> None:
    """Train one system after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kraken", type=Path, help="virtual environment of kraken")
    parser.add_argument("--pylaia", type=Path, help="virtual environment of PyLaia")
    parser.add_argument("--ours", action="store_true", help="train with htr_lightning")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 20, 30])
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    train, val = lines_of("train"), lines_of("val", VAL_LINES)
    systems: list[System] = []
    if options.kraken:
        systems.append(Kraken(options.kraken.absolute(), train, val, []))
    if options.pylaia:
        systems.append(PyLaia(options.pylaia.absolute(), train, val, []))
    if options.ours:
        systems.append(Ours(train, val, []))
    for system in systems:
        states = learn(system, options.minutes)
        found = {f"{minutes:g}": state and system.cer(state, val) for minutes, state in states.items()}
        print(system.name, found, flush=True)
        write(system, found)


def learn(system: System, moments: list[float]) -> dict[float, Path | None]:
    """Train until the last of the moments, in minutes; return the newest state at each, None where there is none."""
    folder = RUNS / "learn" / system.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    system.prepare(folder)
    kept: dict[float, Path | None] = {}
    with (RUNS / f"learn-{system.name}.txt").open("wb") as log:
        command = list(map(str, system.training(EPOCHS[system.name], validate=True)))
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        for minutes in sorted(moments):
            while (left := start + minutes * 60 - time.monotonic()) > 0 and process.poll() is None:
                time.sleep(min(left, 1))
            if process.poll():
                raise SystemExit(f"{' '.join(command)} failed; see {log.name}")
            state = system.newest()
            kept[minutes] = state and Path(shutil.copy(state, RUNS / "learn" / f"{system.name}-{minutes:g}.ckpt"))
        process.kill()
        process.wait()
    return kept


def write(system: System, found: dict[str, float | None]) -> None:
    """Add what was found to the results, and write the table."""
    path = HERE / "learn.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    results[system.name] = {"version": system.version(), "threads": THREADS, "val_lines": VAL_LINES, "cer": found}
    path.write_text(json.dumps(results, indent=2) + "\n")
    moments = sorted({minutes for result in results.values() for minutes in result["cer"]}, key=float)
    rows = [f"| CER of val, % | {' | '.join(f'{m} min' for m in moments)} |", "|---" * (len(moments) + 1) + "|"]
    for name, result in results.items():
        shares = [result["cer"].get(minutes) for minutes in moments]
        cells = ["nothing kept yet" if share is None else f"{share:.1%}".rstrip("%") for share in shares]
        rows.append(f"| {name} {result['version']} | {' | '.join(cells)} |")
    (HERE / "learn.md").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
