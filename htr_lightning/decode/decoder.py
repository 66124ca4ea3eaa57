"""Builders of decoders, for the configuration and the command line."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.languages import LanguageBeams
from htr_lightning.decode.lexicon import read_lexicon
from htr_lightning.lm.arpa import read_arpa
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, LanguageModelError, NGram
from htr_lightning.lm.tables import ContextTables
from htr_lightning.lm.zoo import find_language_models
from htr_lightning.text import describe_characters

log = logging.getLogger(__name__)

Decoder = Callable[[NDArray[np.float32], NDArray[np.int64]], list[list[int]]]
"""Logits ``(N, T, K)`` and frame lengths ``(N,)`` -> the character ids of each line."""

MAX_NGRAMS = 10_000_000
MAX_UNKNOWN_PROBABILITY = 0.2
"""Largest total probability that a language model may give to characters that the recognizer lacks."""


def build_greedy_decoder(charset: Charset) -> Decoder:
    """Build a decoder that takes the most probable class of every frame (`htr_lightning.decode.greedy`)."""
    return greedy_decode


def build_default_decoder(charset: Charset, lm: str, languages: Sequence[str]) -> Decoder:
    """Build the decoder that a model file names: a beam search with its language model, or the greedy one.

    Args:
        charset: of the recognizer.
        lm: see `build_beam_decoder`; empty for greedy decoding.
        languages: of the recognizer, see `build_beam_decoder`.

    Raises:
        LanguageModelError: see `build_beam_decoder`.
    """
    return build_beam_decoder(charset, lm=lm, languages=languages) if lm else build_greedy_decoder(charset)


def build_beam_decoder(
    charset: Charset,
    *,
    lm: str | None = None,
    languages: Sequence[str] = (),
    lm_weight: float = 0.5,
    insertion_bonus: float = 1.25,
    lexicon: str | None = None,
    unknown_word_cost: float | None = None,
    beam_width: int = 16,
    max_classes: int = 12,
    min_probability: float = 1e-4,
    blank_skip_threshold: float = 0.999,
    max_ngrams: int = MAX_NGRAMS,
) -> Decoder:
    """Build a decoder that searches for the most probable text (`htr_lightning.decode.beam.BeamSearch`).

    Args:
        charset: of the recognizer.
        lm: an ARPA file of a character n-gram; ``zoo:lm-fr`` and the like for one that ships; ``auto`` for those of the
            ``languages``, of which each line takes the most probable; None for no language model.
        languages: of the recognizer, for ``auto``: ISO 639-1 codes.
        lm_weight: see `BeamSearch`.
        insertion_bonus: see `BeamSearch`; ignored without a language model.
        lexicon: a text file, or a manifest, of whose words predictions must consist; None for any words.
        unknown_word_cost: see `BeamSearch`.
        beam_width: see `BeamSearch`.
        max_classes: see `BeamSearch`.
        min_probability: see `BeamSearch`.
        blank_skip_threshold: see `BeamSearch`.
        max_ngrams: a larger language model is refused.

    Raises:
        LanguageModelError: the file is missing, damaged, too large, or of other characters than the recognizer's.
        LexiconError: the file is missing, malformed, or has no words that the recognizer can predict.
        InputError: a value is out of range.
    """
    paths = [] if lm is None else find_language_models(lm, languages)
    search = BeamSearch(
        beam_width=beam_width,
        lm_weight=lm_weight,
        insertion_bonus=0.0 if lm is None else insertion_bonus,
        lexicon=None if lexicon is None else read_lexicon(Path(lexicon), charset),
        unknown_word_cost=unknown_word_cost,
        max_classes=max_classes,
        min_probability=min_probability,
        blank_skip_threshold=blank_skip_threshold,
    )
    models = [load_language_model(path, charset, max_ngrams=max_ngrams) for path in paths]
    searches = [replace(search, lm=model) for model in models] or [search]
    return searches[0].decode if len(searches) == 1 else LanguageBeams(searches).decode


def load_language_model(path: str | Path, charset: Charset, *, max_ngrams: int = MAX_NGRAMS) -> ContextTables:
    """Load a language model for a recognizer, and log which of its characters the language model lacks.

    Args:
        path: an ARPA file of a character n-gram.
        charset: of the recognizer.
        max_ngrams: a larger language model is refused.

    Raises:
        LanguageModelError: see `build_beam_decoder`.
    """
    model = read_arpa(Path(path), max_ngrams=max_ngrams)
    unknown = _find_unknown_characters(model, charset)
    if sum(unknown.values()) > MAX_UNKNOWN_PROBABILITY:
        most_frequent = "".join(sorted(unknown, key=lambda character: -unknown[character])[:5])
        raise LanguageModelError(
            f"{sum(unknown.values()):.0%} of its characters, by unigram probability, are unknown to the recognizer, "
            f"such as {describe_characters(most_frequent)}",
            file=path,
            remedy="train it on texts in the script of the recognizer",
            kind="unknown_characters",
        )
    missing = [character for character in charset.characters if character not in set(model.symbols)]
    if missing:
        log.info(
            "%s lacks %d of %d characters of the recognizer: %s", path, len(missing), len(charset), "".join(missing)
        )
    return ContextTables(model, charset)


def _find_unknown_characters(model: NGram, charset: Charset) -> dict[str, float]:
    """Return the characters of a language model that the recognizer lacks, with their unigram probabilities."""
    level = model.levels[0]
    probabilities = {
        model.symbols[symbol]: math.exp(value)
        for symbol, value in zip(level.symbol.tolist(), np.asarray(level.log_probability).tolist(), strict=True)
    }
    return {c: p for c, p in probabilities.items() if c not in charset and c not in (BEGIN, END, UNKNOWN)}
