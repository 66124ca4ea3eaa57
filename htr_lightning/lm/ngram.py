"""Character n-gram models with backoff.

The n-grams of each order are arrays, sorted so that the continuations of a context are adjacent. For decoding,
`htr_lightning.lm.tables` turns them into lookup tables.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.errors import InputError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
"""Symbols of ARPA files: the beginning of a line, its end, and any character that the model does not know."""

MAX_ORDER = 10

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class LanguageModelError(InputError):
    """A text, a file or a setting from which no language model can be built."""


@dataclass(frozen=True, eq=False)
class Level:
    """The n-grams of one order, sorted by context, then by symbol.

    Attributes:
        context: index of the first n - 1 symbols of each n-gram in the level below; 0 for unigrams.
        symbol: id of its last symbol.
        log_probability: natural logarithm of P(symbol | context).
        log_backoff: natural logarithm of its backoff weight as a context; 0 if it has none.
    """

    context: Ints
    symbol: Ints
    log_probability: Floats
    log_backoff: Floats

    def __len__(self) -> int:
        return len(self.symbol)

    def find(self, contexts: Ints, symbols: Ints, num_symbols: int) -> Ints:
        """Return the indices of the n-grams with these contexts and last symbols; -1 for those that do not exist."""
        keys = self.context * num_symbols + self.symbol
        targets = contexts * num_symbols + symbols
        indices = np.searchsorted(keys, targets).clip(max=max(0, len(keys) - 1))
        if not len(keys):
            return np.full_like(targets, -1)
        return np.where((keys[indices] == targets) & (contexts >= 0), indices, -1)


@dataclass(frozen=True, eq=False)
class NGram:
    """A character n-gram model with backoff (Katz 1987), as in ARPA files.

    P(s | h) is that of the n-gram of s with the longest suffix of h for which there is one, times the backoff weights
    of the longer suffixes that exist as contexts.

    Attributes:
        symbols: the characters, `BEGIN`, `END` and `UNKNOWN`; the id of a symbol is its index.
        levels: one for each order, unigrams first.
    """

    symbols: tuple[str, ...]
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """Length of the longest n-grams; contexts are shorter by one."""
        return len(self.levels)

    def __len__(self) -> int:
        """Number of n-grams of all orders."""
        return sum(map(len, self.levels))

    def encode(self, text: Iterable[str]) -> list[int]:
        """Return the ids of symbols; unknown ones have the id of `UNKNOWN`."""
        ids = {symbol: id for id, symbol in enumerate(self.symbols)}
        unknown = ids[UNKNOWN]
        return [ids.get(character, unknown) for character in text]

    def log_probability(self, text: str, *, include_end: bool = True) -> float:
        """Return the natural logarithm of the probability of a line.

        Args:
            text: each character is a symbol.
            include_end: include the probability that the line ends after the text.
        """
        begin, end = self.encode([BEGIN, END])
        history, total = [begin], 0.0
        for symbol in [*self.encode(text), *([end] if include_end else [])]:
            total += self.conditional_log_probability(history, symbol)
            history = [*history, symbol][-(self.order - 1) :] if self.order > 1 else []
        return total

    def conditional_log_probability(self, history: Sequence[int], symbol: int) -> float:
        """Return the natural logarithm of P(symbol | history), straight from the definition and slowly."""
        backoff = 0.0
        history = list(history)[max(0, len(history) - self.order + 1) :]
        for start in range(len(history) + 1):
            context = self._find_context(history[start:])
            if context is None:
                continue
            level = self.levels[len(history) - start]
            index = level.find(np.array([context]), np.array([symbol]), len(self.symbols))[0]
            if index >= 0:
                return backoff + float(level.log_probability[index])
            if start < len(history):
                backoff += float(self.levels[len(history) - start - 1].log_backoff[context])
        raise LanguageModelError(
            f"the symbol {self.symbols[symbol]!r} has no probability: damaged language model", kind="damaged"
        )

    def _find_context(self, context: Sequence[int]) -> int | None:
        """Return the index of an n-gram in its level; 0 for the empty one, None if it does not exist."""
        index = 0
        for level, symbol in zip(self.levels, context, strict=False):
            index = int(level.find(np.array([index]), np.array([symbol]), len(self.symbols))[0])
            if index < 0:
                return None
        return index
