"""Finds pages in a script, language or hand that the model does not know, by what it read."""

import functools
import math
from collections.abc import Iterable, Sequence

from htr_lightning.decode.languages import compute_log_probability
from htr_lightning.lm.arpa import read_arpa
from htr_lightning.lm.ngram import LanguageModelError
from htr_lightning.lm.tables import ContextTables
from htr_lightning.lm.zoo import AUTO, find_language_models
from htr_lightning.model.load import Recognizer

# Chosen on training pages of nine archives and synthetic pages in five scripts (experiments/other_scripts).
_DOUBTFUL = 0.9  # mean confidence of the characters from which on a page is not checked
_UNLIKELY = -3.35  # mean natural logarithm of the probability of a character, in the likeliest language of each line
_MIN_CHARACTERS = 100  # of a page, in lines that are mostly letters
_MIN_LENGTH = 4


class ScriptCheck:
    """Compares the texts of pages with the languages of a model.

    Texts of pages in other scripts look like none of them, although single characters may be read with confidence. The
    language models that ship are loaded when the first doubtful page is read.

    Args:
        model: read the pages.
    """

    def __init__(self, model: Recognizer) -> None:
        self._model = model

    def describe(self, texts: Sequence[str], confidence: float) -> str:
        """Return a sentence about a page that is hardly in the model's script; empty if it may be.

        Args:
            texts: of its lines, as they were read without language model, which would find words of its own.
            confidence: mean of its characters, 0..1.
        """
        if confidence >= _DOUBTFUL:
            return ""
        likelihood = self.measure(texts)
        if likelihood is None or likelihood >= _UNLIKELY:
            return ""
        scripts, languages = " and ".join(self._model.charset.scripts), ", ".join(self._model.info.languages)
        return (
            f"what was read is like none of the model's languages ({languages}; confidence {confidence:.0%}): is the "
            f"page in another script than {scripts}, or in a language or hand that the model does not know? Choose or "
            "train a model for it"
        )

    def measure(self, texts: Iterable[str]) -> float | None:
        """Return the mean natural logarithm of the probability of a character; None if that cannot be known.

        Each line counts in its likeliest language; lines with few letters, such as rows of numbers, are left out.
        """
        lines = [text for text in texts if len(text) >= _MIN_LENGTH and 2 * sum(map(str.isalpha, text)) > len(text)]
        lengths = [len(text) + 1 for text in lines]
        if sum(lengths) < _MIN_CHARACTERS or not self._tables:
            return None
        charset = self._model.charset
        totals = [max(compute_log_probability(t, charset.encode_known(text)) for t in self._tables) for text in lines]
        return math.fsum(totals) / sum(lengths)

    @functools.cached_property
    def _tables(self) -> list[ContextTables]:
        try:
            paths = find_language_models(AUTO, self._model.info.languages)
        except LanguageModelError:
            return []
        return [ContextTables(read_arpa(path), self._model.charset) for path in paths]
