"""How long scoring takes, once lines are read: alignment, all scores, all intervals, the files of the report.

    python experiments/benchmark_evaluation/measure.py [--sizes 300 3000 30000] [--out experiments/benchmark_evaluation]

The lines are made up: sentences of frequent French letters, read with 8 % of errors by 100 writers, some of whom are
read worse than others, with pixels and the places of all characters. One process, one thread; writes result.json.
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
from htr_lightning.evaluation.collection import Collection
from htr_lightning.evaluation.folder import write_folder
from htr_lightning.evaluation.result import evaluate_lines
from htr_lightning.image.files import UnusableImage
from htr_lightning.reading.lines import Prediction

REPETITIONS = 5
LETTERS = (
    "eeeeeeaaaasssiiittttnnnnrrruuullloooodddcccpppmmmévvqfbghjàxyèêzçùâîôûëABCDEFGHILMNPRSTV0123456789.,;'-’«»()!?"
)
CHARSET = Charset(sorted({*LETTERS, " "}))
WIDTH_PX = 12  # of a character


def made_up(number: int, num_groups: int, seed: int = 1) -> list[tuple[Line, Prediction]]:
    """Make lines and their readings; with 0 groups, no line has one."""
    generator = np.random.default_rng(seed)
    letters = np.array(list(LETTERS))
    page = generator.integers(0, 255, (64, 4000), np.uint8)
    made = []
    for row in range(number):
        words = [generator.choice(letters, n) for n in generator.integers(1, 10, generator.integers(2, 14))]
        reference = " ".join("".join(word) for word in words)
        group = row % num_groups if num_groups else 0
        hypothesis = misread(reference, 0.08 * (0.5 + group / max(1, num_groups)), generator, letters)
        pixels = page[:, : max(1, WIDTH_PX * len(hypothesis))]
        line = Line(f"{row}.png", UnusableImage("made up"), reference, f"writer {group}" if num_groups else "")
        made.append((line, predicted(line.id, hypothesis, pixels, generator)))
    return made


def misread(text: str, share: float, generator: np.random.Generator, letters: NDArray[np.str_]) -> str:
    """Replace, drop and double characters."""
    kinds = generator.random(len(text)) / share
    others = generator.choice(letters, len(text))
    read = []
    for character, kind, other in zip(text, kinds, others, strict=True):
        read.append(other if kind < 0.7 else "" if kind < 0.9 else 2 * character if kind < 1 else character)
    return "".join(read)


def predicted(id: str, text: str, pixels: NDArray[np.uint8], generator: np.random.Generator) -> Prediction:
    """Return what a reader would say, every character in its place."""
    sure = generator.random(len(text))
    corners = (0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)
    characters = tuple(
        Character(c, float(p), WIDTH_PX * i, WIDTH_PX * (i + 1), corners)
        for i, (c, p) in enumerate(zip(text, sure, strict=True))
    )
    return Prediction(id, text, float(generator.random()), pixels, characters=characters)


def measured(made: list[tuple[Line, Prediction]]) -> dict[str, float]:
    """Time one evaluation of lines that are read already."""
    start, processor = time.perf_counter(), time.process_time()
    collection = Collection(CHARSET)
    for line, what_was_read in made:
        collection.add(line, what_was_read)
    aligned = time.perf_counter()
    found = evaluate_lines(collection, "made up", "made up")
    scored = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), found, collection)
    written = time.perf_counter()
    return {
        "seconds_to_align_and_count": aligned - start,
        "seconds_to_score_and_bootstrap": scored - aligned,
        "seconds_to_write_the_report": written - scored,
        "seconds": written - start,
        "processor_seconds": time.process_time() - processor,
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
            made = made_up(size, num_groups)
            rounds = [measured(made) for _ in range(REPETITIONS)]
            name = f"{size} lines, {f'{num_groups} writers' if num_groups else 'each drawn by itself'}"
            results[name] = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
            results[name]["seconds_most"] = max(r["seconds"] for r in rounds)
            print(name, results[name], flush=True)
    (options.out / "result.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
