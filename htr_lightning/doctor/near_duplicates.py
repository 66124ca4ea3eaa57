"""Near-duplicate texts, found among a hundred thousand in seconds.

MinHash (Broder 1997) with banding: a text is the set of its character 4-grams; the probability that two texts have the
same minimum hash is the Jaccard similarity of their sets. Texts that agree in all hashes of a band are compared by edit
distance. Everything except that comparison is vectorized.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

MIN_LENGTH = 20
"""Texts with fewer characters are not compared: short texts repeat by nature."""
MIN_SIMILARITY = 0.85
"""Of near-duplicates: 1 minus the edit distance as a fraction of the longer text's length."""

_N = 4  # of the n-grams
_HASHES_PER_BAND = 3  # of 21 bits each, so that the key of a band has 63 bits
_NUM_BANDS = 24  # two texts with half of their n-grams in common agree in a band with a probability of 96 %
_MAX_CANDIDATES = 8  # of each band that a text is compared with: one match is enough

Hashes = NDArray[np.uint64]


class NearDuplicate(NamedTuple):
    """A text that is the same as another one or nearly so.

    Attributes:
        row: of the text.
        other_row: of the first matching text.
        similarity: 1 for equal texts, else at least `MIN_SIMILARITY`.
    """

    row: int
    other_row: int
    similarity: float


def simplify_text(text: str) -> str:
    """Reduce a text to its lowercase letters and digits, with single spaces between words."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def find_near_duplicates(texts: Sequence[str], others: Sequence[str]) -> list[NearDuplicate]:
    """Find the ``others`` that are the same as one of ``texts`` or nearly so, ignoring case and punctuation.

    Returns:
        The most similar match found for each of ``others``, in their order. Equal texts are always found, and nearly
        all of the other near-duplicates.
    """
    rows_of_texts, rows_of_others = _index_texts(texts), _index_texts(others)
    unique_texts, unique_others = list(rows_of_texts), list(rows_of_others)
    best = {
        row: NearDuplicate(row, rows_of_texts[text][0], 1.0)
        for text in unique_others
        if text in rows_of_texts
        for row in rows_of_others[text]
    }
    remaining = [text for text in unique_others if text not in rows_of_texts]
    if unique_texts and remaining:
        for i, j in _find_candidates(_compute_keys(unique_texts), _compute_keys(remaining)).tolist():
            text, other = unique_texts[i], remaining[j]
            similarity = Levenshtein.normalized_similarity(text, other, score_cutoff=MIN_SIMILARITY)
            for row in rows_of_others[other] if similarity >= MIN_SIMILARITY else ():
                if row not in best or similarity > best[row].similarity:
                    best[row] = NearDuplicate(row, rows_of_texts[text][0], similarity)
    return [best[row] for row in sorted(best)]


def _index_texts(texts: Sequence[str]) -> dict[str, list[int]]:
    """Map each simplified text that is long enough to its rows."""
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        simplified = simplify_text(text)
        if len(simplified) >= MIN_LENGTH:
            rows.setdefault(simplified, []).append(row)
    return rows


def _find_candidates(keys: Hashes, other_keys: Hashes) -> NDArray[np.int64]:
    """Return the unique pairs of rows whose keys agree in a band, ``(n, 2)``."""
    pairs = [np.zeros((0, 2), np.int64)]
    for band in range(_NUM_BANDS):
        order = np.argsort(keys[:, band], kind="stable")
        ordered = keys[order, band]
        first = np.searchsorted(ordered, other_keys[:, band], "left")
        number = np.minimum(np.searchsorted(ordered, other_keys[:, band], "right") - first, _MAX_CANDIDATES)
        other_row = np.repeat(np.arange(len(other_keys)), number)
        offset = np.arange(len(other_row)) - np.repeat(np.cumsum(number) - number, number)
        pairs.append(np.stack([order[first[other_row] + offset], other_row], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _compute_keys(texts: Sequence[str]) -> Hashes:
    """Return the keys of the bands of each text, ``(n, _NUM_BANDS)``; each text has at least ``_N`` characters."""
    hashes, starts = _hash_ngrams(texts)
    generator = np.random.default_rng(1)
    factors = generator.integers(0, 2**63, _NUM_BANDS * _HASHES_PER_BAND, np.uint64) | np.uint64(1)
    keys = np.zeros((len(texts), _NUM_BANDS), np.uint64)
    for number, factor in enumerate(factors):
        smallest = np.minimum.reduceat(hashes * factor >> np.uint64(43), starts)
        band = number // _HASHES_PER_BAND
        keys[:, band] = keys[:, band] << np.uint64(21) | smallest
    return keys


def _hash_ngrams(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the hashes of all n-grams, text after text, and the index of each text's first one."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    num_windows = len(codes) - _N + 1
    hashes = np.zeros(num_windows, np.uint64)
    for offset in range(_N):
        hashes = hashes * np.uint64(0x100000001B3) + codes[offset : offset + num_windows]
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(32)
    ends = np.cumsum(lengths)
    is_inside = np.ones(num_windows, bool)
    for offset in range(1, _N):  # a window that starts so close to the end of its text reaches into the next text
        cut = ends - offset
        is_inside[cut[cut < num_windows]] = False
    starts = np.cumsum(lengths - _N + 1) - (lengths - _N + 1)
    return hashes[is_inside], starts
