"""Measure the doctor; see README.md. Needs HTR_DATA."""

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
from htr_lightning.doctor.facts import Facts, Settings, SplitFacts, facts_of
from htr_lightning.doctor.near import LIKENESS, folded, near_duplicates
from htr_lightning.doctor.quick import quick_findings
from htr_lightning.doctor.suspicious import odd_lines
from htr_lightning.image.preprocess import Preprocess

DATA = Path(os.environ["HTR_DATA"])
RUNS = 3
WORDS_PER_LINE = 8


def whole_command() -> None:
    """Time the command on copiste, start to end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "htr_lightning", "doctor", "dataset=copiste", "--out", folder]
        seconds = []
        for _ in range(RUNS):
            start = time.monotonic()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.monotonic() - start)
        sizes = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
    print("copiste, seconds:", ", ".join(f"{s:.1f}" for s in sorted(seconds)), "sizes:", sizes)


class MadeUp:
    """Columns of packed lines that are nowhere but here."""

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
        """Return the same as facts."""
        ids, texts, groups, digests = self.columns.values()
        ink = np.full(len(ids), 0.05, np.float32)
        return SplitFacts(split, ids, texts, groups, digests, self.widths, self.widths, self.widths, ink)


def findings_of_many_lines(words: list[str]) -> None:
    """Time both parts on texts of random words; no images."""
    for number in (5_000, 100_000):
        generator = random.Random(1)
        made = {
            split: MadeUp(split, number // n, words, generator) for split, n in zip(SPLITS, (1, 10, 10), strict=True)
        }
        charset = Charset.from_texts(made["train"].column("text"))
        start = time.monotonic()
        quick_findings(made, charset, Settings())  # type: ignore[arg-type]
        quick = time.monotonic() - start
        start = time.monotonic()
        diagnose({split: made[split].facts(split) for split in SPLITS}, Settings(frames=lambda widths: widths // 4))
        print(f"{number} training lines: quick {quick:.2f} s, all findings {time.monotonic() - start:.2f} s")


def recall_of_near_duplicates(words: list[str]) -> None:
    """Count how many of the texts that differ in some letters are found again among 21,000."""
    generator = random.Random(1)
    texts = [" ".join(generator.choices(words, k=WORDS_PER_LINE)) for _ in range(21_000)]
    for edits in range(7):
        picked = generator.sample(texts, 1000)
        wrong = []
        for text in picked:
            letters = list(text)
            for place in generator.sample(range(len(letters)), edits):
                letters[place] = generator.choice("abcdefghijklmnopqrstuvwxyz")
            wrong.append("".join(letters))
        pairs = zip(map(folded, picked), map(folded, wrong), strict=True)
        alike = sum(Levenshtein.normalized_similarity(a, b) >= LIKENESS for a, b in pairs)
        print(f"{edits} wrong letters: {alike} of 1000 alike, {len(near_duplicates(texts, wrong))} found")


def detection_of_foreign_texts(facts: Facts) -> None:
    """Give 100 training lines the text of another line, and count how many are noticed."""
    before = odd_lines(facts)
    noted, warned, others = [], [], []
    for seed in range(10):
        generator = random.Random(seed)
        rows = generator.sample(range(len(facts["train"])), 100)
        texts = list(facts["train"].texts)
        for row, other in zip(rows, generator.sample(range(len(texts)), 100), strict=True):
            texts[row] = facts["train"].texts[other]
        odd = odd_lines({**facts, "train": replace(facts["train"], texts=texts)})
        mine = [line for line in odd if line.split == "train" and line.row in rows]
        noted.append(len(mine))
        warned.append(sum(line.is_wrong for line in mine))
        others.append(len(odd) - len(mine))
    wrong = sum(line.is_wrong for line in before)
    print(f"copiste as it is: {len(before)} odd, {wrong} of them suspicious")
    print(
        f"of 100 lines with another's text, mean of 10 draws: {np.mean(noted):.1f} odd, {np.mean(warned):.1f} of them "
        f"suspicious; {np.mean(others):.1f} other lines"
    )


def main() -> None:
    """Print all figures."""
    source = Lines(str(DATA / "copiste"))
    words = " ".join(line.text for split in SPLITS for line in source.lines(split)).split()
    findings_of_many_lines(words)
    recall_of_near_duplicates(words)
    facts = {split: facts_of(split, source.lines(split), Preprocess(), num_workers=2) for split in SPLITS}
    detection_of_foreign_texts(facts)
    whole_command()


if __name__ == "__main__":
    main()
