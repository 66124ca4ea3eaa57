"""The most probable CTC path of a line through any part of a text, for every place where that part may end."""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.aligning.cuts import HYPHENS, CuttableText
from htr_lightning.charset import BLANK, Charset

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

IMPOSSIBLE = -1e9
_NOISE = 0.02  # probability that a frame shows anything
_VARIANT = 0.2  # weight of a similar character, such as the capital letter
_ONLY_BLANK = 0.9  # probability of the blank from which on a frame shows nothing
_MISSED, _MISSED_MARK, _MISSED_UNKNOWN = 4.0, 2.5, 1.0  # costs of characters that the recognizer misses
_MISSED_LEADER = 0.1  # likewise of each of a row of dots
_LEADER = re.compile(r"([.\u2026_\u00b7-])(?: ?\1){2,}")
_BEAM = 100.0  # paths that are worse than the best one by more are discarded
_STRIDE, _LOOKAHEAD = 8, 48  # frames between two looks at the beam, and characters that paths may advance by meanwhile
_MISSED_JOINT = 0.2  # cost of the hyphen, and of the space after it, of a word that the text divides
JOINT = re.compile(rf"(?<=[^\W\d_])([{re.escape(HYPHENS)}] )(?=[^\W\d_])")
_SIMILAR = dict(zip("uvij\u017f\u2019'\u0153\u00e6", "vujis'\u2019oa", strict=True))
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u00ac=\u2e17"
_QUOTES = '"\u201c\u201d\u201e\u00ab\u00bb'


def find_variants(character: str) -> set[str]:
    """Return characters that a recognizer may read instead of one, because they look alike or mean the same."""
    base = unicodedata.normalize("NFKD", character)[:1]
    variants = {character.swapcase(), base, base.swapcase(), _SIMILAR.get(base, "")}
    for group in (_DASHES, _QUOTES):
        if character in group:
            variants |= set(group)
    return {variant for variant in variants if len(variant) == 1} - {character}


def _find_ids(character: str, charset: Charset) -> list[int]:
    """Return the ids of a character as it is seen: the charset would mirror a bracket in a text from right to left."""
    return [charset.characters.index(part) + 1 for part in charset.normalize(character) if part in charset]


@dataclass(frozen=True, slots=True, eq=False)
class LineFrames:
    """What a recognizer computed for a line.

    Attributes:
        log_probs: ``(T, K)`` log-probabilities of its frames, class 0 the blank.
    """

    log_probs: NDArray[np.floating]

    def is_empty(self) -> bool:
        """Return whether the line has no frames."""
        return not len(self.log_probs)


class Emissions:
    """Scores of the characters of a text in the frames of lines.

    Each score is the logarithm of the probability of the character, that of similar characters to a lower weight, and
    some noise, which bounds what a single wrong frame can cost. A character that the charset lacks, and nothing similar
    to it, may be any character.

    Args:
        characters: of the text, in any order.
        charset: of the recognizer.
    """

    def __init__(self, characters: str, charset: Charset) -> None:
        self.characters = "".join(sorted(set(characters)))
        self.num_classes = charset.num_classes
        weights = np.zeros((charset.num_classes, len(self.characters)), np.float32)
        for column, character in enumerate(self.characters):
            for variant in find_variants(character):
                weights[_find_ids(variant, charset), column] = _VARIANT
            known = _find_ids(character, charset)
            weights[known[:1], column] = 1.0
            if not weights[:, column].any():
                weights[1:, column] = _VARIANT
        self._weights = weights
        self._is_known = np.array([bool(_find_ids(character, charset)) for character in self.characters], bool)
        self._alphabet = charset.characters
        self._hyphens = [id for sign in HYPHENS for id in _find_ids(sign, charset)]

    def index(self, characters: str) -> Ints:
        """Return ``(L,)`` the column of each character of a text."""
        columns = {character: column for column, character in enumerate(self.characters)}
        return np.array([columns[character] for character in characters], np.int64)

    def compute_missing_costs(self, characters: str) -> Floats:
        """Return ``(L,)`` the cost of each character of a text if the recognizer misses it."""
        costs = np.where(self._is_known[self.index(characters)], _MISSED, _MISSED_UNKNOWN)
        is_mark = np.array([not character.isalnum() for character in characters], bool)
        costs[is_mark] = np.minimum(costs[is_mark], _MISSED_MARK)
        for match in _LEADER.finditer(characters):
            costs[match.start() : match.end()] = _MISSED_LEADER
        for match in JOINT.finditer(characters):
            costs[match.start() : match.end()] = _MISSED_JOINT
        return costs.astype(np.float32)

    def score(self, line: LineFrames) -> "LineScores":
        """Return the scores of a line."""
        probabilities = np.exp(line.log_probs.astype(np.float32))
        is_blank = probabilities[:, BLANK] > _ONLY_BLANK
        is_repeated = np.zeros_like(is_blank)  # one of each run of blanks is enough
        is_repeated[1:] = is_blank[1:] & is_blank[:-1]
        probabilities = probabilities[~is_repeated]
        noise = _NOISE / self.num_classes
        best = probabilities.argmax(1)
        read = best != BLANK
        read[1:] &= best[1:] != best[:-1]
        is_hyphen = np.isin(best, self._hyphens)
        letters = np.flatnonzero((best != BLANK) & ~is_hyphen)
        tail = int(letters[-1]) + 1 if len(letters) else len(best)
        hyphen = probabilities[tail:, self._hyphens].sum(1) if self._hyphens else np.zeros(len(best) - tail, np.float32)
        blank = probabilities[:, BLANK].copy()
        blank[tail:] += hyphen  # a hyphen at the end of the line may not be in the text
        return LineScores(
            np.log(probabilities @ self._weights * (1 - _NOISE) + noise),
            np.log(blank * (1 - _NOISE) + noise),
            float(np.log(probabilities.max(1) * (1 - _NOISE) + noise).sum()),
            "".join(self._alphabet[id - 1] for id in best[read]),
            float(hyphen.max(initial=0.0)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class LineScores:
    """Scores of a line.

    Attributes:
        characters: ``(T, number of different characters)``.
        blank: ``(T,)``.
        best: of the most probable path, whatever it spells.
        read: the characters that this path spells, in the order of the frames.
        hyphen: 0..1, whether the line ends in a hyphen.
    """

    characters: Floats
    blank: Floats
    best: float
    read: str
    hyphen: float

    def reverse(self) -> "LineScores":
        """Return the scores of the line from its end to its start."""
        return LineScores(self.characters[::-1], self.blank[::-1], self.best, self.read[::-1], self.hyphen)


class Lattice:
    """All CTC paths of a line through any part of a text.

    Args:
        text: with its cuts.
        columns: ``(L,)`` the column of each character in `LineScores.characters`.
        missing_costs: ``(L,)`` the cost of each character if the line does not show it.
    """

    def __init__(self, text: CuttableText, columns: Ints, missing_costs: Floats) -> None:
        self.text, self.columns = text, columns
        self._missing = np.r_[np.float32(0), np.cumsum(missing_costs, dtype=np.float64)].astype(np.float32)
        self._places = np.arange(len(columns) + 1, dtype=np.int64)
        self._skip_penalty = np.zeros(len(columns), np.float32)  # a blank parts two equal characters
        self._skip_penalty[1:][columns[1:] == columns[:-1]] = IMPOSSIBLE

    def search(self, line: LineScores, entry: Floats) -> Floats:
        """Find the best paths from any cut to each cut (Viterbi, with a beam).

        Args:
            line: its scores.
            entry: ``(C,)`` score of starting at each cut.

        Returns:
            ``(C,)`` the score of ending at each cut. Parts without any character do not count.
        """
        length = len(self.columns)
        paths = _Paths(length)
        paths.start[self.text.starts] = entry
        window = slice(0, length)
        for frame in range(len(line.blank)):
            if frame % _STRIDE == 0:
                window = paths.narrow()
            self._step(paths, window, line.characters[frame].take(self.columns[window]), line.blank[frame])
        ends = self.text.ends
        in_character = np.where(ends > 0, paths.character[np.maximum(ends - 1, 0)], np.float32(IMPOSSIBLE))
        return np.maximum(np.maximum(paths.blank[ends], in_character), np.float32(IMPOSSIBLE))

    def _step(self, paths: "_Paths", window: slice, character_scores: Floats, blank_score: np.float32) -> None:
        """Extend the paths of a window by a frame."""
        first, last = window.start, window.stop
        start, blank = paths.start[first : last + 1], paths.blank[first : last + 1]
        before = paths.character[window]
        character = np.maximum(np.maximum(blank[:-1], start[:-1]), before)
        np.maximum(character[1:], before[:-1] + self._skip_penalty[first + 1 : last], out=character[1:])
        np.maximum(blank[1:], before, out=blank[1:])
        paths.character[window] = character + character_scores
        blank += blank_score
        start += blank_score
        # Paths may go on behind characters that the line does not show.
        missing = self._missing[first : last + 1]
        ahead = np.maximum(blank[1:] + missing[1:], start[:-1] + missing[:-1])
        blank[1:] = np.maximum.accumulate(ahead) - missing[1:]


class _Paths:
    """The best scores of the paths through a text of L characters.

    Attributes:
        start: ``(L + 1,)``, in the blank before the first character of the line's text, which is character k.
        character: ``(L,)``, in character k.
        blank: ``(L + 1,)``, in a later blank, before character k.
    """

    def __init__(self, length: int) -> None:
        self.start, self.blank = (np.full(length + 1, IMPOSSIBLE, np.float32) for _ in range(2))
        self.character = np.full(length, IMPOSSIBLE, np.float32)

    def narrow(self) -> slice:
        """Return the part of the text that paths of the beam are in, and discard the others."""
        length = len(self.character)
        best = np.maximum(self.start, self.blank)
        np.maximum(best[:-1], self.character, out=best[:-1])
        active = np.flatnonzero(best > float(best.max()) - _BEAM)
        first = min(int(active[0]), length - 1)
        last = min(length, int(active[-1]) + _LOOKAHEAD)
        for values in (self.start, self.character, self.blank):
            values[:first] = IMPOSSIBLE
        self.character[last:] = IMPOSSIBLE
        self.start[last + 1 :] = self.blank[last + 1 :] = IMPOSSIBLE
        return slice(first, last)
