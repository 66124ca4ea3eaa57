"""N-gram lookup tables for decoders: for a context, the probabilities of all classes at once."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, Floats, Ints, NGram

MAX_BYTES = 500_000_000


class ContextTables:
    """Tables of an n-gram model with a row for each context, computed on first use and cached.

    A context is a node: 0 is the empty context, followed by all n-grams except those of the highest order, order by
    order. The row of a node holds for each class of the charset the natural logarithm of the probability that the
    character follows, and the node of the context after it. Column 0, the class of the blank, stands for the end of the
    line.

    Args:
        model: the n-gram model.
        charset: its classes are the columns; a character that the model lacks is treated as `UNKNOWN`.
        max_bytes: limit of the cache; when it is reached, the cache is emptied.

    Attributes:
        start: node of the beginning of a line.
        num_contexts: number of nodes.
        log_probability: ``(rows, K)`` the cached log-probabilities.
        next_node: ``(rows, K)`` the cached nodes of the contexts after each character.
        lock: to hold while rows are in use, as other threads may change the cache.
    """

    def __init__(self, model: NGram, charset: Charset, *, max_bytes: int = MAX_BYTES) -> None:
        self.lock = threading.RLock()
        self.num_symbols, self.num_classes = len(model.symbols), charset.num_classes
        self.max_rows = max(1024, max_bytes // (8 * self.num_classes))
        self._number_ngrams(model)
        ids = {symbol: id for id, symbol in enumerate(model.symbols)}
        columns = [ids[END], *(ids.get(character, ids[UNKNOWN]) for character in charset.characters)]
        self._column_to_symbol = np.array(columns)
        self._symbol_to_column = np.full(self.num_symbols, -1)
        for column, character in enumerate((END, *charset.characters)):
            if character in ids:
                self._symbol_to_column[ids[character]] = column
        self.start = int(self._find_children(np.array([0]), np.array([ids[BEGIN]]))[0]) if model.order > 1 else 0
        self._reset_cache()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=threading.RLock())

    def _number_ngrams(self, model: NGram) -> None:
        """Number the n-grams of all orders consecutively from 1, and find the backoff context of each."""
        sizes = [len(level) for level in model.levels]
        starts = np.cumsum([1, *sizes])
        contexts = [level.context + (starts[i - 1] if i else 0) for i, level in enumerate(model.levels)]
        symbols = np.concatenate([level.symbol for level in model.levels])
        self._keys: Ints = np.concatenate(contexts) * self.num_symbols + symbols
        self._symbols = symbols
        self._log_probability: Floats = np.concatenate([level.log_probability for level in model.levels])
        self.num_contexts = int(starts[-2])
        backoffs = [np.zeros(1, np.float32), *(level.log_backoff for level in model.levels[:-1])]
        self._log_backoff: Floats = np.concatenate(backoffs)
        self._first_child = np.searchsorted(self._keys, np.arange(self.num_contexts + 1) * self.num_symbols)
        self._backoff_node = np.zeros(self.num_contexts, np.int64)
        for level in range(1, model.order - 1):
            nodes = np.arange(starts[level], starts[level + 1])
            self._backoff_node[nodes] = self._find_longest(self._backoff_node[contexts[level]], symbols[nodes - 1])

    def _find_longest(self, contexts: Ints, symbols: Ints) -> Ints:
        """Return the nodes of the longest existing contexts after a symbol; in pruned models these can be shorter."""
        nodes = self._find_children(contexts, symbols)
        while (is_missing := (nodes < 0) & (contexts > 0)).any():
            contexts = np.where(is_missing, self._backoff_node[contexts], contexts)
            nodes = np.where(is_missing, self._find_children(contexts, symbols), nodes)
        return np.maximum(nodes, 0)

    def _find_children(self, contexts: Ints, symbols: Ints) -> Ints:
        """Return the nodes of contexts extended by a symbol; -1 if there is no such n-gram."""
        keys = contexts * self.num_symbols + symbols
        indices = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[indices] == keys, indices + 1, -1)

    def _reset_cache(self) -> None:
        """Empty the cache, except for the row of the empty context."""
        self._node_to_row = np.full(self.num_contexts, -1)
        self._num_rows = 1
        self.log_probability: NDArray[np.float32] = np.empty((1024, self.num_classes), np.float32)
        self.next_node: NDArray[np.int32] = np.zeros((1024, self.num_classes), np.int32)
        self._node_to_row[0] = 0
        unigrams = self._find_children(np.zeros_like(self._column_to_symbol), self._column_to_symbol)
        self.log_probability[0] = self._log_probability[unigrams - 1]
        self.next_node[0] = np.where(unigrams < self.num_contexts, unigrams, 0)

    def find_rows(self, nodes: Ints) -> Ints:
        """Return the rows of nodes in `log_probability` and `next_node`; missing ones are computed.

        Rows returned by earlier calls become invalid.
        """
        if (self._node_to_row[nodes] < 0).any():
            missing = np.unique(nodes[self._node_to_row[nodes] < 0])
            if self._num_rows + 8 * len(missing) > self.max_rows:
                self._reset_cache()
                missing = np.unique(nodes[nodes > 0])
            self._compute_rows(missing)
        return self._node_to_row[nodes]

    def _compute_rows(self, nodes: Ints) -> None:
        """Compute rows: those of the backoff contexts, weighted, overwritten by the n-grams of the contexts."""
        shorter = self._backoff_node[nodes]
        missing = np.unique(shorter[self._node_to_row[shorter] < 0])
        if len(missing):
            self._compute_rows(missing)
            nodes = nodes[self._node_to_row[nodes] < 0]  # some of them were among the backoff contexts
            shorter = self._backoff_node[nodes]
        self._reserve_rows(len(nodes))
        rows = np.arange(self._num_rows, self._num_rows + len(nodes))
        self._num_rows += len(nodes)
        self._node_to_row[nodes] = rows
        self.log_probability[rows] = self.log_probability[self._node_to_row[shorter]] + self._log_backoff[nodes, None]
        self.next_node[rows] = self.next_node[self._node_to_row[shorter]]
        first, counts = self._first_child[nodes], self._first_child[nodes + 1] - self._first_child[nodes]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        children = np.repeat(first, counts) + offsets
        columns, child_rows = self._symbol_to_column[self._symbols[children]], np.repeat(rows, counts)
        has_column = columns >= 0
        children, columns, child_rows = children[has_column], columns[has_column], child_rows[has_column]
        self.log_probability[child_rows, columns] = self._log_probability[children]
        is_context = children + 1 < self.num_contexts
        self.next_node[child_rows[is_context], columns[is_context]] = children[is_context] + 1

    def _reserve_rows(self, num_rows: int) -> None:
        capacity = len(self.log_probability)
        if self._num_rows + num_rows > capacity:
            shape = (max(capacity, num_rows), self.num_classes)
            self.log_probability = np.concatenate([self.log_probability, np.empty(shape, np.float32)])
            self.next_node = np.concatenate([self.next_node, np.zeros(shape, np.int32)])
