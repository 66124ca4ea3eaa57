"""Scores of hypotheses against references, as pure functions: error rates of texts, and all scores from counts.

`htr_lightning.training.metrics` counts over batches and devices, `htr_lightning.evaluation.counts` by group of lines.

Definitions, over a whole set of lines:

- *Edits* are the minimum number of insertions, deletions and substitutions (Levenshtein 1966) that turn the
  hypothesis into the reference. Characters are Unicode code points, after both texts have been normalized to the
  same form; *words* are separated by whitespace.
- *Tokens* are words and punctuation marks, separated by `tokenize`: ``l'eau.`` is one word, but four tokens. A wrong
  full stop makes the preceding word wrong in `wer`, but not in `wer_tokens`.
- An *error rate* is the number of all edits divided by the length of all references, so long lines weigh more.
  It exceeds 1 if the hypotheses are much longer than the references. If all references are empty, it is 0 without
  edits and 1 with edits: finite, as logs and sweeps require.
- For *precision* and *recall*, the edits align the characters of both texts. A match is a true positive of its class;
  a substitution is a false negative of the reference's class and a false positive of the hypothesis's; a deletion is
  a false negative; an insertion is a false positive. A quotient 0/0 is 0, except that all scores are 1 if neither
  side has any characters, where the error rate is 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from htr_lightning.text import Normalization, normalize, tokenize

Counts = NDArray[np.number[Any]]
Floats = NDArray[np.float64]

CHARACTER_SCORES = ("precision", "recall", "f1", "precision_macro", "recall_macro", "f1_macro")
"""The scores of characters; the first three are micro averages."""


def compute_scores(
    errors: Mapping[str, tuple[Counts, Counts]],
    *,
    correct: Counts,
    lines: Counts,
    matches: Counts,
    in_references: Counts,
    in_hypotheses: Counts,
) -> dict[str, Floats]:
    """Compute all scores from counts (defined in the module docstring), of any number of samples at once.

    Args:
        errors: edits ``(...)`` and lengths ``(...)`` of each error rate, by its name.
        correct: lines without any error, ``(...)``.
        lines: all lines, ``(...)``.
        matches: correct characters by class, ``(..., K)``.
        in_references: characters of the references by class, ``(..., K)``.
        in_hypotheses: characters of the hypotheses by class, ``(..., K)``.

    Returns:
        Scores ``(...)``: the error rates by their names, ``accuracy`` of lines, and `CHARACTER_SCORES`.
    """
    rates = {name: compute_error_rate(edits, lengths) for name, (edits, lengths) in errors.items()}
    accuracy = np.asarray(correct / np.maximum(lines, 1), np.float64)
    return {**rates, "accuracy": accuracy, **_score_characters(matches, in_references, in_hypotheses)}


def compute_error_rate(edits: Counts, lengths: Counts) -> Floats:
    """Divide edits by lengths, ``(...)``; the rate of an empty reference is 0 without and 1 with edits."""
    return np.where(np.asarray(lengths) > 0, edits / np.maximum(lengths, 1), np.asarray(edits) > 0).astype(np.float64)


def _score_characters(matches: Counts, in_references: Counts, in_hypotheses: Counts) -> dict[str, Floats]:
    """Compute `CHARACTER_SCORES` ``(...)`` from counts by class ``(..., K)``."""
    support = in_references + in_hypotheses
    num_classes = (support > 0).sum(axis=-1)
    scores: dict[str, Floats] = {}
    for name, denominator, factor in (
        ("precision", in_hypotheses, 1),
        ("recall", in_references, 1),
        ("f1", support, 2),
    ):
        micro = factor * matches.sum(-1) / np.maximum(denominator.sum(-1), 1)
        macro = (factor * matches / np.maximum(denominator, 1)).sum(-1) / np.maximum(num_classes, 1)
        scores[name] = np.where(num_classes > 0, micro, 1.0)
        scores[f"{name}_macro"] = np.where(num_classes > 0, macro, 1.0)
    return {name: scores[name] for name in CHARACTER_SCORES}


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Return the number of edits between two texts, or between two lists of words."""
    return Levenshtein.distance(reference, hypothesis)


def cer(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Return the character error rate of a set of lines (defined in the module docstring); lower is better.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    return _rate(*_count_character_edits(normalize_pairs(references, hypotheses, normalization)))


def wer(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Return the word error rate of a set of lines (defined in the module docstring); lower is better.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    return _rate(*count_word_edits(normalize_pairs(references, hypotheses, normalization)))


def wer_tokens(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Return the token error rate of a set of lines (defined in the module docstring); lower is better.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    tokens = [(tokenize(r), tokenize(h)) for r, h in normalize_pairs(references, hypotheses, normalization)]
    return _rate(sum(edit_distance(r, h) for r, h in tokens), sum(len(r) for r, _ in tokens))


def normalize_pairs(
    references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization
) -> list[tuple[str, str]]:
    """Normalize references and hypotheses, and pair them.

    Raises:
        ValueError: the numbers of references and hypotheses differ, or one of them is a single text.
    """
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str):  # its characters would be taken for lines
            raise ValueError(f"{name}: expected a list of texts, got the single text {texts!r}")
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references, but {len(hypotheses)} hypotheses; give one for each line")
    return [
        (normalize(r, normalization), normalize(h, normalization)) for r, h in zip(references, hypotheses, strict=True)
    ]


def _count_character_edits(pairs: list[tuple[str, str]]) -> tuple[int, int]:
    """Return the number of edits and the number of characters in the references."""
    return sum(edit_distance(r, h) for r, h in pairs), sum(len(r) for r, _ in pairs)


def count_word_edits(pairs: list[tuple[str, str]]) -> tuple[int, int]:
    """Return the number of edits and the number of words in the references."""
    words = [(r.split(), h.split()) for r, h in pairs]
    return sum(edit_distance(r, h) for r, h in words), sum(len(r) for r, _ in words)


def _rate(edits: int, length: int) -> float:
    return float(compute_error_rate(np.asarray(edits), np.asarray(length)))
