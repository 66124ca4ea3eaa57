"""An n-gram in the form that a decoder needs: for a context, the probabilities of all classes at once."""

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, Floats, Ints, NGram

MAX_BYTES = 500_000_000


class ContextTables:
    """Rows of probabilities over the classes of a charset, made when a context first comes up, and kept.

    A context is a node: 0 the empty one, then all n-grams but the longest, order by order. Its row holds, for each
    class, the natural logarithm of the probability that the character follows, and the node that the context then
    becomes. Column 0, the blank's, holds the end of the line.

    Args:
        model: the n-gram.
        charset: its classes are the columns; a character that the model lacks counts as `UNKNOWN`.
        max_bytes: of the rows kept; beyond, all are forgotten and made again as they come up.

    Attributes:
        start: the node at the beginning of a line.
        num_contexts: number of nodes.
    """

    def __init__(self, model: NGram, charset: Charset, *, max_bytes: int = MAX_BYTES) -> None:
        self.num_symbols, self.num_classes = len(model.symbols), charset.num_classes
        self.max_rows = max(1024, max_bytes // (8 * self.num_classes))
        self._join(model)
        place = {symbol: number for number, symbol in enumerate(model.symbols)}
        columns = [place[END], *(place.get(character, place[UNKNOWN]) for character in charset.characters)]
        self._symbol_of = np.array(columns)
        self._column_of = np.full(self.num_symbols, -1)
        for column, character in enumerate((END, *charset.characters)):
            if character in place:
                self._column_of[place[character]] = column
        self.start = int(self.child(np.array([0]), np.array([place[BEGIN]]))[0]) if model.order > 1 else 0
        self._forget()

    def _join(self, model: NGram) -> None:
        """Number the n-grams of all orders through, from 1; find the context that each leaves behind."""
        sizes = [len(level) for level in model.levels]
        begins = np.cumsum([1, *sizes])
        contexts = [level.context + (begins[number - 1] if number else 0) for number, level in enumerate(model.levels)]
        symbols = np.concatenate([level.symbol for level in model.levels])
        self._keys: Ints = np.concatenate(contexts) * self.num_symbols + symbols
        self._symbols = symbols
        self._log_probability: Floats = np.concatenate([level.log_probability for level in model.levels])
        self.num_contexts = int(begins[-2])
        backoffs = [np.zeros(1, np.float32), *(level.log_backoff for level in model.levels[:-1])]
        self._log_backoff: Floats = np.concatenate(backoffs)
        self._first = np.searchsorted(self._keys, np.arange(self.num_contexts + 1) * self.num_symbols)
        self._shorter = np.zeros(self.num_contexts, np.int64)
        for level in range(1, model.order - 1):
            nodes = np.arange(begins[level], begins[level + 1])
            self._shorter[nodes] = self._longest(self._shorter[contexts[level]], symbols[nodes - 1])

    def _longest(self, contexts: Ints, symbols: Ints) -> Ints:
        """Return the longest context there is after a symbol, going to ever shorter contexts; pruned models need it."""
        found = self.child(contexts, symbols)
        while (lost := (found < 0) & (contexts > 0)).any():
            contexts = np.where(lost, self._shorter[contexts], contexts)
            found = np.where(lost, self.child(contexts, symbols), found)
        return np.maximum(found, 0)

    def child(self, contexts: Ints, symbols: Ints) -> Ints:
        """Return the nodes of contexts with one more symbol; -1 where there is no such n-gram."""
        wanted = contexts * self.num_symbols + symbols
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[places] == wanted, places + 1, -1)

    def _forget(self) -> None:
        self._row_of = np.full(self.num_contexts, -1)
        self._used = 1
        self.log_probability: NDArray[np.float32] = np.empty((1024, self.num_classes), np.float32)
        self.following: NDArray[np.int32] = np.zeros((1024, self.num_classes), np.int32)
        self._row_of[0] = 0
        unigrams = self.child(np.zeros_like(self._symbol_of), self._symbol_of)
        self.log_probability[0] = self._log_probability[unigrams - 1]
        self.following[0] = np.where(unigrams < self.num_contexts, unigrams, 0)

    def rows(self, nodes: Ints) -> Ints:
        """Return where in `log_probability` and `following` the rows of some nodes are, making what lacks.

        Rows asked for before may have moved.
        """
        if (self._row_of[nodes] < 0).any():
            lacking = np.unique(nodes[self._row_of[nodes] < 0])
            if self._used + 8 * len(lacking) > self.max_rows:
                self._forget()
                lacking = np.unique(nodes[nodes > 0])
            self._make(lacking)
        return self._row_of[nodes]

    def _make(self, nodes: Ints) -> None:
        """Make rows: those of the shorter contexts, weighted, and what is listed for the contexts themselves."""
        shorter = self._shorter[nodes]
        lacking = np.unique(shorter[self._row_of[shorter] < 0])
        if len(lacking):
            self._make(lacking)
            nodes = nodes[self._row_of[nodes] < 0]  # some were among the shorter ones
            shorter = self._shorter[nodes]
        self._grow(len(nodes))
        rows = np.arange(self._used, self._used + len(nodes))
        self._used += len(nodes)
        self._row_of[nodes] = rows
        self.log_probability[rows] = self.log_probability[self._row_of[shorter]] + self._log_backoff[nodes, None]
        self.following[rows] = self.following[self._row_of[shorter]]
        first, numbers = self._first[nodes], self._first[nodes + 1] - self._first[nodes]
        inside = np.arange(numbers.sum()) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        children = np.repeat(first, numbers) + inside
        columns, row = self._column_of[self._symbols[children]], np.repeat(rows, numbers)
        written = columns >= 0
        children, columns, row = children[written], columns[written], row[written]
        self.log_probability[row, columns] = self._log_probability[children]
        context = children + 1 < self.num_contexts
        self.following[row[context], columns[context]] = children[context] + 1

    def _grow(self, number: int) -> None:
        size = len(self.log_probability)
        if self._used + number > size:
            more = max(size, number)
            self.log_probability = np.concatenate(
                [self.log_probability, np.empty((more, self.num_classes), np.float32)]
            )
            self.following = np.concatenate([self.following, np.zeros((more, self.num_classes), np.int32)])
