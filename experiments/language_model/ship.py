"""Train the language models that ship: character 6-grams of French, English and German, pruned to fit into 3 MB each.

python experiments/language_model/ship.py htr_lightning/zoo

Texts: the training splits of the archives (``hands``) by their column ``language`` and of copiste, and lines of words
drawn by their frequency (wordfreq), a third as many, for modern words. Needs HTR_DATA and the extra ``synthetic``.
"""

import os
import random
import sys
from pathlib import Path

import pyarrow.parquet as pq
import wordfreq

from htr_lightning.data.sources.manifest import read_manifest_texts
from htr_lightning.lm.arpa import write_arpa
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.pruning import prune_ngram
from htr_lightning.text import clean_text, normalize

ORDER, MAX_NGRAMS, WORDS_PER_LINE = 6, 300_000, 7


def read_archives(data: Path) -> dict[str, list[str]]:
    """Return the training texts by language."""
    texts: dict[str, list[str]] = {"fr": list(read_manifest_texts(data / "copiste" / "train.tsv"))}
    for path in sorted((data / "hands").glob("*.parquet")):
        table = pq.read_table(path, columns=["text", "language", "split"]).to_pylist()
        for row in table:
            if row["split"] == "train" and "," not in row["language"]:  # catalogues has two languages in each file
                texts.setdefault(row["language"], []).append(row["text"])
    return texts


def draw_lines(language: str, number: int) -> list[str]:
    """Return lines of words of a language, drawn by their frequency."""
    generator = random.Random(f"{language} words")
    frequencies = {w: f for w, f in wordfreq.get_frequency_dict(language, "best").items() if w.isalpha()}
    drawn = generator.choices(list(frequencies), list(frequencies.values()), k=number * WORDS_PER_LINE)
    if language == "de":  # wordfreq folds case
        drawn = [word.capitalize() if generator.random() < 0.35 else word for word in drawn]
    return [" ".join(drawn[i : i + WORDS_PER_LINE]) for i in range(0, len(drawn), WORDS_PER_LINE)]


def main() -> None:
    """Train, prune and write a model for each language."""
    folder = Path(sys.argv[1])
    for language, raw in read_archives(Path(os.environ["HTR_DATA"])).items():
        real = [normalize(clean_text(text), "NFC") for text in raw]
        drawn = draw_lines(language, len(real) // 3)
        model = prune_ngram(train_ngram([*real, *drawn], ORDER), MAX_NGRAMS)
        path = folder / f"lm-{language}.arpa.gz"
        write_arpa(model, path)
        size = path.stat().st_size / 1e6
        print(f"{path}: {len(real):,} lines and {len(drawn):,} of words; {len(model):,} n-grams, {size:.2f} MB")


if __name__ == "__main__":
    main()
