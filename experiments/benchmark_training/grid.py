"""Measure training speed by batch size, precision and compilation; see README.md.

    python experiments/benchmark_training/grid.py [--model crnn] [--device cuda] [--pixels-per-batch 1000000 ...]

Needs HTR_DATA (copiste). measure.py measures each combination in its own process. Writes grid-MODEL-DEVICE.json
and .md after each of them.
"""

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def format_row(result: dict[str, Any]) -> str:
    """Format a combination as a row of a table."""
    cells = (
        f"{result['pixels_per_batch']:,}",
        result["precision"],
        "yes" if result["compiled"] else "no",
        f"{result['lines_per_second']:.0f}",
        f"{result['seconds_for_6500_lines']:.1f}",
        f"{1 / result['times_the_floor']:.0%}",
        "" if result["gpu_memory_gb"] is None else f"{result['gpu_memory_gb']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure every combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="crnn")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    sizes = [1_000_000, 4_000_000, 16_000_000]
    parser.add_argument("--pixels-per-batch", type=int, nargs="+", default=sizes)
    parser.add_argument("--precision", nargs="+", default=["bf16-mixed", "32-true"])
    parser.add_argument("--warm-up", type=int, default=60, help="steps before the measurement (default: 60)")
    options = parser.parse_args()
    columns = "precision | compiled | lines/s | seconds for 6,500 lines | fraction of the roofline | GPU memory, GB"
    rows = ["|---" * 7 + "|"]
    results = []
    out = HERE / f"grid-{options.model}-{options.device}.json"
    for precision, pixels, compiled in itertools.product(options.precision, options.pixels_per_batch, (False, True)):
        command = [sys.executable, HERE / "measure.py", "--json", "--model", options.model, "--device", options.device]
        command += ["--precision", precision, "--pixels-per-batch", str(pixels), "--warm-up", str(options.warm_up)]
        process = subprocess.run([*command, *(["--compile"] if compiled else [])], stdout=subprocess.PIPE, text=True)
        if process.returncode:  # out of memory, or no compiler: other combinations may still work
            print(f"{precision}, {pixels} pixels, compiled {compiled}: failed, see above", flush=True)
            continue
        results.append(json.loads(process.stdout.splitlines()[-1]))
        rows.append(format_row(results[-1]))
        print(rows[-1], flush=True)
        out.write_text(json.dumps(results, indent=2) + "\n")
        head = f"| {options.model} on {results[-1]['device']}: pixels per batch | {columns} |"
        out.with_suffix(".md").write_text("\n".join([head, *rows]) + "\n")


if __name__ == "__main__":
    main()
