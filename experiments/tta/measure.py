"""Measure the gain and the cost of test-time augmentation; see README.md.

    python experiments/tta/measure.py [--split val]

Needs HTR_DATA (copiste, peraire). Writes SPLIT.json and SPLIT.md.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from htr_lightning.data.line import Line
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.evaluation.collector import ScoreCollector
from htr_lightning.evaluation.result import build_evaluation
from htr_lightning.image.views import SINGLE_VIEW, TTA_VIEWS, View
from htr_lightning.model.load import load_recognizer
from htr_lightning.reading.lines import LineReader

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HTR_DATA", "data"))
VIEWS: dict[str, Sequence[View]] = {
    "as it is": SINGLE_VIEW,
    "narrower": TTA_VIEWS[1:2],
    "wider": TTA_VIEWS[2:3],
    "tta": TTA_VIEWS,
}


def evaluate(name: str, lines: Sequence[Line], repetitions: int) -> dict[str, dict[str, Any]]:
    """Predict all lines with each set of views in turn; return CER with interval, calibration error, lines/s."""
    model = load_recognizer(name, "cpu")
    seconds: dict[str, list[float]] = {label: [] for label in VIEWS}
    results: dict[str, dict[str, Any]] = {}
    for repetition in range(repetitions + 1):
        for label, views in VIEWS.items():
            start = time.perf_counter()
            predictions = list(LineReader(model, views=views).read(lines))
            if repetition:  # the first repetition compiles kernels and reads files into memory
                seconds[label].append(time.perf_counter() - start)
                continue
            collector = ScoreCollector(model.charset)
            for line, prediction in zip(lines, predictions, strict=True):
                collector.add(line, prediction)
            scores = build_evaluation(collector, name, "").summarize()
            results[label] = {key: scores[key] for key in ("cer", "cer_low", "cer_high", "line_calibration_error")}
    for label in VIEWS:
        results[label]["lines_per_second"] = len(lines) / statistics.median(seconds[label])
    return results


def main() -> None:
    """Evaluate each dataset with each model and each set of views."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    rows = [f"| CER of {options.split}, % | {' | '.join(VIEWS)} | lines/s, one view and tta |", "|---" * 6 + "|"]
    for data in ("copiste", "peraire"):
        lines = read_manifest(DATA / data / f"{options.split}.tsv")
        for name in ("zoo:latin", "zoo:latin-large"):
            result = evaluate(name, lines, options.repetitions)
            results[f"{data}, {name}"] = result
            cells = [f"{100 * each['cer']:.1f}" for each in result.values()]
            speeds = [f"{result[label]['lines_per_second']:.0f}" for label in ("as it is", "tta")]
            rows.append(f"| {data}, {name} | {' | '.join(cells)} | {', '.join(speeds)} |")
            print(rows[-1], flush=True)
    (HERE / f"{options.split}.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / f"{options.split}.md").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
