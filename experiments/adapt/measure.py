"""Adapt zoo:latin-large to 16, 64 and 256 lines of peraire, and measure the models on its test pages; see README.md.

    python experiments/adapt/measure.py 16:1 16:2 16:3 64:1 256:1

Needs HTR_DATA. Each argument is a number of lines and the seed that draws them. Writes result.json after each run; runs
that exist are not repeated: delete runs/adapt to run them again.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

MODEL = "zoo:latin-large"
RUNS, HERE = Path("runs/adapt"), Path(__file__).parent
DATA = Path(os.environ.get("HTR_DATA", "data")).absolute() / "peraire"

Scores = dict[str, float]


def run_command(*arguments: str) -> Scores:
    """Run a command of htr_lightning; return its seconds, on the clock and of the processor, all processes together."""
    began, before = time.monotonic(), os.times()
    subprocess.run([sys.executable, "-m", "htr_lightning", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": round(time.monotonic() - began, 1), "cpu_s": round(cpu, 1)}


def draw_lines(folder: Path, num_lines: int, seed: int) -> None:
    """Make a folder of lines drawn from all pages of the training split."""
    with (DATA / "train.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    chosen = random.Random(seed).sample(rows, num_lines)
    folder.mkdir(parents=True)
    table = "".join(f"{DATA / row['image']}\t{row['text']}\t{row['page']}\n" for row in chosen)
    (folder / "train.tsv").write_text(f"image\ttext\tpage\n{table}", encoding="utf-8")


def evaluate(model: str, folder: Path) -> Scores:
    """Evaluate a model on the test pages, or read the scores of an earlier evaluation."""
    result = folder / "evaluate" / "result.json"
    if not result.is_file():
        run_command("evaluate", model, "--data", str(DATA / "test.tsv"), "--out", str(result.parent))
    scores = json.loads(result.read_text())
    return {key: round(scores[key], 4) for key in ("cer", "cer_low", "cer_high", "wer")}


def adapt(num_lines: int, seed: int) -> Scores:
    """Adapt the model to lines that a seed draws, and evaluate it."""
    folder = RUNS / f"{num_lines}-{seed}"
    cost = folder / "cost.json"
    if not cost.is_file():
        draw_lines(folder / "lines", num_lines, seed)
        seconds = run_command(
            "+experiment=adapt",
            f"dataset.root={folder / 'lines'}",
            f"hydra.run.dir={folder / 'run'}",
            f"stage.start_from={MODEL}",
            f"seed={seed}",
            "+trainer.enable_progress_bar=false",
        )
        cost.write_text(json.dumps(seconds))
    return {**evaluate(str(folder / "run"), folder), **json.loads(cost.read_text())}


def main() -> None:
    """Run all, and write the results after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="LINES:SEED")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    options = parser.parse_args()
    before = evaluate(MODEL, RUNS / "before")
    result = {"model": MODEL, "before": before, "adapted": {}}
    for run in options.runs:
        num_lines, seed = map(int, run.split(":"))
        scores = adapt(num_lines, seed)
        result["adapted"][run] = scores | {"change": round(scores["cer"] / before["cer"] - 1, 4)}
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
