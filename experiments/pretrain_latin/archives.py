"""Measure models on a split of several archives, of copiste and of peraire, greedily, without language model.

    python experiments/pretrain_latin/archives.py zoo:latin-large runs/hands ... [--precision bf16] [--out FILE.json]
    python experiments/pretrain_latin/archives.py zoo:latin-large --split train --lines 150

CER in percent with a 95 % interval over pages (writers for copiste); --out also gets the calibration error of lines.
The mean counts each archive once.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.archives import Archives
from htr_lightning.data.sources.lines import Lines
from htr_lightning.evaluation.intervals import compute_rate_interval
from htr_lightning.evaluation.reliability import compute_expected_calibration_error
from htr_lightning.metrics import edit_distance
from htr_lightning.model.load import load_recognizer
from htr_lightning.reading.lines import LineReader

DATA = Path(os.environ.get("HTR_DATA", "data"))


def read_sets(split: Split, num_lines: int = 0) -> dict[str, list[Line]]:
    """Return the lines of each archive, which have no test, then those of copiste and peraire.

    Args:
        split: train, val or test.
        num_lines: at most so many of each set, evenly spread; 0 for all.
    """
    sets: dict[str, list[Line]] = {}
    if split != "test":
        for line in Archives(str(DATA / "hands"), writer_column="hand").lines(split):
            sets.setdefault(line.id.partition(".")[0], []).append(line)
    sets |= {name: list(Lines(str(DATA / name)).lines(split)) for name in ("copiste", "peraire")}
    if num_lines > 0:
        for name, lines in sets.items():
            chosen = np.linspace(0, len(lines) - 1, min(num_lines, len(lines))).astype(int)
            sets[name] = [lines[i] for i in chosen]
    return sets


def measure(model: str, sets: dict[str, list[Line]], precision: str) -> dict[str, dict[str, float]]:
    """Return CER, interval and calibration error of each set."""
    recognizer = load_recognizer(model, "cpu", precision)  # type: ignore[arg-type]
    reader = LineReader(recognizer)
    results = {}
    for name, lines in sets.items():
        edits, lengths, correct, confidences = [], [], [], []
        for line, prediction in zip(lines, reader.read(lines), strict=True):
            reference = recognizer.charset.normalize(line.text)
            edits.append(edit_distance(reference, prediction.text))
            lengths.append(len(reference))
            correct.append(prediction.text == reference)
            confidences.append(prediction.confidence)
        low, high = compute_rate_interval(edits, lengths, [line.group for line in lines])
        error = compute_expected_calibration_error(np.array(confidences), np.array(correct))
        results[name] = {"cer": sum(edits) / sum(lengths), "low": low, "high": high, "ece": error}
    archives = [name for name in results if name not in ("copiste", "peraire")]
    if archives:
        results["mean"] = {"cer": float(np.mean([results[name]["cer"] for name in archives]))}
    return results


def main() -> None:
    """Print a table with a row for each set and a column for each model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--split", default="val", choices=("train", "val", "test"))
    parser.add_argument("--lines", type=int, default=0, help="at most so many of each set; 0: all")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sets = read_sets(options.split, options.lines)
    results = {model: measure(model, sets, options.precision) for model in options.models}
    print("| | " + " | ".join(options.models) + " |\n" + "|---" * (len(results) + 1) + "|")
    for name in next(iter(results.values())):
        cells = [
            f"{100 * r[name]['cer']:.1f}"
            + (f" ({100 * r[name]['low']:.1f} to {100 * r[name]['high']:.1f})" if "low" in r[name] else "")
            for r in results.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
