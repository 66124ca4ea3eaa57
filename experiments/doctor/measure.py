"""Measure speed and detection rates of the doctor; see README.md. Needs HTR_DATA."""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from htr_lightning.charset import Charset
from htr_lightning.data.line import SPLITS, Split
from htr_lightning.data.sources.lines import Lines
from htr_lightning.doctor.diagnosis import diagnose
from htr_lightning.doctor.facts import Facts, Settings, SplitFacts, collect_facts
from htr_lightning.doctor.near_duplicates import MIN_SIMILARITY, find_near_duplicates, simplify_text
from htr_lightning.doctor.outliers import find_outliers
from htr_lightning.doctor.quick import check_packed_lines
from htr_lightning.image.preprocess import Preprocess

DATA = Path(os.environ["HTR_DATA"])
RUNS = 3
WORDS_PER_LINE = 8


def measure_command() -> None:
    """Time the whole command on copiste."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "htr_lightning", "doctor", "dataset=copiste", "--out", folder]
        seconds = []
        for _ in range(RUNS):
            start = time.monotonic()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.monotonic() - start)
        sizes = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
    print("copiste, seconds:", ", ".join(f"{s:.1f}" for s in sorted(seconds)), "sizes:", sizes)


class GeneratedLines:
    """Columns of packed lines with random text and no images."""

    def __init__(self, split: str, number: int, words: list[str], generator: random.Random) -> None:
        self.columns = {
            "id": [f"{split}/{row:06d}.png" for row in range(number)],
            "text": [" ".join(generator.choices(words, k=WORDS_PER_LINE)) for _ in range(number)],
            "group": [f"{split} {row // 50}" for row in range(number)],
            "digest": [f"{generator.getrandbits(96):024x}" for _ in range(number)],
        }
        self.widths = np.full(number, 800)

    def column(self, name: str) -> Iterator[str]:
        """Yield one column."""
        return iter(self.columns[name])

    def facts(self, split: Split) -> SplitFacts:
        """Return the lines as facts."""
        ids, texts, groups, digests = self.columns.values()
        ink = np.full(len(ids), 0.05, np.float32)
        return SplitFacts(split, ids, texts, groups, digests, self.widths, self.widths, self.widths, ink)


def measure_many_lines(words: list[str]) -> None:
    """Time the quick checks and all findings on texts of random words, without images."""
    for number in (5_000, 100_000):
        generator = random.Random(1)
        splits = {
            split: GeneratedLines(split, number // n, words, generator)
            for split, n in zip(SPLITS, (1, 10, 10), strict=True)
        }
        charset = Charset.from_texts(splits["train"].column("text"))
        start = time.monotonic()
        check_packed_lines(splits, charset, Settings())  # type: ignore[arg-type]
        quick = time.monotonic() - start
        start = time.monotonic()
        diagnose(
            {split: splits[split].facts(split) for split in SPLITS}, Settings(count_frames=lambda widths: widths // 4)
        )
        print(f"{number} training lines: quick {quick:.2f} s, all findings {time.monotonic() - start:.2f} s")


def measure_near_duplicate_recall(words: list[str]) -> None:
    """Count how many texts with some wrong letters are found among 21,000."""
    generator = random.Random(1)
    texts = [" ".join(generator.choices(words, k=WORDS_PER_LINE)) for _ in range(21_000)]
    for edits in range(7):
        originals = generator.sample(texts, 1000)
        wrong = []
        for text in originals:
            letters = list(text)
            for place in generator.sample(range(len(letters)), edits):
                letters[place] = generator.choice("abcdefghijklmnopqrstuvwxyz")
            wrong.append("".join(letters))
        pairs = zip(map(simplify_text, originals), map(simplify_text, wrong), strict=True)
        alike = sum(Levenshtein.normalized_similarity(a, b) >= MIN_SIMILARITY for a, b in pairs)
        print(f"{edits} wrong letters: {alike} of 1000 alike, {len(find_near_duplicates(texts, wrong))} found")


def measure_wrong_text_detection(facts: Facts) -> None:
    """Give 100 training lines the text of another line, and count how many are reported."""
    before = find_outliers(facts)
    num_outliers, num_suspicious, num_others = [], [], []
    for seed in range(10):
        generator = random.Random(seed)
        rows = generator.sample(range(len(facts["train"])), 100)
        texts = list(facts["train"].texts)
        for row, other in zip(rows, generator.sample(range(len(texts)), 100), strict=True):
            texts[row] = facts["train"].texts[other]
        outliers = find_outliers({**facts, "train": replace(facts["train"], texts=texts)})
        changed = [line for line in outliers if line.split == "train" and line.row in rows]
        num_outliers.append(len(changed))
        num_suspicious.append(sum(line.is_suspicious for line in changed))
        num_others.append(len(outliers) - len(changed))
    wrong = sum(line.is_suspicious for line in before)
    print(f"original copiste: {len(before)} outliers, {wrong} of them suspicious")
    print(
        f"of 100 lines with another's text, mean of 10 draws: {np.mean(num_outliers):.1f} outliers, "
        f"{np.mean(num_suspicious):.1f} of them suspicious; {np.mean(num_others):.1f} other lines"
    )


def main() -> None:
    """Run all measurements and print the figures."""
    source = Lines(str(DATA / "copiste"))
    words = " ".join(line.text for split in SPLITS for line in source.lines(split)).split()
    measure_many_lines(words)
    measure_near_duplicate_recall(words)
    facts = {split: collect_facts(split, source.lines(split), Preprocess(), num_workers=2) for split in SPLITS}
    measure_wrong_text_detection(facts)
    measure_command()


if __name__ == "__main__":
    main()
