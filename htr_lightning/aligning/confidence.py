"""The confidence of a placed line: the probability that the line shows exactly this text."""

import math
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from htr_lightning.aligning.search import Placement

_MAX_CERTAINTY = 1 - 1e-6
_MIN_FIT = -8.0
_AGREES = -2.0  # fit of a line from which on its text agrees with what is read
# Logistic regression on training pages of ten archives, with two models and with texts of other pages
# (experiments/align): the intercept, and the weights of the features in their order.
_INTERCEPT = -5.903
_WEIGHTS = (0.495, 0.393, 1.674, 3.925)
# In tables of which the finder had missed cells, a number took the place of another one, with neighbors that agreed.
_SHORT = 20  # characters of a text that may resemble another line by chance
_MAX_DISTANCE = 0.5  # normalized Levenshtein distance of such a text to what is read, from which on it is not certain
_MAX_UNLIKE = 0.85  # its highest confidence


def compute_confidences(
    placements: Sequence[Placement], read: Sequence[str], texts: Sequence[str], last_cut: int
) -> list[float]:
    """Return the confidence of each line, 0 to 1; 0 for lines without text.

    It depends on the more doubtful of both cuts, on the fit of the text, on whether the lines before and after it have
    the text before and after it, and on how much of the page agrees with its text. A short text that is read as
    something else is never certain.

    Args:
        placements: of the lines, in the order of the text.
        read: what the recognizer reads in each, in the order of the frames.
        texts: of the placements, in the same order; empty for lines without text.
        last_cut: the end of the text.
    """
    placed = [number for number, placement in enumerate(placements) if placement.is_placed]
    agreeing = sum(len(read[number]) for number in placed if placements[number].fit > _AGREES)
    agreement = agreeing / max(1, sum(map(len, read)))
    confidences = [0.0] * len(placements)
    for place, number in enumerate(placed):
        line = placements[number]
        before = placements[placed[place - 1]].end if place else 0
        after = placements[placed[place + 1]].start if place + 1 < len(placed) else last_cut
        contiguous = float(before == line.start) + float(after == line.end)
        certainty = min(_logit(line.start_probability), _logit(line.end_probability))
        features = (certainty, max(line.fit, _MIN_FIT), contiguous, agreement)
        score = _INTERCEPT + sum(weight * feature for weight, feature in zip(_WEIGHTS, features, strict=True))
        is_unlike = Levenshtein.normalized_distance(read[number], texts[number]) >= _MAX_DISTANCE
        highest = _MAX_UNLIKE if len(texts[number]) <= _SHORT and is_unlike else 1.0
        confidences[number] = min(highest, 1 / (1 + math.exp(-score)))
    return confidences


def _logit(probability: float) -> float:
    probability = min(max(probability, 1 - _MAX_CERTAINTY), _MAX_CERTAINTY)
    return math.log(probability / (1 - probability))
