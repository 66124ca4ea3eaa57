"""Pruning: what goes first, what stays, and that a pruned model is still a model."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from helpers.typesetting import texts

from htr_lightning.lm.arpa import read_arpa, write_arpa
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.ngram import BEGIN, LanguageModelError, NGram
from htr_lightning.lm.pruning import prune_ngram


@pytest.fixture(scope="module")
def model() -> NGram:
    return train_ngram(texts(60, seed=3), 4)


def compute_entropy(model: NGram, lines: list[str]) -> float:
    return -sum(map(model.log_probability, lines)) / sum(len(line) + 1 for line in lines)


@pytest.mark.parametrize("fraction", [0.7, 0.4, 0.15])
def test_the_number_is_kept_and_probabilities_still_sum_to_one(model: NGram, fraction: float) -> None:
    limit = int(len(model) * fraction)
    pruned = prune_ngram(model, limit)
    assert limit * 0.9 <= len(pruned) <= limit and pruned.symbols == model.symbols
    assert len(pruned.levels[0]) == len(model.levels[0])
    for history in ("", "a", "es", "qua", "zzz"):
        ids = pruned.encode(history)
        total = sum(
            math.exp(pruned.conditional_log_probability(ids, symbol))
            for symbol, name in enumerate(pruned.symbols)
            if name != BEGIN
        )
        assert total == pytest.approx(1, abs=1e-5)


def test_the_less_is_left_the_worse_it_predicts(model: NGram) -> None:
    lines = texts(60, seed=3)
    sizes = [len(model), len(model) // 2, len(model) // 5, len(model.symbols)]
    entropies = [compute_entropy(prune_ngram(model, size), lines) for size in sizes]
    assert entropies == sorted(entropies) and prune_ngram(model, sizes[-1]).order == 1


def test_contexts_and_suffixes_of_what_is_kept_are_kept(model: NGram) -> None:
    pruned = prune_ngram(model, len(model) // 3)
    names: list[set[tuple[int, ...]]] = []
    ngrams: list[tuple[int, ...]] = [()]
    for level in pruned.levels:
        ngrams = [(*ngrams[c], s) for c, s in zip(level.context.tolist(), level.symbol.tolist(), strict=True)]
        names.append(set(ngrams))
    for below, level in itertools.pairwise(names):
        assert {name[:-1] for name in level} <= below and {name[1:] for name in level} <= below


def test_what_changes_the_model_least_goes_first() -> None:
    """Of these trigrams, "bc" at the start of a line is the rarest that its shorter context predicts as well."""
    model = train_ngram(["abc"] * 6 + ["bc"] * 3 + ["xd"] * 4 + ["xe"] * 4, 3)

    def list_trigrams(model: NGram) -> set[str]:
        bigrams = [(int(c), int(s)) for c, s in zip(model.levels[1].context, model.levels[1].symbol, strict=True)]
        pairs = zip(model.levels[2].context.tolist(), model.levels[2].symbol.tolist(), strict=True)
        return {"".join(model.symbols[symbol] for symbol in (*bigrams[context], last)) for context, last in pairs}

    assert list_trigrams(model) - list_trigrams(prune_ngram(model, len(model) - 1)) == {f"{BEGIN}bc"}


def test_a_pruned_model_is_read_back(model: NGram, tmp_path: Path) -> None:
    pruned = prune_ngram(model, len(model) // 4)
    write_arpa(pruned, tmp_path / "m.arpa.gz")
    lines = texts(5, seed=9)
    back = [read_arpa(tmp_path / "m.arpa.gz").log_probability(line) for line in lines]
    np.testing.assert_allclose(back, [pruned.log_probability(line) for line in lines], rtol=1e-3)


def test_nothing_to_prune_and_too_few_to_keep(model: NGram) -> None:
    assert prune_ngram(model, len(model)) is model
    with pytest.raises(LanguageModelError) as error:
        prune_ngram(model, 3)
    assert error.value.key == "max_ngrams" and error.value.value == 3
