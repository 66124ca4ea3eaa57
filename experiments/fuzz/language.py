"""Language models, lexicons, and texts to train a language model on."""

import gzip
from pathlib import Path
from random import Random

import numpy as np
from models import CHARACTERS
from mutate import mutate_bytes, mutate_text
from outcome import READ, require, run_command
from seeds import TEXTS

from htr_lightning.charset import Charset
from htr_lightning.cli.train_lm import main as train_lm
from htr_lightning.decode.decoder import build_beam_decoder
from htr_lightning.lm.arpa import read_arpa, write_arpa
from htr_lightning.lm.kneser_ney import train_ngram

_VALUES = (
    "0",
    "-0.5",
    "1",
    "-99",
    "-1e300",
    "1e300",
    "-inf",
    "inf",
    "nan",
    "",
    "x",
    "é",
    "le",
    "l e",
    "e",
    "<s>",
    "</s>",
)


class LanguageModels:
    """ARPA files, gzipped or not, used in a beam search.

    Args:
        folder: to write a valid file into.
    """

    name = "language model"
    rewrites_input = False

    def __init__(self, folder: Path) -> None:
        self._charset = Charset(CHARACTERS)
        write_arpa(train_ngram(list(TEXTS) * 3, 3), folder / "seed.arpa")
        self._seed = (folder / "seed.arpa").read_text(encoding="utf-8")
        self._logits = np.random.default_rng(0).normal(0, 3, (1, 30, self._charset.num_classes)).astype(np.float32)

    def write(self, random: Random, folder: Path) -> Path:
        """Write a language model."""
        if random.random() < 0.6:
            rows = self._seed.split("\n")
            for _ in range(random.choice((1, 2, 5))):
                at = random.randrange(len(rows))
                fields = rows[at].split("\t")
                fields[random.randrange(len(fields))] = random.choice((*_VALUES, *fields))
                rows[at] = "\t".join(fields)
            content = "\n".join(rows).encode()
        else:
            content = mutate_text(random, self._seed, "\t\n \n=")
        path = folder / "lm.arpa"
        if random.random() < 0.3:
            path, content = folder / "lm.arpa.gz", gzip.compress(content, mtime=0)
            content = mutate_bytes(random, content) if random.random() < 0.7 else content
        path.write_bytes(content)
        return path

    def read(self, given: Path, folder: Path, out: Path) -> str:
        """Decode with the language model, and write it again."""
        decode = build_beam_decoder(self._charset, lm=str(given), beam_width=4)
        decode(self._logits, np.array([30]))
        model = read_arpa(given)
        require(
            all(np.isfinite(level.log_probability).all() for level in model.levels), "probabilities that are not finite"
        )
        require(all(np.isfinite(level.log_backoff).all() for level in model.levels), "weights that are not finite")
        require(np.isfinite(model.log_probability("le roi")), "the probability of a text")
        write_arpa(model, out / "again.arpa")
        require(len(read_arpa(out / "again.arpa")) == len(model), "a model that is written and read again")
        return READ


class Texts:
    """Texts to train a language model on, and lexicons."""

    name = "texts"
    rewrites_input = False

    def __init__(self) -> None:
        self._charset = Charset(CHARACTERS)
        self._logits = np.random.default_rng(0).normal(0, 3, (1, 30, self._charset.num_classes)).astype(np.float32)
        rows = "".join(f"a{n}.png\t{text}\n" for n, text in enumerate(TEXTS))
        self._seeds = {".txt": "\n".join(TEXTS) + "\n", ".tsv": f"image\ttext\n{rows}", ".jsonl": ""}
        self._seeds[".jsonl"] = "".join(f'{{"image": "a{n}", "text": "{text}"}}\n' for n, text in enumerate(TEXTS))

    def write(self, random: Random, folder: Path) -> tuple[Path, bool]:
        """Write texts; return the file, and whether it is a lexicon."""
        suffix = random.choice(sorted(self._seeds))
        path = folder / f"texts{suffix}"
        path.write_bytes(mutate_text(random, self._seeds[suffix], "\t\n ,"))
        return path, random.random() < 0.5

    def read(self, given: tuple[Path, bool], folder: Path, out: Path) -> str:
        """Decode with the lexicon, or train a language model."""
        path, is_lexicon = given
        if is_lexicon:
            decode = build_beam_decoder(self._charset, lexicon=str(path), beam_width=4)
            decode(self._logits, np.array([30]))
            return READ
        result = run_command(train_lm, ["train-lm", str(path), "--order", "3", "-o", str(out / "lm.arpa")])
        require(len(read_arpa(out / "lm.arpa")), "the language model")
        return result
