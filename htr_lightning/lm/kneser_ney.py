"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999, equations 22 to 27)."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.lm.ngram import BEGIN, END, MAX_ORDER, UNKNOWN, Floats, Ints, LanguageModelError, Level, NGram

log = logging.getLogger(__name__)
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts used if the counts of counts do not determine them, as with very short texts."""

_BEGIN_ID = 1


@dataclass(frozen=True)
class _Counts:
    """The n-grams of one order with their counts.

    Attributes:
        context: index of the first n - 1 symbols in the level below.
        symbol: id of the last symbol.
        suffix: index of the last n - 1 symbols in the level below.
        count: number of occurrences.
        starts_line: whether the first symbol is `BEGIN`, which nothing can precede.
    """

    context: Ints
    symbol: Ints
    suffix: Ints
    count: Ints
    starts_line: NDArray[np.bool_]


def train_ngram(texts: Iterable[str], order: int) -> NGram:
    """Train an n-gram model on lines of text.

    Lines begin with `BEGIN` and end with `END`; no n-gram spans two lines. The unigrams are interpolated with the
    uniform distribution over all symbols except `BEGIN`, so that unknown characters have a probability.

    Args:
        texts: lines, of which each character is a symbol; empty lines are skipped.
        order: length of the longest n-grams, 1 to `MAX_ORDER`.

    Raises:
        LanguageModelError: the order is out of range, or all lines are empty.
    """
    if not 1 <= order <= MAX_ORDER:
        raise LanguageModelError("out of range", key="order", value=order, remedy=f"give 1 to {MAX_ORDER}")
    lines = [text for text in texts if text]
    if not lines:
        raise LanguageModelError(
            "there is no text to train on: all lines are empty", remedy="check the texts", kind="empty"
        )
    characters = sorted(set().union(*lines))
    symbols = (UNKNOWN, BEGIN, END, *characters)
    ids = {symbol: id for id, symbol in enumerate(symbols)}
    stream = [ids[s] for line in lines for s in (BEGIN, *line, END)]
    levels = _count_ngrams(np.array(stream, np.int64), order, len(symbols))
    return NGram(symbols, _smooth(levels, len(symbols)))


def _count_ngrams(stream: Ints, order: int, num_symbols: int) -> list[_Counts]:
    """Count the n-grams of every order in concatenated lines; all symbols are unigrams, even with a count of 0."""
    symbols = np.arange(num_symbols)
    count = np.bincount(stream, minlength=num_symbols)
    levels = [_Counts(np.zeros_like(symbols), symbols, np.zeros_like(symbols), count, symbols == _BEGIN_ID)]
    ngram_at = stream  # index of the n-gram that ends at each position
    in_one_line = np.ones(len(stream), np.bool_)  # whether all of this n-gram is in one line
    for length in range(2, order + 1):
        in_one_line = np.r_[False, in_one_line[:-1]] & (stream != _BEGIN_ID)
        keys = np.r_[0, ngram_at[:-1]] * num_symbols + stream
        unique, first, indices, count = np.unique(
            keys[in_one_line], return_index=True, return_inverse=True, return_counts=True
        )
        ends = np.flatnonzero(in_one_line)[first]
        starts_line = stream[ends - length + 1] == _BEGIN_ID
        levels.append(_Counts(unique // num_symbols, unique % num_symbols, ngram_at[ends], count, starts_line))
        ngram_at = np.zeros_like(stream)
        ngram_at[in_one_line] = indices
    return levels


def _smooth(levels: Sequence[_Counts], num_symbols: int) -> tuple[Level, ...]:
    """Compute probabilities and backoff weights from counts (equations 22 to 25)."""
    smoothed: list[Level] = []
    lower = np.full(1, 1 / (num_symbols - 1))  # the uniform distribution, for unigrams
    for index, level in enumerate(levels):
        adjusted = _adjust_counts(levels, index)
        first, second, third = _estimate_discounts(adjusted, index + 1)
        discount = np.select([adjusted == 0, adjusted == 1, adjusted == 2], [0.0, first, second], third)
        num_contexts = len(levels[index - 1].symbol) if index else 1
        total = np.bincount(level.context, adjusted, num_contexts)
        backoff = np.bincount(level.context, discount, num_contexts) / np.where(total > 0, total, 1)
        discounted = (adjusted - discount) / np.where(total > 0, total, 1)[level.context]
        probability = discounted + backoff[level.context] * lower[level.suffix]
        if index == 0:
            probability[_BEGIN_ID] = 1e-99  # it is never predicted
        else:
            smoothed[-1] = replace(smoothed[-1], log_backoff=_log(np.where(total > 0, backoff, 1.0)))
        smoothed.append(Level(level.context, level.symbol, _log(probability), np.zeros(len(level.symbol), np.float32)))
        lower = probability
    return tuple(smoothed)


def _adjust_counts(levels: Sequence[_Counts], index: int) -> Ints:
    """Return the Kneser-Ney counts of a level: below the highest order, the number of different preceding symbols.

    Nothing precedes an n-gram at the start of a line, so it keeps its count.
    """
    level = levels[index]
    adjusted = level.count
    if index < len(levels) - 1:
        num_preceding = np.bincount(levels[index + 1].suffix, minlength=len(level.symbol))
        adjusted = np.where(level.starts_line, level.count, num_preceding)
    return np.where(level.symbol == _BEGIN_ID, 0, adjusted) if index == 0 else adjusted


def _estimate_discounts(adjusted: Ints, order: int) -> tuple[float, float, float]:
    """Return the discounts of n-grams with counts of 1, 2, and 3 or more (Chen and Goodman 1999, equation 26)."""
    n1, n2, n3, n4 = (int(np.count_nonzero(adjusted == times)) for times in (1, 2, 3, 4))
    if min(n1, n2, n3) == 0:
        log.info("There are too few different %d-grams to estimate discounts; using %s", order, FALLBACK_DISCOUNTS)
        return FALLBACK_DISCOUNTS
    rate = n1 / (n1 + 2 * n2)
    discounts = (1 - 2 * rate * n2 / n1, 2 - 3 * rate * n3 / n2, 3 - 4 * rate * n4 / n3)
    if not all(0 < amount < times for times, amount in enumerate(discounts, start=1)):
        log.info("The discounts of %d-grams are out of range (%s); using %s", order, discounts, FALLBACK_DISCOUNTS)
        return FALLBACK_DISCOUNTS
    return discounts


def _log(values: NDArray[np.float64]) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values).astype(np.float32)
