"""Measure what 8 bits cost models on the val splits of ten archives, of copiste and of peraire.

    python experiments/pretrain_latin/int8.py zoo:latin zoo:latin-large [--write]

Reads all lines greedily with ONNX Runtime, in 32 and in 8 bits, as ``export`` and ``export --int8`` write them, and
writes int8.json. --write also notes in each file whether 8 bits read as well: the mean CER of copiste and
the ten archives, each counted once, is at most 0.1 points higher. Reading on a CPU then uses 8 bits by default.
peraire, on which no model was trained, is reported besides. Needs HTR_DATA.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from archives import read_sets

from htr_lightning.data.line import Line
from htr_lightning.model.file import Model, load_model, write_model
from htr_lightning.model.info import find_model
from htr_lightning.reading.quantization import MAX_CER_INCREASE, compare_int8, export_for_comparison

NEVER_TRAINED = "peraire"


def measure(model: Model, sets: Mapping[str, Sequence[Line]]) -> dict[str, Any]:
    """Return the CER of each set in 32 and in 8 bits, their means without peraire, and the verdict."""
    pair = export_for_comparison(model)
    archives = {name: compare_int8(*pair, lines) for name, lines in sets.items()}
    counted = [comparison for name, comparison in archives.items() if name != NEVER_TRAINED]
    means = {bits: float(np.mean([getattr(one, bits) for one in counted])) for bits in ("float32", "int8")}
    increase = means["int8"] - means["float32"]
    return {
        "mean": means,
        "increase": increase,
        "is_equal": increase <= MAX_CER_INCREASE,
        "archives": {name: asdict(comparison) for name, comparison in archives.items()},
    }


def main() -> None:
    """Measure the models in turn, print a table, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="models, such as zoo:latin")
    parser.add_argument("--write", action="store_true", help="note the verdict in the files")
    options = parser.parse_args()
    out = Path(__file__).with_name("int8.json")
    results = json.loads(out.read_text()) if out.is_file() else {}
    sets = read_sets("val")
    for name in options.models:
        model = load_model(name)
        results[name] = measure(model, sets)
        out.write_text(json.dumps(results, indent=2) + "\n")
        if options.write:
            path = find_model(name)
            info = replace(model.info, int8=results[name]["is_equal"])
            write_model(path, safetensors.torch.load_file(path), info)  # the weights as they are, in 16 bits
        print(name, {key: results[name][key] for key in ("mean", "increase", "is_equal")}, flush=True)


if __name__ == "__main__":
    main()
