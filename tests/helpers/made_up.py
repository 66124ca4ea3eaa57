"""Facts and datasets to diagnose, made up for the tests of the doctor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helpers.typesetting import typeset
from htr_lightning.data.line import SPLITS, Split
from htr_lightning.doctor.facts import Facts, SplitFacts
from htr_lightning.doctor.finding import Finding

VOWELS, CONSONANTS = "aeiou", "bcdfglmnprstv"


def split_facts(
    split: Split,
    texts: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    digests: Sequence[bytes] | None = None,
    input_widths_px: Sequence[int] | None = None,
) -> SplitFacts:
    """Lines of 10 px a character, each image another one, unless told otherwise."""
    number = len(texts)
    ids = [f"{split}/{row}" for row in range(number)]
    widths = np.array([10 * len(text) for text in texts] if input_widths_px is None else input_widths_px, np.int64)
    return SplitFacts(
        split,
        ids,
        texts,
        groups or [f"{split} {row % 3}" for row in range(number)],
        [id.encode() for id in ids] if digests is None else digests,
        widths,
        np.full(number, 48, np.int64),
        widths,
        np.full(number, 0.05, np.float32),
    )


def facts(train: Sequence[str] = (), val: Sequence[str] = (), test: Sequence[str] = ()) -> Facts:
    """Facts of lines with these texts."""
    return {split: split_facts(split, texts) for split, texts in zip(SPLITS, (train, val, test), strict=True)}


def sentences(number: int, seed: int = 0, words: int = 5) -> list[str]:
    """Draw texts of several made-up words, no two of which are nearly the same."""
    generator = np.random.default_rng(seed)

    def word() -> str:
        return "".join(generator.choice(list(kind)) for kind in (CONSONANTS, VOWELS) * generator.integers(1, 3))

    return [" ".join(word() for _ in range(words)) for _ in range(number)]


def only(findings: Sequence[Finding], key: str) -> Finding:
    """Return the one finding of a kind."""
    (found,) = [finding for finding in findings if finding.key == key]
    return found


def keys(findings: Sequence[Finding]) -> list[str]:
    """Return the kinds of some findings."""
    return [finding.key for finding in findings]


class HealthySet:
    """A dataset of typeset lines on disk, with nothing wrong, to plant faults in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: dict[Split, list[tuple[str, str, str]]] = {split: [] for split in SPLITS}
        for seed, (split, number) in enumerate((("train", 60), ("val", 12), ("test", 12))):
            for row, text in enumerate(sentences(number, seed)):
                self.add(split, text, writer=f"{split}-{row % 3}")  # type: ignore[arg-type]

    def add(self, split: Split, text: str, *, drawn: str | None = None, writer: str = "", name: str = "") -> Path:
        """Write a line; ``drawn`` is what its image shows, the text if None. Returns the image's path."""
        name = name or f"{split}/{len(self.rows[split])}.png"
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        typeset(text if drawn is None else drawn).save(path)
        self.rows[split].append((name, text, writer or f"{split}-0"))
        return path

    def write(self) -> Path:
        """Write the manifests, and return the folder."""
        for split, rows in self.rows.items():
            table = ["image\ttext\twriter", *("\t".join(row) for row in rows)]
            (self.root / f"{split}.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")
        return self.root
