"""Compare the CER that models expect of themselves, from their confidences, with the CER that they have.

    python experiments/pretrain_latin/expected.py zoo:latin zoo:latin-large [--lines 40] --out FILE.json

``zoo --try`` multiplies a model's doubt by a factor (`htr_lightning.evaluation.trial`); this is where it comes from: 40
lines, as there, of val of each archive, of copiste and of peraire. Needs HTR_DATA.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from archives import read_sets

from htr_lightning.evaluation.trial import spread, try_model
from htr_lightning.model.load import load_recognizer


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--lines", type=int, default=40)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    sets = {name: spread(lines, options.lines) for name, lines in read_sets("val").items()}
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.models:
        model = load_recognizer(name, "cpu", options.precision)
        result[name] = {}
        for key, lines in sets.items():
            trial = try_model(name, model, lines)
            assert trial.cer is not None
            result[name][key] = {"doubt": 1 - trial.mean_confidence, "expected": trial.expected_cer, "cer": trial.cer}
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    print("| | " + " | ".join(f"{name}: mean doubt | expected | CER" for name in result) + " |")
    print("|---" * (3 * len(result) + 1) + "|")
    for key in sets:
        cells = [f"{100 * r[key][kind]:.1f}" for r in result.values() for kind in ("doubt", "expected", "cer")]
        print(f"| {key} | " + " | ".join(cells) + " |")
    errors = [np.mean([abs(one["expected"] - one["cer"]) for one in r.values()]) for r in result.values()]
    print("mean error of what is expected, in points: " + ", ".join(f"{100 * error:.1f}" for error in errors))


if __name__ == "__main__":
    main()
