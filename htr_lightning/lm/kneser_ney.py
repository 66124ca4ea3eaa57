"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999, equations 22 to 27)."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.lm.ngram import BEGIN, END, MAX_ORDER, UNKNOWN, Floats, Ints, LanguageModelError, Level, NGram

log = logging.getLogger(__name__)
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where the counts of counts give none, as with very short texts."""

_BEGIN = 1  # its place among the symbols


@dataclass(frozen=True)
class _Counted:
    """The n-grams of one order: context, symbol, suffix (see `NGram`), and how often each occurs."""

    context: Ints
    symbol: Ints
    suffix: Ints
    count: Ints
    begins: NDArray[np.bool_]  # whether its first symbol is BEGIN, before which nothing can stand


def train_ngram(texts: Iterable[str], order: int) -> NGram:
    """Learn an n-gram from lines of text.

    Lines begin with `BEGIN` and end with `END`; nothing reaches from one into the next. The unigrams are interpolated
    with the uniform distribution over all symbols but `BEGIN`, so that an unknown character has a probability, too.

    Args:
        texts: lines, with one character for each symbol; empty ones are left out.
        order: the longest n-gram's length, 1 to `MAX_ORDER`.

    Raises:
        LanguageModelError: an order out of its range, or no text at all.
    """
    if not 1 <= order <= MAX_ORDER:
        raise LanguageModelError(f"order: {order} is out of range; give 1 to {MAX_ORDER}")
    lines = [text for text in texts if text]
    if not lines:
        raise LanguageModelError("there is no text to learn from; all lines are empty")
    known = sorted(set().union(*lines))
    symbols = (UNKNOWN, BEGIN, END, *known)
    number = {symbol: place for place, symbol in enumerate(symbols)}
    stream = [number[s] for line in lines for s in (BEGIN, *line, END)]
    levels = _count(np.array(stream, np.int64), order, len(symbols))
    return NGram(symbols, _smooth(levels, len(symbols)))


def _count(stream: Ints, order: int, num_symbols: int) -> list[_Counted]:
    """Count the n-grams of every order in lines that stand one after the other; all symbols are unigrams."""
    every = np.arange(num_symbols)
    count = np.bincount(stream, minlength=num_symbols)
    levels = [_Counted(np.zeros_like(every), every, np.zeros_like(every), count, every == _BEGIN)]
    at = stream  # of each position, the place of the n-gram that ends there
    inside = np.ones(len(stream), np.bool_)  # whether all of it stands in one line
    for length in range(2, order + 1):
        inside = np.r_[False, inside[:-1]] & (stream != _BEGIN)
        keys = np.r_[0, at[:-1]] * num_symbols + stream
        unique, first, places, count = np.unique(
            keys[inside], return_index=True, return_inverse=True, return_counts=True
        )
        ends = np.flatnonzero(inside)[first]
        begins = stream[ends - length + 1] == _BEGIN
        levels.append(_Counted(unique // num_symbols, unique % num_symbols, at[ends], count, begins))
        at = np.zeros_like(stream)
        at[inside] = places
    return levels


def _smooth(levels: Sequence[_Counted], num_symbols: int) -> tuple[Level, ...]:
    """Turn counts into probabilities and backoff weights."""
    made: list[Level] = []
    lower = np.full(1, 1 / (num_symbols - 1))  # the uniform distribution, for unigrams
    for number, level in enumerate(levels):
        adjusted = _adjusted(levels, number)
        first, second, third = _discounts(adjusted, number + 1)
        discount = np.select([adjusted == 0, adjusted == 1, adjusted == 2], [0.0, first, second], third)
        num_contexts = len(levels[number - 1].symbol) if number else 1
        total = np.bincount(level.context, adjusted, num_contexts)
        spared = np.bincount(level.context, discount, num_contexts) / np.where(total > 0, total, 1)
        own = (adjusted - discount) / np.where(total > 0, total, 1)[level.context]
        probability = own + spared[level.context] * lower[level.suffix]
        if number == 0:
            probability[_BEGIN] = 1e-99  # it is given, never said
        else:
            made[-1] = replace(made[-1], log_backoff=_log(np.where(total > 0, spared, 1.0)))
        made.append(Level(level.context, level.symbol, _log(probability), np.zeros(len(level.symbol), np.float32)))
        lower = probability
    return tuple(made)


def _adjusted(levels: Sequence[_Counted], number: int) -> Ints:
    """Counts that smoothing goes by: below the highest order, how many different symbols stand before an n-gram.

    Before an n-gram that begins a line nothing stands, so its own count is kept.
    """
    level = levels[number]
    adjusted = level.count
    if number < len(levels) - 1:
        preceded = np.bincount(levels[number + 1].suffix, minlength=len(level.symbol))
        adjusted = np.where(level.begins, level.count, preceded)
    return np.where(level.symbol == _BEGIN, 0, adjusted) if number == 0 else adjusted


def _discounts(adjusted: Ints, order: int) -> tuple[float, float, float]:
    """How much is taken from n-grams seen once, twice, and more often (Chen and Goodman 1999, equation 26)."""
    n1, n2, n3, n4 = (int(np.count_nonzero(adjusted == times)) for times in (1, 2, 3, 4))
    if min(n1, n2, n3) == 0:
        log.info("Too few different %d-grams to estimate discounts; taking %s", order, FALLBACK)
        return FALLBACK
    rate = n1 / (n1 + 2 * n2)
    found = (1 - 2 * rate * n2 / n1, 2 - 3 * rate * n3 / n2, 3 - 4 * rate * n4 / n3)
    if not all(0 < amount < times for times, amount in enumerate(found, start=1)):
        log.info("The discounts of %d-grams are out of range (%s); taking %s", order, found, FALLBACK)
        return FALLBACK
    return found


def _log(values: NDArray[np.float64]) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values).astype(np.float32)
