"""Measure on val what language models of another language cost, and what a narrower beam saves.

    python experiments/pretrain_latin/lm_cost.py zoo:latin-large [--lines 60] --out FILE.json

Every n-th line of each set is decoded greedily, with ``--lm auto``, with the German and with the French model alone,
and with narrower beams; milliseconds are those of the processor for decoding alone. Needs HTR_DATA.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from archives import read_sets
from lm_gain import count_edits, join
from ship import LANGUAGES, LineSet

from htr_lightning.decode.decoder import Decoder, build_beam_decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.model.file import load_model, with_precision

AUTO: dict[str, Any] = {"lm": "auto", "languages": LANGUAGES}
DECODERS: dict[str, dict[str, Any]] = {
    "auto": AUTO,
    "auto, weight 0.35": AUTO | {"lm_weight": 0.35},
    "auto, beam width 8": AUTO | {"beam_width": 8},
    "auto, beam width 6": AUTO | {"beam_width": 6},
    "German alone": {"lm": "zoo:lm-de"},
    "French alone": {"lm": "zoo:lm-fr"},
}


def main() -> None:
    """Decode, print a row for each set, and write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = with_precision(load_model(options.model), "bf16")
    decoders: dict[str, Decoder] = {"greedy": greedy_decode}
    decoders |= {name: build_beam_decoder(model.charset, **values) for name, values in DECODERS.items()}
    result: dict[str, dict[str, dict[str, float]]] = {name: {} for name in decoders}
    for set_name, lines in read_sets("val").items():
        step = max(1, len(lines) // options.lines)
        batch = join(LineSet(set_name, lines[::step][: options.lines], model).batches)
        length = sum(map(len, batch.texts))
        for name, decoder in decoders.items():
            start = time.process_time()
            edits = sum(count_edits(batch, decoder, model.charset))
            milliseconds = 1000 * (time.process_time() - start) / len(batch.texts)
            result[name][set_name] = {"cer": round(edits / length, 4), "ms_per_line": round(milliseconds, 1)}
        print(set_name, {name: result[name][set_name]["cer"] for name in decoders}, flush=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
