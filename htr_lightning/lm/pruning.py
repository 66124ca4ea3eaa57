"""Pruning of n-gram models by relative entropy (Stolcke 1998, *Entropy-based pruning of backoff language models*)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.lm.ngram import BEGIN, END, LanguageModelError, Level, NGram

Floats64 = NDArray[np.float64]
Mask = NDArray[np.bool_]


def prune_ngram(model: NGram, max_ngrams: int) -> NGram:
    """Remove the n-grams whose removal changes the model least, until at most ``max_ngrams`` are left.

    The measure is the increase of the relative entropy between the models (equation 6, each n-gram alone); backoff
    weights are computed again. The unigrams stay, and so do the context and the suffix of every n-gram that stays.

    Args:
        model: with the suffix of each of its n-grams, as `htr_lightning.lm.kneser_ney.train_ngram` returns it.
        max_ngrams: of all orders together.

    Raises:
        LanguageModelError: there are more symbols than that.
    """
    if len(model) <= max_ngrams:
        return model
    if max_ngrams < len(model.symbols):
        remedy = f"give {len(model.symbols)} or more, one for each symbol"
        raise LanguageModelError("too few n-grams", key="max_ngrams", value=max_ngrams, remedy=remedy)
    suffixes = _find_suffixes(model)
    costs = _compute_costs(model, suffixes)
    low, high = -1.0, float(max(cost.max(initial=0.0) for cost in costs[1:]))
    for _ in range(40):
        middle = (low + high) / 2
        kept = _close([cost > middle for cost in costs], model, suffixes)
        low, high = (low, middle) if sum(int(mask.sum()) for mask in kept) <= max_ngrams else (middle, high)
    return _keep(model, suffixes, _close([cost > high for cost in costs], model, suffixes))


def _find_suffixes(model: NGram) -> list[NDArray[np.int64]]:
    """Return the index of the last n - 1 symbols of each n-gram in the level below; 0 for unigrams."""
    suffixes = [np.zeros(len(model.levels[0]), np.int64)]
    for below, level in zip(model.levels, model.levels[1:], strict=False):
        if len(suffixes) == 1:
            suffixes.append(level.symbol)
            continue
        suffixes.append(below.find(suffixes[-1][level.context], level.symbol, len(model.symbols)))
    return suffixes


def _compute_costs(model: NGram, suffixes: list[NDArray[np.int64]]) -> list[Floats64]:
    """Return the increase of relative entropy for each n-gram; infinite for unigrams."""
    costs = [np.full(len(model.levels[0]), np.inf)]
    joint = model.levels[0].log_probability.astype(np.float64)
    begin, end = model.encode([BEGIN, END])
    joint[begin] = joint[end]  # it is never predicted, but a line begins as often as one ends
    for below, level, suffix in zip(model.levels, model.levels[1:], suffixes[1:], strict=False):
        of_context = joint  # log P(h)
        log_p = level.log_probability.astype(np.float64)
        lower = below.log_probability.astype(np.float64)[suffix]
        explicit = np.bincount(level.context, np.exp(log_p), len(below))
        explicit_lower = np.bincount(level.context, np.exp(lower), len(below))
        numerator = np.maximum(1 - explicit, 1e-9)
        denominator = np.maximum(1 - explicit_lower, 1e-9)
        before = np.log(numerator / denominator)
        after = np.log((numerator[level.context] + np.exp(log_p)) / (denominator[level.context] + np.exp(lower)))
        change = np.exp(log_p) * (lower + after - log_p)
        change += numerator[level.context] * (after - before[level.context])
        costs.append(-np.exp(of_context[level.context]) * change)
        joint = of_context[level.context] + log_p
    return costs


def _close(kept: list[Mask], model: NGram, suffixes: list[NDArray[np.int64]]) -> list[Mask]:
    """Keep contexts and suffixes of what is kept."""
    closed = [mask.copy() for mask in kept]
    for order in range(len(closed) - 1, 0, -1):
        closed[order - 1][model.levels[order].context[closed[order]]] = True
        closed[order - 1][suffixes[order][closed[order]]] = True
    return closed


def _keep(model: NGram, suffixes: list[NDArray[np.int64]], kept: list[Mask]) -> NGram:
    """Return the model of the n-grams that are kept, with new backoff weights."""
    levels: list[Level] = [model.levels[0]]
    number = np.arange(len(model.levels[0]))
    for order, mask in enumerate(kept[1:], start=1):
        if not mask.any():
            break
        level, below = model.levels[order], model.levels[order - 1]
        context, log_p = level.context[mask], level.log_probability[mask]
        lower = below.log_probability[suffixes[order][mask]]
        left = 1 - np.bincount(context, np.exp(log_p.astype(np.float64)), len(below))
        left_lower = 1 - np.bincount(context, np.exp(lower.astype(np.float64)), len(below))
        has_children = np.bincount(context, minlength=len(below)) > 0
        backoff = np.where(has_children, np.maximum(left, 1e-9) / np.maximum(left_lower, 1e-9), 1.0)
        levels[-1] = replace(levels[-1], log_backoff=np.log(backoff[kept[order - 1]]).astype(np.float32))
        zeros = np.zeros(int(mask.sum()), np.float32)
        levels.append(Level(number[context], level.symbol[mask], log_p, zeros))
        number = np.cumsum(mask) - 1
    return NGram(model.symbols, tuple(levels))
