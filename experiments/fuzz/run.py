"""Give mutated inputs to the program, and count what it does with them.

Every input follows from the seed and its number alone: ``--only NUMBER`` makes one again and prints its outcome.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinds import COMMAND, PLANTED, WEIGHTS, make_seeds
from outcome import FAULTS, PRINTED, READ, REFUSED
from workers import Limits, Worker, choose_kind, run_inputs

HERE = Path(__file__).parent
_MAX_LISTED, _MAX_DETAIL = 200, 300  # faults that are written, and characters of each


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="number of inputs (default: 10000)")
    parser.add_argument(
        "--commands", type=int, default=0, help="number of inputs for processes of their own, in addition"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the inputs (default: 0)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--kinds", nargs="+", choices=WEIGHTS, default=list(WEIGHTS), help="kinds of inputs (default: all)"
    )
    parser.add_argument(
        "--only", type=int, nargs="+", metavar="NUMBER", help="run these inputs, and print their outcomes"
    )
    parser.add_argument("--out", type=Path, help="JSON file to write (default: none)")
    parser.add_argument("--limit-s", type=float, default=30, help="an input that takes longer is a hang (default: 30)")
    parser.add_argument("--limit-mb", type=float, default=4096, help="of memory (default: 4096)")
    parser.add_argument("--self-check", action="store_true", help="run one input for each fault, which must be noticed")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run all inputs, print the counts, and return 1 if there was a fault."""
    options = build_parser().parse_args(argv)
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        return check_faults(options, place) if options.self_check else fuzz(options, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def fuzz(options: argparse.Namespace, place: Path) -> int:
    """Run the inputs that the options describe."""
    make_seeds(place)
    parts = [(options.kinds, [WEIGHTS[name] for name in options.kinds], options.only or range(options.inputs))]
    if options.commands:
        parts.append(([COMMAND], [1], range(options.commands)))
    start = time.monotonic()
    rows: list[dict[str, Any]] = []
    for part in parts:
        rows += run_part(options, place, *part)
        summary = summarize(rows, options, time.monotonic() - start)
        if options.out is not None:
            options.out.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(format_table(summary))
    return 1 if summary["faults"] else 0


def run_part(
    options: argparse.Namespace, place: Path, names: Sequence[str], weights: Sequence[int], numbers: Sequence[int]
) -> list[dict[str, Any]]:
    """Run inputs of some kinds, and return a row for each."""
    is_command = list(names) == [COMMAND]
    limits = Limits(10 * options.limit_s if is_command else options.limit_s, options.limit_mb)

    def describe(number: int) -> str:
        return choose_kind(options.seed, number, names, weights)[0]

    workers = [Worker(place, place, options.seed, names, weights) for _ in range(options.workers)]
    rows: list[dict[str, Any]] = []
    try:
        for number, outcome, seconds, memory_mb in run_inputs(workers, numbers, limits, describe):
            row = {"number": number, **outcome.to_dict(), "seconds": round(seconds, 2), "memory_mb": round(memory_mb)}
            rows.append(row)
            if options.only or outcome.result in FAULTS:
                print(f"{number}: {outcome.kind}: {outcome.result} ({seconds:.1f} s)\n{outcome.detail}", flush=True)
            elif len(rows) % 500 == 0:
                print(f"{len(rows)} of {len(numbers)}", flush=True)
    finally:
        for worker in workers:
            worker.kill()
    return rows


def summarize(rows: Sequence[dict[str, Any]], options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Count outcomes by kind; list the faults."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["kind"]][row["result"]] += 1
    faults = [row | {"detail": row["detail"][-_MAX_DETAIL:]} for row in rows if row["result"] in FAULTS]
    return {
        "seed": options.seed,
        "inputs": len(rows),
        "seconds": round(seconds),
        "longest_s": max((row["seconds"] for row in rows), default=0),
        "largest_memory_mb": max((row["memory_mb"] for row in rows), default=0),
        "seconds_of_a_core": {kind: round(sum(r["seconds"] for r in rows if r["kind"] == kind), 1) for kind in counts},
        "counts": {kind: dict(sorted(counts[kind].items())) for kind in (*WEIGHTS, COMMAND) if kind in counts},
        "faults": faults[:_MAX_LISTED],
    }


def format_table(summary: dict[str, Any]) -> str:
    """Return the counts as a table."""
    results = [READ, REFUSED, PRINTED, *(f for f in FAULTS if any(f in row for row in summary["counts"].values()))]
    lines = ["| kind | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    for kind, row in summary["counts"].items():
        lines.append(f"| {kind} | " + " | ".join(str(row.get(result, 0)) for result in results) + " |")
    totals = [sum(row.get(result, 0) for row in summary["counts"].values()) for result in results]
    lines.append("| all | " + " | ".join(map(str, totals)) + " |")
    return "\n".join(lines)


def check_faults(options: argparse.Namespace, place: Path) -> int:
    """Run a program with each fault; return 0 if each was noticed."""
    is_noticed = True
    for name in PLANTED:
        limits = Limits(2 if name == "hang" else options.limit_s, 512 if name == "memory" else options.limit_mb)
        workers = [Worker(place, place, 0, [name], [1])]
        try:
            for _, outcome, _, _ in run_inputs(workers, [0], limits, lambda number, name=name: name):
                print(f"{name}: {outcome.result}")
                is_noticed &= outcome.result == name
        finally:
            workers[0].kill()
    return 0 if is_noticed else 1


if __name__ == "__main__":
    sys.exit(main())
