"""Measure how long scoring takes after prediction: alignment, all scores, all intervals, the files of the report.

    python experiments/benchmark_evaluation/measure.py [--sizes 300 3000 30000] [--out experiments/benchmark_evaluation]

The lines are generated: sentences of frequent French letters by 100 writers, predicted with 8 % of errors, more for
some writers than for others, with pixels and the positions of all characters. One process, one thread. Writes
result.json.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.decode.positions import Character
from htr_lightning.evaluation.collector import ScoreCollector
from htr_lightning.evaluation.files import write_evaluation
from htr_lightning.evaluation.result import build_evaluation
from htr_lightning.image.line_image import UnusableImage
from htr_lightning.reading.lines import Prediction

REPETITIONS = 5
LETTERS = (
    "eeeeeeaaaasssiiittttnnnnrrruuullloooodddcccpppmmmévvqfbghjàxyèêzçùâîôûëABCDEFGHILMNPRSTV0123456789.,;'-’«»()!?"
)
CHARSET = Charset(sorted({*LETTERS, " "}))
WIDTH_PX = 12  # of a character


def generate_lines(number: int, num_groups: int, seed: int = 1) -> list[tuple[Line, Prediction]]:
    """Generate lines and their predictions; with 0 groups, lines have no group."""
    generator = np.random.default_rng(seed)
    letters = np.array(list(LETTERS))
    page = generator.integers(0, 255, (64, 4000), np.uint8)
    pairs = []
    for row in range(number):
        words = [generator.choice(letters, n) for n in generator.integers(1, 10, generator.integers(2, 14))]
        reference = " ".join("".join(word) for word in words)
        group = row % num_groups if num_groups else 0
        hypothesis = corrupt(reference, 0.08 * (0.5 + group / max(1, num_groups)), generator, letters)
        pixels = page[:, : max(1, WIDTH_PX * len(hypothesis))]
        line = Line(f"{row}.png", UnusableImage("generated"), reference, f"writer {group}" if num_groups else "")
        pairs.append((line, generate_prediction(line.id, hypothesis, pixels, generator)))
    return pairs


def corrupt(text: str, rate: float, generator: np.random.Generator, letters: NDArray[np.str_]) -> str:
    """Replace, delete and double characters."""
    kinds = generator.random(len(text)) / rate
    others = generator.choice(letters, len(text))
    result = []
    for character, kind, other in zip(text, kinds, others, strict=True):
        result.append(other if kind < 0.7 else "" if kind < 0.9 else 2 * character if kind < 1 else character)
    return "".join(result)


def generate_prediction(id: str, text: str, pixels: NDArray[np.uint8], generator: np.random.Generator) -> Prediction:
    """Generate a prediction with a position for every character."""
    confidences = generator.random(len(text))
    corners = (0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)
    characters = tuple(
        Character(c, float(p), WIDTH_PX * i, WIDTH_PX * (i + 1), corners)
        for i, (c, p) in enumerate(zip(text, confidences, strict=True))
    )
    return Prediction(id, text, float(generator.random()), pixels, characters=characters)


def measure(pairs: list[tuple[Line, Prediction]]) -> dict[str, float]:
    """Time one evaluation of lines with their predictions."""
    start, cpu_start = time.perf_counter(), time.process_time()
    collector = ScoreCollector(CHARSET)
    for line, prediction in pairs:
        collector.add(line, prediction)
    aligned = time.perf_counter()
    result = build_evaluation(collector, "generated", "generated")
    scored = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_evaluation(Path(folder), result, collector)
    written = time.perf_counter()
    return {
        "seconds_to_align_and_count": aligned - start,
        "seconds_to_score_and_bootstrap": scored - aligned,
        "seconds_to_write_the_report": written - scored,
        "seconds": written - start,
        "processor_seconds": time.process_time() - cpu_start,
    }


def main() -> None:
    """Measure every size, with groups and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 3000, 30_000])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    results = {}
    for size in options.sizes:
        for num_groups in (100, 0):
            pairs = generate_lines(size, num_groups)
            rounds = [measure(pairs) for _ in range(REPETITIONS)]
            name = f"{size} lines, {f'{num_groups} writers' if num_groups else 'each drawn by itself'}"
            results[name] = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
            results[name]["seconds_most"] = max(r["seconds"] for r in rounds)
            print(name, results[name], flush=True)
    (options.out / "result.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
