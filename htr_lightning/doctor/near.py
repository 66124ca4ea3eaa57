"""Texts that are nearly the same, found among a hundred thousand in seconds.

MinHash (Broder 1997) with banding: a text is the set of its runs of four characters; the chance that two texts
share the smallest hash of their runs is the share of runs that they have in common (Jaccard). Texts that share all
hashes of a band are compared letter by letter. Everything but that comparison is array arithmetic.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

MIN_LENGTH = 20
"""Shorter texts are not looked at: they are alike by nature."""
LIKENESS = 0.85
"""One less the edits between two texts, as a share of the longer one's length, from which they are nearly the same."""

_RUN = 4
_ROWS = 3  # hashes in a band, of 21 bits each, which makes a key of 63
_BANDS = 24  # two texts with half of their runs in common meet in one of them with a chance of 96 %
_CANDIDATES = 8  # texts of one band that are compared with each text: one that is alike is enough

Hashes = NDArray[np.uint64]


class Pair(NamedTuple):
    """A text that is nearly another.

    Attributes:
        row: of the text.
        of: row of the first text found that it is nearly the same as.
        likeness: 1 for the same, else at least `LIKENESS`.
    """

    row: int
    of: int
    likeness: float


def folded(text: str) -> str:
    """Reduce a text to its small letters and digits with single spaces between words."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def near_duplicates(texts: Sequence[str], others: Sequence[str]) -> list[Pair]:
    """Find the ``others`` that are the same as one of ``texts``, or nearly, whatever their case and punctuation.

    Returns:
        The most alike of the pairs found for each, in the order of ``others``. Nearly all of those that exist are
        found; the same text always is.
    """
    rows_of, rows_of_others = _unique(texts), _unique(others)
    ours, theirs = list(rows_of), list(rows_of_others)
    best = {row: Pair(row, rows_of[text][0], 1.0) for text in theirs if text in rows_of for row in rows_of_others[text]}
    left = [text for text in theirs if text not in rows_of]
    if ours and left:
        for i, j in _candidates(_signatures(ours), _signatures(left)).tolist():
            likeness = Levenshtein.normalized_similarity(ours[i], left[j], score_cutoff=LIKENESS)
            for row in rows_of_others[left[j]] if likeness >= LIKENESS else ():
                if row not in best or likeness > best[row].likeness:
                    best[row] = Pair(row, rows_of[ours[i]][0], likeness)
    return [best[row] for row in sorted(best)]


def _unique(texts: Sequence[str]) -> dict[str, list[int]]:
    """Map each folded text that is long enough to its rows."""
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        short = folded(text)
        if len(short) >= MIN_LENGTH:
            rows.setdefault(short, []).append(row)
    return rows


def _candidates(ours: Hashes, theirs: Hashes) -> NDArray[np.int64]:
    """Return pairs of rows whose keys agree in a band, ``(n, 2)``, each once."""
    pairs = [np.zeros((0, 2), np.int64)]
    for band in range(_BANDS):
        order = np.argsort(ours[:, band], kind="stable")
        keys = ours[order, band]
        first = np.searchsorted(keys, theirs[:, band], "left")
        number = np.minimum(np.searchsorted(keys, theirs[:, band], "right") - first, _CANDIDATES)
        row = np.repeat(np.arange(len(theirs)), number)
        place = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
        pairs.append(np.stack([order[first[row] + place], row], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _signatures(texts: Sequence[str]) -> Hashes:
    """Return the keys of the bands of each text, ``(n, _BANDS)``; texts of at least ``_RUN`` characters."""
    hashes, starts = _runs(texts)
    generator = np.random.default_rng(1)
    factors = generator.integers(0, 2**63, _BANDS * _ROWS, np.uint64) | np.uint64(1)
    keys = np.zeros((len(texts), _BANDS), np.uint64)
    for number, factor in enumerate(factors):
        smallest = np.minimum.reduceat(hashes * factor >> np.uint64(43), starts)
        keys[:, number // _ROWS] = keys[:, number // _ROWS] << np.uint64(21) | smallest
    return keys


def _runs(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """Hash all runs of all texts, one text after the other; with where each text starts."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    num_windows = len(codes) - _RUN + 1
    hashes = np.zeros(num_windows, np.uint64)
    for place in range(_RUN):
        hashes = hashes * np.uint64(0x100000001B3) + codes[place : place + num_windows]
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(32)
    ends = np.cumsum(lengths)
    within = np.ones(num_windows, bool)
    for place in range(1, _RUN):  # a run that begins so close to the end of its text reaches into the next
        cut = ends - place
        within[cut[cut < num_windows]] = False
    starts = np.cumsum(lengths - _RUN + 1) - (lengths - _RUN + 1)
    return hashes[within], starts
