"""Character n-grams with backoff: a table of probabilities, and the states through which a text walks.

The n-grams of each order are arrays, sorted so that the successors of a context lie side by side; `tables.py` makes of
them what a decoder asks thousands of times a second.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.errors import InputError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
"""Beginning and end of a line, and any character that the model does not know, as ARPA files write them."""

MAX_ORDER = 10

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class LanguageModelError(InputError):
    """Texts, a file or a setting from which no language model can be made; names it, and the remedy."""


@dataclass(frozen=True, eq=False)
class Level:
    """The n-grams of one order, sorted by context and then by symbol.

    Attributes:
        context: of each n-gram, the place of its first n - 1 symbols on the level below; 0 for unigrams.
        symbol: its last symbol.
        log_probability: natural logarithm of P(symbol | context).
        log_backoff: natural logarithm of the weight with which its successors take part in those of a shorter
            context; 0 where it has none.
    """

    context: Ints
    symbol: Ints
    log_probability: Floats
    log_backoff: Floats

    def __len__(self) -> int:
        return len(self.symbol)

    def find(self, contexts: Ints, symbols: Ints, num_symbols: int) -> Ints:
        """Return the places of n-grams given by context and last symbol, -1 where there is none."""
        keys = self.context * num_symbols + self.symbol
        wanted = contexts * num_symbols + symbols
        places = np.searchsorted(keys, wanted).clip(max=max(0, len(keys) - 1))
        if not len(keys):
            return np.full_like(wanted, -1)
        return np.where((keys[places] == wanted) & (contexts >= 0), places, -1)


@dataclass(frozen=True, eq=False)
class NGram:
    """A character n-gram with backoff (Katz 1987): the form of every ARPA file.

    P(s | h) is that of the longest context in h with which s is listed, times the backoff weights of the
    longer contexts that are listed.

    Attributes:
        symbols: characters, and among them `BEGIN`, `END` and `UNKNOWN`; a symbol's number is its place.
        levels: one for each order, unigrams first.
    """

    symbols: tuple[str, ...]
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """The longest n-gram's length; contexts are one shorter."""
        return len(self.levels)

    def __len__(self) -> int:
        """Number of n-grams of all orders."""
        return sum(map(len, self.levels))

    def ids(self, text: Iterable[str]) -> list[int]:
        """Return the numbers of characters; of those that are not known, that of `UNKNOWN`."""
        number = {symbol: place for place, symbol in enumerate(self.symbols)}
        unknown = number[UNKNOWN]
        return [number.get(character, unknown) for character in text]

    def log_probability(self, text: str, *, whole: bool = True) -> float:
        """Return the natural logarithm of the probability of a line.

        Args:
            text: one character for each symbol.
            whole: whether the line ends there, which has a probability of its own.
        """
        begin, end = self.ids([BEGIN, END])
        history, total = [begin], 0.0
        for symbol in [*self.ids(text), *([end] if whole else [])]:
            total += self.conditional(history, symbol)
            history = [*history, symbol][-(self.order - 1) :] if self.order > 1 else []
        return total

    def conditional(self, history: Sequence[int], symbol: int) -> float:
        """Return the natural logarithm of P(symbol | history), by the definition and slowly."""
        backoff = 0.0
        history = list(history)[max(0, len(history) - self.order + 1) :]
        for start in range(len(history) + 1):
            context = self._place(history[start:])
            if context is None:
                continue
            level = self.levels[len(history) - start]
            found = level.find(np.array([context]), np.array([symbol]), len(self.symbols))[0]
            if found >= 0:
                return backoff + float(level.log_probability[found])
            if start < len(history):
                backoff += float(self.levels[len(history) - start - 1].log_backoff[context])
        raise LanguageModelError(f"the symbol {self.symbols[symbol]!r} has no probability; the model is damaged")

    def _place(self, context: Sequence[int]) -> int | None:
        """Place of an n-gram on its level; 0 for the empty one, None where it is not listed."""
        place = 0
        for level, symbol in zip(self.levels, context, strict=False):
            place = int(level.find(np.array([place]), np.array([symbol]), len(self.symbols))[0])
            if place < 0:
                return None
        return place
