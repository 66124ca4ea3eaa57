"""Ways from frames to the ids of characters, as a configuration or a command line names them."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.lexicon import read_lexicon
from htr_lightning.lm.arpa import read_arpa
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, LanguageModelError, NGram
from htr_lightning.lm.tables import ContextTables
from htr_lightning.text import describe_characters

log = logging.getLogger(__name__)

Decoder = Callable[[NDArray[np.float32], NDArray[np.int64]], list[list[int]]]
"""Logits ``(N, T, K)`` and frame lengths ``(N,)`` -> the ids of the characters of each line."""

MAX_NGRAMS = 10_000_000
MAX_FOREIGN = 0.2  # share of what a language model writes that the recognizer cannot


def build_greedy_decoder(charset: Charset) -> Decoder:
    """Take the most probable class of every frame (`htr_lightning.decode.greedy`)."""
    return greedy_decode


def build_beam_decoder(
    charset: Charset,
    *,
    lm: str | None = None,
    lm_weight: float = 0.5,
    insertion_bonus: float = 1.0,
    lexicon: str | None = None,
    unknown_word_cost: float | None = None,
    beam_width: int = 16,
    max_classes: int = 12,
    min_probability: float = 1e-4,
    blank_skip_threshold: float = 0.999,
    max_ngrams: int = MAX_NGRAMS,
) -> Decoder:
    """Search for the most probable text (`htr_lightning.decode.beam.BeamSearch`, which explains most arguments).

    Args:
        charset: of the recognizer.
        lm: an ARPA file of characters; None for no language model, and no insertion bonus.
        lm_weight: see `BeamSearch`, as the others.
        insertion_bonus: only with a language model.
        lexicon: a text file, or a manifest of texts, whose words are the only ones; None for any words.
        unknown_word_cost: of each word that is not in it; None forbids them.
        beam_width: of the beam.
        max_classes: of a frame.
        min_probability: of a class in a frame.
        blank_skip_threshold: above which frames in a row count as one.
        max_ngrams: refuse a larger language model.

    Raises:
        LanguageModelError: the file is missing, damaged, too large, or writes other characters.
        LexiconError: the file is missing, malformed, or has no word that the recognizer can write.
        ValueError: a value is out of its range.
    """
    search = BeamSearch(
        beam_width=beam_width,
        lm=None if lm is None else load_language_model(lm, charset, max_ngrams=max_ngrams),
        lm_weight=lm_weight,
        insertion_bonus=0.0 if lm is None else insertion_bonus,
        lexicon=None if lexicon is None else read_lexicon(Path(lexicon), charset),
        unknown_word_cost=unknown_word_cost,
        max_classes=max_classes,
        min_probability=min_probability,
        blank_skip_threshold=blank_skip_threshold,
    )
    return search.decode


def load_language_model(path: str | Path, charset: Charset, *, max_ngrams: int = MAX_NGRAMS) -> ContextTables:
    """Read a language model for a recognizer, and log what the two do not share.

    Raises:
        LanguageModelError: see `build_beam_decoder`.
    """
    model = read_arpa(Path(path), max_ngrams=max_ngrams)
    foreign = _foreign(model, charset)
    if sum(foreign.values()) > MAX_FOREIGN:
        worst = "".join(sorted(foreign, key=lambda character: -foreign[character])[:5])
        raise LanguageModelError(
            f"{path}: {sum(foreign.values()):.0%} of what it writes are characters that the recognizer does not know, "
            f"such as {describe_characters(worst)}; learn it from texts written as the recognizer was trained"
        )
    lacking = [character for character in charset.characters if character not in set(model.symbols)]
    if lacking:
        log.info("%s does not know %d of %d characters: %s", path, len(lacking), len(charset), "".join(lacking))
    return ContextTables(model, charset)


def _foreign(model: NGram, charset: Charset) -> dict[str, float]:
    """Return the characters that a recognizer lacks, each with its share in what a language model writes."""
    level = model.levels[0]
    shares = {
        model.symbols[symbol]: math.exp(value)
        for symbol, value in zip(level.symbol.tolist(), np.asarray(level.log_probability).tolist(), strict=True)
    }
    return {c: share for c, share in shares.items() if c not in charset and c not in (BEGIN, END, UNKNOWN)}
