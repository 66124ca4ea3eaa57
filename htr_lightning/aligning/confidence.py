"""The confidence of a placed line: the probability that exactly its text was placed, and of a place at all."""

import math

from htr_lightning.aligning.search import Placement

_PROBABILITY_RANGE = 1e-6
# Logistic regression on the lines of experiments/align: the intercept, and a weight of each feature.
_INTERCEPT = 2.0
_WEIGHTS = (0.3, 0.3, 1.0, 0.3)


def compute_features(placement: Placement, length: int) -> tuple[float, float, float, float]:
    """Return what the confidence depends on: the certainty of both cuts, the fit, and the length of the text.

    Args:
        placement: of a line that is placed.
        length: of its text in characters.
    """
    return (
        _logit(placement.start_probability),
        _logit(placement.end_probability),
        placement.fit,
        math.log(max(1, length)),
    )


def compute_confidence(placement: Placement, length: int) -> float:
    """Return the probability, 0 to 1, that the line shows exactly this text."""
    features = compute_features(placement, length)
    score = _INTERCEPT + sum(weight * feature for weight, feature in zip(_WEIGHTS, features, strict=True))
    return 1 / (1 + math.exp(-score))


def _logit(probability: float) -> float:
    probability = min(max(probability, _PROBABILITY_RANGE), 1 - _PROBABILITY_RANGE)
    return math.log(probability / (1 - probability))
