"""Estimate a character n-gram from copiste's training text, tune it, and measure it and a lexicon; see README.md.

Needs HTR_DATA.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.decoder import Decoder, load_language_model
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.model.file import load_model
from htr_lightning.reading.lines import LineReader

HERE, OUT = Path(__file__).parent, Path("runs/language_model")
DATA = Path(os.environ.get("HTR_DATA", "data")) / "copiste"
ROUNDS = 5
Weights = dict[str, float]


def run_command(*arguments: str) -> None:
    """Run a command of htr_lightning."""
    subprocess.run([sys.executable, "-m", "htr_lightning", *arguments], check=True, stdout=subprocess.DEVNULL)


def evaluate(split: str, *decoder: str) -> Weights:
    """Evaluate zoo:latin on a split."""
    run_command("evaluate", "zoo:latin", "--data", str(DATA / f"{split}.tsv"), "--out", str(OUT), *decoder)
    scores = json.loads((OUT / "result.json").read_text())
    return {key: round(scores[key], 4) for key in ("cer", "cer_low", "cer_high", "wer")}


def measure_decoding_speed(lm: Path, best: Weights) -> dict[str, float]:
    """Decode the logits of val several times with each decoder in turn, and return lines per second."""
    model = load_model("zoo:latin")
    batches = [(logits, lengths) for _, logits, lengths in LineReader(model).logits(read_manifest(DATA / "val.tsv"))]
    search = BeamSearch(
        lm=load_language_model(lm, model.charset), lm_weight=best["lm_weight"], insertion_bonus=best["insertion_bonus"]
    )
    decoders: dict[str, Decoder] = {
        "greedy": greedy_decode,
        "beam 16": BeamSearch().decode,
        "beam 16, 6-gram": search.decode,
    }
    seconds: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(ROUNDS + 1):
        for name, decoder in decoders.items():
            start = time.perf_counter()
            for logits, lengths in batches:
                decoder(logits, lengths)
            seconds[name].append(time.perf_counter() - start)
    number = sum(len(logits) for logits, _ in batches)
    return {name: round(number / statistics.median(times[1:])) for name, times in seconds.items()}


def main() -> None:
    """Run all, and write ``result.json`` and ``tuned.json``."""
    OUT.mkdir(parents=True, exist_ok=True)
    lm, tuned = OUT / "copiste.arpa", HERE / "tuned.json"
    run_command("train-lm", str(DATA / "train.tsv"), "-o", str(lm))
    run_command("tune-lm", "zoo:latin", "--lm", str(lm), "--data", str(DATA / "val.tsv"), "--out", str(tuned))
    best: Weights = json.loads(tuned.read_text())["best"]
    weights = ["--lm-weight", str(best["lm_weight"]), "--insertion-bonus", str(best["insertion_bonus"])]
    lexicon = ["--lexicon", str(DATA / "train.tsv"), "--unknown-word-cost"]
    result = {
        "weights": {key: best[key] for key in ("lm_weight", "insertion_bonus")},
        "greedy": {split: evaluate(split) for split in ("val", "test")},
        "beam 16, 6-gram": {split: evaluate(split, "--lm", str(lm), *weights) for split in ("val", "test")},
        "beam 16, lexicon": {split: evaluate(split, *lexicon, "6") for split in ("val", "test")},
        "beam 16, 6-gram, lexicon": {
            split: evaluate(split, "--lm", str(lm), *weights, *lexicon, "4") for split in ("val", "test")
        },
        "lines/s": measure_decoding_speed(lm, best),
        "threads": torch.get_num_threads(),
    }
    (HERE / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
