"""Measure what ``--lm auto`` gains on val of each archive, with several weights.

    python experiments/pretrain_latin/lm_gain.py zoo:latin-large [--lines 60] [--precision bf16] --out FILE.json

The same lines of each set, spread over all widths, are decoded greedily and with each pair of weights. The best pair
has the lowest mean CER over the ten archives; copiste and peraire are measured, but do not choose. Needs HTR_DATA.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from archives import read_sets
from ship import LANGUAGES, OWN, LineSet

from htr_lightning.charset import Charset
from htr_lightning.decode.confidence import CalibrationBatch
from htr_lightning.decode.decoder import Decoder, build_beam_decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.metrics import edit_distance
from htr_lightning.model.file import load_model, with_precision

WEIGHTS = ((0.2, 0.5), (0.35, 1.0), (0.5, 1.0), (0.65, 1.5), (0.8, 2.0))
"""Pairs of weight of the language model and insertion bonus."""


def join(batches: Iterable[CalibrationBatch]) -> CalibrationBatch:
    """Join batches to one, padded to the most frames: beam search is faster on many lines at once."""
    parts = list(batches)
    frames = max(part.logits.shape[1] for part in parts)
    padded = [np.pad(part.logits, ((0, 0), (0, frames - part.logits.shape[1]), (0, 0))) for part in parts]
    texts = [text for part in parts for text in part.texts]
    return CalibrationBatch(np.concatenate(padded), np.concatenate([part.frame_lengths for part in parts]), texts)


def count_edits(batch: CalibrationBatch, decoder: Decoder, charset: Charset) -> list[int]:
    """Return the edits of each line."""
    texts = [charset.decode(ids).strip() for ids in decoder(batch.logits, batch.frame_lengths)]
    return [edit_distance(reference, text) for reference, text in zip(batch.texts, texts, strict=True)]


def compare(greedy: Sequence[int], edits: Sequence[int], length: int) -> dict[str, float]:
    """Return CER, and how many lines became better and worse."""
    change = np.array(edits) - np.array(greedy)
    return {"cer": sum(edits) / length, "better": int((change < 0).sum()), "worse": int((change > 0).sum())}


def main() -> None:
    """Decode, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = with_precision(load_model(options.model), options.precision)
    batches = {n: join(LineSet(n, lines, model).sample(options.lines)) for n, lines in read_sets("val").items()}
    greedy = {name: count_edits(batch, greedy_decode, model.charset) for name, batch in batches.items()}
    lengths = {name: sum(map(len, batch.texts)) for name, batch in batches.items()}
    result: dict[str, Any] = {"greedy": {name: compare(greedy[name], greedy[name], lengths[name]) for name in batches}}
    for weight, bonus in WEIGHTS:
        beam = build_beam_decoder(
            model.charset, lm="auto", languages=LANGUAGES, lm_weight=weight, insertion_bonus=bonus
        )
        key = f"weight {weight:g}, bonus {bonus:g}"
        result[key] = {}
        for name, batch in batches.items():
            result[key][name] = compare(greedy[name], count_edits(batch, beam, model.charset), lengths[name])
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    print("| | " + " | ".join(result) + " |\n" + "|---" * (len(result) + 1) + "|")
    for name in batches:
        cells = [f"{100 * r[name]['cer']:.1f} ({r[name]['better']} / {r[name]['worse']})" for r in result.values()]
        print(f"| {name} | " + " | ".join(cells) + " |")
    means = [100 * np.mean([r[name]["cer"] for name in batches if name not in OWN]) for r in result.values()]
    print("| mean of the archives | " + " | ".join(f"{mean:.1f}" for mean in means) + " |")


if __name__ == "__main__":
    main()
